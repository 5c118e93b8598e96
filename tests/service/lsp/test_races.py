"""Edits that come while a text is looked at: whoever asked hears that it has changed, or gets what
was true of the text that he asked about; never places of one text with the words of another.

Latches say what happens first, so that nothing here depends on how fast anything is.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcContentModified
from pygls.lsp.server import LanguageServer

from tests.support import ROOT
from upconv.converters.ir.origin import Source
from upconv.linter.running.engine import CheckOptions, check_source
from upconv.service.lsp import actions, sizes
from upconv.service.lsp.documents import Document
from upconv.service.lsp.session import Session

TEXT = (ROOT / "fixtures" / "rules" / "UP201" / "bad.prototxt").read_text(encoding="utf-8")
MORE = "# a line more\n# and another\n"
EVERYWHERE = types.Range(types.Position(0, 0), types.Position(99, 0))


class Latch:
    """Holds the thread of looks where it comes by, until it is let go."""

    def __init__(self) -> None:
        self.reached, self.gone = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self.reached.set()
        assert self.gone.wait(60)

    async def is_reached(self) -> None:
        assert await asyncio.to_thread(self.reached.wait, 60)


def with_net(folder: Path, work: Callable[[Session, str], Awaitable[None]]) -> None:
    """Do something with a session that has a net open and was never connected to an editor."""

    async def run() -> None:
        session = Session(LanguageServer("test", "1"))
        session._loop = asyncio.get_running_loop()
        uri = (folder / "net.prototxt").as_uri()
        session.documents[uri] = Document(uri, 1, TEXT)
        try:
            await work(session, uri)
        finally:
            session.looker.close()

    asyncio.run(run())


def grow(session: Session, uri: str) -> None:
    """Put lines in front of the text."""
    document = session.document(uri)
    text = types.TextDocumentContentChangeWholeDocument(MORE + document.shot.text)
    document.change(document.shot.version + 1, [text])


def fresh(session: Session, uri: str) -> list[Any]:
    """What a check says of the text that has never seen another."""
    shot = session.document(uri).shot
    options = CheckOptions(root=Path(shot.path).parent)
    return list(check_source(Source(shot.path, shot.text), options, named=False).findings)


def test_an_edit_while_a_text_is_looked_at(tmp_path: Path) -> None:
    async def work(session: Session, uri: str) -> None:
        latch, of = Latch(), session.folders.of

        def held(path: str) -> Any:
            if not latch.gone.is_set():
                latch()
            return of(path)

        session.folders.of = held  # type: ignore[method-assign]
        first = asyncio.create_task(session.look(uri))
        await latch.is_reached()
        grow(session, uri)
        second = asyncio.create_task(session.look(uri))
        latch.gone.set()
        with pytest.raises(JsonRpcContentModified):
            await first
        document, look = await second
        assert look.source.text == document.shot.text == MORE + TEXT
        assert list(look.findings) == fresh(session, uri)

    with_net(tmp_path.resolve(), work)


def test_an_edit_between_a_look_and_who_waits_for_it(tmp_path: Path) -> None:
    async def work(session: Session, uri: str) -> None:
        latch = Latch()
        busy = asyncio.create_task(session.looker.ask(latch))
        await latch.is_reached()
        asked = asyncio.create_task(session.look(uri))
        await asyncio.sleep(0)
        task = session.document(uri).task
        assert task is not None
        task.add_done_callback(lambda _: grow(session, uri))
        latch.gone.set()
        await busy
        with pytest.raises(JsonRpcContentModified):
            await asked
        assert not task.cancelled(), "the look was finished"
        document, look = await session.look(uri)
        assert (document.shot.version, look.source.text) == (2, MORE + TEXT)
        assert list(look.findings) == fresh(session, uri)

    with_net(tmp_path.resolve(), work)


def test_hints_are_those_of_the_text_they_were_asked_of(tmp_path: Path) -> None:
    """A look's layers move with their text, and so they do once the hints are made."""

    async def work(session: Session, uri: str) -> None:
        params = types.InlayHintParams(types.TextDocumentIdentifier(uri), EVERYWHERE)
        before = await sizes.hints(session, params)
        assert before
        latch = Latch()
        busy = asyncio.create_task(session.looker.ask(latch))
        await latch.is_reached()
        asked = asyncio.create_task(sizes.hints(session, params))
        await asyncio.sleep(0)  # it has its look, and waits for the thread
        grow(session, uri)
        later = asyncio.create_task(sizes.hints(session, params))
        latch.gone.set()
        await busy
        assert [one.position for one in await asked] == [one.position for one in before]
        moved = [(one.position.line - 2, one.label) for one in await later]
        assert moved == [(one.position.line, one.label) for one in before]

    with_net(tmp_path.resolve(), work)


def test_a_fix_of_a_text_that_has_changed_is_not_given(tmp_path: Path) -> None:
    async def work(session: Session, uri: str) -> None:
        context = types.CodeActionContext([], None)
        params = types.CodeActionParams(types.TextDocumentIdentifier(uri), EVERYWHERE, context)
        session.can = lambda capability: True  # type: ignore[method-assign]
        offered = await actions.offered(session, params)
        fix = next(one for one in offered if one.title.startswith("UP201:"))
        latch = Latch()
        busy = asyncio.create_task(session.looker.ask(latch))
        await latch.is_reached()
        chosen = asyncio.create_task(actions.resolved(session, fix))
        await asyncio.sleep(0)
        grow(session, uri)
        latch.gone.set()
        await busy
        with pytest.raises(JsonRpcContentModified):
            await chosen
        assert fix.edit is None

    with_net(tmp_path.resolve(), work)
