"""One editor's session: its open texts, what it can do, and what it is told unasked."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lsprotocol import types
from pygls.capabilities import get_capability
from pygls.exceptions import JsonRpcContentModified, JsonRpcInvalidParams

from upconv.converters.ir.origin import Source
from upconv.service.lsp.configured import Folders
from upconv.service.lsp.diagnostics import diagnostics
from upconv.service.lsp.documents import Document, path_of
from upconv.service.lsp.looker import Looker
from upconv.service.lsp.nets import tree_of

if TYPE_CHECKING:
    from tempfile import TemporaryDirectory

    from pygls.lsp.server import LanguageServer

    from upconv.converters.readers.files.prototxt import Message
    from upconv.service.lsp.notebooks import Notebook
    from upconv.service.work.looking import Look

PAUSE: Final = 0.03
"""Seconds without a keystroke before findings are worked out unasked."""

REST: Final = 0.4
"""And before weights that lie beside the file are read."""

_WATCHED: Final = ("**/upconv.toml", "**/pyproject.toml", "**/*baseline*.json", "**/*.caffemodel")


class Session:
    """What is open, and whom to tell of it."""

    def __init__(self, server: LanguageServer) -> None:
        self.server = server
        self.documents: dict[str, Document] = {}
        self.notebooks: dict[str, Notebook] = {}
        self.cells: dict[str, Document] = {}
        self.folders = Folders(self.warn)
        self.looker = Looker(self.folders, self._finished)
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._traces: set[str] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._folder: TemporaryDirectory[str] | None = None

    # What the editor can do.

    @property
    def encoding(self) -> str:
        agreed = self.server.server_capabilities.position_encoding
        return str(getattr(agreed, "value", agreed) or "utf-16")

    def can(self, capability: str) -> bool:
        """Whether the editor has said that it understands something."""
        return bool(get_capability(self.server.client_capabilities, capability))

    def started(self) -> None:
        """Look into the folders that are open, and ask to be told of what changes on disk."""
        self._loop = asyncio.get_running_loop()
        folders = self.server.workspace.folders.values()
        self.folders.tops = [Path(path_of(folder.uri)).resolve() for folder in folders]
        if self.can("workspace.did_change_watched_files.dynamic_registration"):
            watchers = [types.FileSystemWatcher(pattern) for pattern in _WATCHED]
            options = types.DidChangeWatchedFilesRegistrationOptions(watchers)
            one = types.Registration("watch", types.WORKSPACE_DID_CHANGE_WATCHED_FILES, options)
            self.server.client_register_capability(types.RegistrationParams([one]))

    # The texts.

    def document(self, uri: str) -> Document:
        """An open text. Raises JsonRpcInvalidParams where it is not open."""
        found = self.documents.get(uri) or self.cells.get(uri)
        if found is None:
            raise JsonRpcInvalidParams(f"{uri} is not open")
        return found

    def opened(self, uri: str, version: int, text: str, language: str) -> None:
        self.documents[uri] = Document(uri, version, text, self.encoding, language)
        self.later(uri, 0.0)

    def changed(self, uri: str, version: int, changes: Any) -> None:
        document = self.document(uri)
        if version >= document.shot.version:  # an older one cannot follow
            document.change(version, changes)
            self.later(uri, PAUSE)

    def closed(self, uri: str) -> None:
        document = self.documents.pop(uri, None)
        timer = self._timers.pop(uri, None)
        if timer is not None:
            timer.cancel()
        if document is not None:
            document.forget()
            self._push(uri, None, [])

    async def look(self, uri: str) -> tuple[Document, Look]:
        """A text and what is found in it; raises JsonRpcContentModified where it changes.

        The look's context is that of the newest text: whoever awaits anything else before he asks
        it for a place asks for the look again.
        """
        document = self.document(uri)
        shot = document.shot
        found = await self.looker.look(document)
        if document.shot is not shot:
            raise JsonRpcContentModified("the text has changed")
        return document, found

    async def told(self, uri: str) -> tuple[Document, Look]:
        """A text and what is told of it, with what weights have said; raises as `look`."""
        document, found = await self.look(uri)
        return document, self._with_weights(document, found)

    def _with_weights(self, document: Document, look: Look) -> Look:
        if document.deep is None:
            return look
        from upconv.service.work.lasting import with_lasting

        version, deep, said = document.deep
        found: Look = deep if version == document.shot.version else with_lasting(said, look)
        return found

    async def tree(self, document: Document) -> Message | None:
        """The tree of a protobuf text, which needs no check: while that runs, too, words are
        completed and blobs are found. None for a text of another kind."""
        shot = document.shot
        if document.tree is None or document.tree[0] is not shot:
            document.tree = shot, await asyncio.to_thread(tree_of, Source(shot.path, shot.text))
        found: Message | None = document.tree[1]
        return found

    # Notebooks, whose cells are texts, too.

    def notebook_opened(self, book: Notebook) -> None:
        uri = book.whole.shot.uri
        self.notebooks[uri], self.documents[uri] = book, book.whole
        self.later(uri, 0.0)

    def notebook_changed(self, book: Notebook) -> None:
        self.later(book.whole.shot.uri, PAUSE)

    def notebook_closed(self, uri: str) -> None:
        book = self.notebooks.pop(uri)
        self.closed(uri)
        for cell in book.cells:
            self.cell_closed(cell.shot.uri)

    def cell_closed(self, uri: str) -> None:
        self.cells.pop(uri, None)
        self._push_cell(uri, None, [])

    def notebook_of(self, uri: str) -> Notebook | None:
        """The notebook that a cell belongs to."""
        books = self.notebooks.values()
        return next((b for b in books for cell in b.cells if cell.shot.uri == uri), None)

    def report_of(self, path: str) -> Path:
        """Where a report on a file is written: in a folder that goes with the session."""
        if self._folder is None:
            from tempfile import TemporaryDirectory

            self._folder = TemporaryDirectory(prefix="upconv-")
        return Path(self._folder.name).resolve() / f"{Path(path).name}.html"

    # What is told unasked.

    def again(self) -> None:
        """Look at everything again: something beside the texts has changed."""
        for uri, document in self.documents.items():
            document.forget()
            document.deep = None
            self.later(uri, 0.0)
        self._refresh()

    def later(self, uri: str, pause: float) -> None:
        """Work out what is found in a text after a pause, unless it changes before."""
        before = self._timers.pop(uri, None)
        if before is not None:
            before.cancel()
        loop = asyncio.get_running_loop()
        self._timers[uri] = loop.call_later(pause, lambda: self._start(self._tell(uri)))

    def _start(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell(self, uri: str) -> None:
        try:
            document, look = await self.look(uri)
            version = document.shot.version
            self._publish(uri, document, self._with_weights(document, look), version)
            await self._deepen(uri, document, look, version)
        except (JsonRpcContentModified, JsonRpcInvalidParams):
            return  # changed or closed: whoever did it has us called again

    async def _deepen(self, uri: str, document: Document, look: Look, version: int) -> None:
        """What the weights beside a file have to say, once nobody types any more."""
        await asyncio.sleep(REST)
        if document.shot.version != version or self.documents.get(uri) is not document:
            return
        await self.looker.rest()
        if document.shot.version != version or self.documents.get(uri) is not document:
            return
        deep = await self.looker.deeper(document, look)
        if document.shot.version != version or deep is document.deep is None:
            return
        from upconv.service.work.lasting import lasting

        document.deep = (version, deep, lasting(look, deep)) if deep is not None else None
        if self.pulls and uri not in self.notebooks:
            self._refresh()
        else:
            self._publish(uri, document, deep or look, version)

    def _publish(self, uri: str, document: Document, look: Look, version: int) -> None:
        book = self.notebooks.get(uri)
        if book is None:
            self._push(uri, version, diagnostics(look, document.lines))
            return
        found = book.findings(look)
        for cell in book.cells:
            self._push_cell(cell.shot.uri, cell.shot.version, found[cell.shot.uri])

    @property
    def pulls(self) -> bool:
        """Whether the editor asks for findings itself: it is then not told of them as well."""
        return self.can("text_document.diagnostic")

    def _push(self, uri: str, version: int | None, found: list[types.Diagnostic]) -> None:
        if not self.pulls:
            self._push_cell(uri, version, found)

    def _push_cell(self, uri: str, version: int | None, found: list[types.Diagnostic]) -> None:
        """Editors that ask for the findings of texts do not ask for those of cells."""
        told = types.PublishDiagnosticsParams(uri, found, version)
        self.server.text_document_publish_diagnostics(told)

    def _refresh(self) -> None:
        """Ask the editor to ask again."""
        if self.can("workspace.diagnostics.refresh_support"):
            self.server.workspace_diagnostic_refresh(None)
        self.refresh_sizes()

    def refresh_sizes(self) -> None:
        """The same for what is shown between the lines."""
        if self.can("workspace.inlay_hint.refresh_support"):
            self.server.workspace_inlay_hint_refresh(None)
        if self.can("workspace.code_lens.refresh_support"):
            self.server.workspace_code_lens_refresh(None)

    def _finished(self, document: Document, look: Look) -> None:
        """Say in the log which rules failed; each defect once."""
        for trace in look.report.traces:
            if trace not in self._traces:
                self._traces.add(trace)
                self.log(f"upconv failed on {document.shot.path}; please report it:\n{trace}")

    def log(self, words: str, kind: types.MessageType = types.MessageType.Error) -> None:
        self.server.window_log_message(types.LogMessageParams(kind, words))

    def warn(self, words: str) -> None:
        """Tell the user. Called from any thread."""
        told = types.ShowMessageParams(types.MessageType.Warning, words)
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self.server.window_show_message, told)
