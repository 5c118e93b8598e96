"""A real editor's side of a session, over standard input and output or a socket.

The client's loop runs in a thread of its own, so that a test asks and gets an answer in one line.
"""

from __future__ import annotations

import asyncio
import re
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.lsp.client import LanguageClient

PATIENCE = 60.0
SERVER = (sys.executable, "-m", "upconv", "lsp")

EVERYTHING = types.ClientCapabilities(
    workspace=types.WorkspaceClientCapabilities(
        workspace_edit=types.WorkspaceEditClientCapabilities(document_changes=True),
        diagnostics=types.DiagnosticWorkspaceClientCapabilities(refresh_support=True),
        did_change_watched_files=types.DidChangeWatchedFilesClientCapabilities(True),
    ),
    text_document=types.TextDocumentClientCapabilities(
        code_action=types.CodeActionClientCapabilities(
            resolve_support=types.ClientCodeActionResolveOptions(["edit"])
        ),
        inlay_hint=types.InlayHintClientCapabilities(),
    ),
    window=types.WindowClientCapabilities(
        show_document=types.ShowDocumentClientCapabilities(support=True)
    ),
)
"""An editor that is told of findings; with `text_document.diagnostic` it would ask for them."""


class Editor:
    """One editor. `told` has what the server said unasked: (method, what it said)."""

    def __init__(self, client: LanguageClient, loop: asyncio.AbstractEventLoop) -> None:
        self.client = client
        self.loop = loop
        self.told: list[tuple[str, Any]] = []
        self.capabilities: types.ServerCapabilities
        self._news = threading.Condition()
        self._versions: dict[str, int] = {}
        for method in (
            types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS,
            types.WINDOW_LOG_MESSAGE,
            types.WINDOW_SHOW_MESSAGE,
            types.CLIENT_REGISTER_CAPABILITY,
            types.WINDOW_SHOW_DOCUMENT,
            types.WORKSPACE_DIAGNOSTIC_REFRESH,
        ):
            client.feature(method)(self._hearing(method))

    def _hearing(self, method: str) -> Any:
        def hear(params: Any) -> Any:
            with self._news:
                self.told.append((method, params))
                self._news.notify_all()
            shows = method == types.WINDOW_SHOW_DOCUMENT
            return types.ShowDocumentResult(success=True) if shows else None

        return hear

    def run(self, awaitable: Any) -> Any:
        async def wait() -> Any:
            return await asyncio.wait_for(awaitable, PATIENCE)

        return asyncio.run_coroutine_threadsafe(wait(), self.loop).result(PATIENCE + 5)

    def ask(self, method: str, params: Any) -> Any:
        """A request and its answer."""

        async def answer() -> Any:
            return await self.client.protocol.send_request_async(method, params)

        return self.run(answer())

    def tell(self, method: str, params: Any) -> None:
        self.loop.call_soon_threadsafe(self.client.protocol.notify, method, params)

    def start(self, capabilities: types.ClientCapabilities, folder: Path) -> None:
        root = types.WorkspaceFolder(folder.as_uri(), folder.name)
        params = types.InitializeParams(capabilities, workspace_folders=[root])
        self.capabilities = self.ask(types.INITIALIZE, params).capabilities
        self.tell(types.INITIALIZED, types.InitializedParams())

    # Texts.

    def open(self, path: Path, text: str | None = None) -> str:
        """Open a file, or a text under its name; its URI."""
        uri = path.as_uri()
        self._versions[uri] = 1
        shown = path.read_bytes().decode("utf-8") if text is None else text
        item = types.TextDocumentItem(uri, "prototxt", 1, shown)
        self.tell(types.TEXT_DOCUMENT_DID_OPEN, types.DidOpenTextDocumentParams(item))
        return uri

    def change(self, uri: str, changes: Sequence[Any], version: int | None = None) -> int:
        self._versions[uri] += 1
        number = self._versions[uri] if version is None else version
        which = types.VersionedTextDocumentIdentifier(number, uri)
        params = types.DidChangeTextDocumentParams(which, list(changes))
        self.tell(types.TEXT_DOCUMENT_DID_CHANGE, params)
        return number

    def rewrite(self, uri: str, text: str) -> int:
        """The whole text anew."""
        return self.change(uri, [types.TextDocumentContentChangeWholeDocument(text)])

    def close(self, uri: str) -> None:
        which = types.TextDocumentIdentifier(uri)
        self.tell(types.TEXT_DOCUMENT_DID_CLOSE, types.DidCloseTextDocumentParams(which))

    def findings(self, uri: str) -> list[types.Diagnostic]:
        """What is found now, asked for."""
        which = types.TextDocumentIdentifier(uri)
        params = types.DocumentDiagnosticParams(which)
        found = self.ask(types.TEXT_DOCUMENT_DIAGNOSTIC, params).items
        return list(found)

    def pushed(self, uri: str, version: int) -> list[types.Diagnostic]:
        """What the server tells of a version, once it does; the newest word counts."""

        def mine(method: str, params: Any) -> bool:
            pushes = method == types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS
            return pushes and params.uri == uri and params.version == version

        found = self.heard(mine).diagnostics
        return list(found)

    def heard(self, wanted: Any) -> Any:
        """The last of what was said that is wanted, waited for."""
        with self._news:
            assert self._news.wait_for(lambda: any(wanted(*one) for one in self.told), PATIENCE)
            return [one[1] for one in self.told if wanted(*one)][-1]

    def actions(self, uri: str, line: int, only: list[str] | None = None) -> dict[str, Any]:
        """Title -> what can be done about a line."""
        where = types.Range(types.Position(line, 0), types.Position(line, 1))
        asked: Any = only
        params = types.CodeActionParams(
            types.TextDocumentIdentifier(uri), where, types.CodeActionContext([], asked)
        )
        found = self.ask(types.TEXT_DOCUMENT_CODE_ACTION, params)
        return {one.title: one for one in found}


