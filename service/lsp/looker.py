"""Looks at texts in a thread of their own, one at a time, each given up once its text has changed.

Whoever asks about a text waits for the look at its present version, which is made once for all who
ask. The thread of messages never computes and never reads a file.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TYPE_CHECKING, Final, TypeVar

from pygls.exceptions import JsonRpcContentModified

if TYPE_CHECKING:
    from upconv.converters.ir.origin import Source
    from upconv.service.lsp.configured import Folders
    from upconv.service.lsp.documents import Document, Snapshot
    from upconv.service.work.looking import Look

T = TypeVar("T")

LOOKS: Final = 20
"""Looks after which the collector runs, at a rest."""


class Stale(BaseException):
    """The text has changed. No Exception: a check takes those for crashes of a rule."""


class Looker:
    """The thread, and what it is asked for. `told` hears of each look that was finished."""

    def __init__(self, folders: Folders, told: Callable[[Document, Look], None]) -> None:
        self._folders = folders
        self._told = told
        self._looks = LOOKS
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="looks")

    async def look(self, document: Document) -> Look:
        """What is found in a text as it is now.

        Raises JsonRpcContentModified where it changes before that is known.
        """
        if document.task is None:
            document.task = asyncio.ensure_future(self._look(document))
        task = document.task
        try:
            found: Look = await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise JsonRpcContentModified("the text has changed") from None
            raise
        return found

    async def deeper(self, document: Document, look: Look) -> Look | None:
        """The same look with the weights that lie beside the file; None where none do."""
        shot = document.shot
        return await self._in_thread(lambda alive: _deeper(look, shot, alive))

    async def ask(self, question: Callable[[], T]) -> T:
        """An answer that takes a while to compute."""
        return await self._in_thread(lambda alive: question())

    async def rest(self) -> None:
        """Free what looks have left, now and then, while nobody types. The collector then passes
        over what stays: a text's pieces, which are many, would be gone through with every look."""
        if self._looks >= LOOKS:
            self._looks = 0
            await self.ask(_collect)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _look(self, document: Document) -> Look:
        source = document.lines.source(document.shot.path)
        self._looks += 1
        found = await self._in_thread(lambda alive: _look(document, source, self._folders, alive))
        self._told(document, found)
        return found

    async def _in_thread(self, work: Callable[[Callable[[], None]], T]) -> T:
        gone = Event()

        def alive() -> None:
            if gone.is_set():
                raise Stale

        def run() -> T | None:
            try:
                alive()
                return work(alive)
            except Stale:
                return None  # nobody waits for it any more

        try:
            found = await asyncio.get_running_loop().run_in_executor(self._pool, run)
        except asyncio.CancelledError:
            gone.set()
            raise
        return found  # type: ignore[return-value]  # None only where it was cancelled above


def _collect() -> None:
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def _look(document: Document, source: Source, folders: Folders, alive: Callable[[], None]) -> Look:
    from pathlib import Path

    from upconv.service.work.looking import look

    held = folders.of(source.path)
    options = held.settings.options_of(Path(source.path))
    return look(source, options, held.known, alive, document.pieces)


def _deeper(look: Look, shot: Snapshot, alive: Callable[[], None]) -> Look | None:
    from upconv.service.work.looking import weights_beside, with_weights

    weights = weights_beside(shot.path)
    return with_weights(look, weights, alive) if weights else None