@contextmanager
def editor(
    folder: Path,
    capabilities: types.ClientCapabilities = EVERYTHING,
    command: Sequence[str] = SERVER,
    port: int | None = None,
) -> Iterator[Editor]:
    """An editor that has a folder open; it ends the session in the end."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    client = LanguageClient("test", "1")
    one = Editor(client, loop)
    try:
        if port is None:
            one.run(client.start_io(*command))
        else:
            one.run(_connected(client, port))
        one.start(capabilities, folder)
        yield one
        one.ask(types.SHUTDOWN, None)
        one.tell(types.EXIT, None)
    except BaseException:
        if client._server is not None:
            client._server.kill()
        raise
    finally:
        one.run(_stopped(client))
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE)
        loop.close()


async def _connected(client: LanguageClient, port: int) -> None:
    """Connect once the server listens; it serves the first who comes."""
    while True:
        try:
            await client.start_tcp("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            return


async def _stopped(client: LanguageClient) -> None:
    stop: Any = client.stop
    await stop()


def changed(text: str, edits: Sequence[types.TextEdit]) -> str:
    """A text after edits, all of which name places of the text before."""
    spots = [(offset(text, e.range.start), offset(text, e.range.end), e.new_text) for e in edits]
    for start, end, new in sorted(spots, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def offset(text: str, place: types.Position) -> int:
    """The offset of a right place, counted in UTF-16 without any help from the server's code."""
    pieces = re.split(r"(\r\n|\r|\n)", text)
    before = "".join(pieces[: 2 * place.line])
    line = pieces[2 * place.line].encode("utf-16-le", "surrogatepass")
    return len(before) + len(line[: 2 * place.character].decode("utf-16-le", "surrogatepass"))


def edits_of(edit: types.WorkspaceEdit | None, version: int = 1) -> list[types.TextEdit]:
    """The edits of one text, which are for the version that it has."""
    assert edit is not None
    assert edit.document_changes is not None
    (one,) = edit.document_changes
    assert isinstance(one, types.TextDocumentEdit)
    assert one.text_document.version == version
    return [e for e in one.edits if isinstance(e, types.TextEdit)]
