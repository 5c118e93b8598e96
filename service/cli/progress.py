"""Progress on standard error: one line where a person watches, else one in ten seconds."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PATIENCE = 1.0
"""Seconds before the line appears."""

INTERVAL = 10.0
"""Seconds between lines where nobody watches: a log is to show that work goes on."""

VARIABLE = "UPCONV_PROGRESS"
"""Set to 0, it leaves these lines out."""

WIDTH = 24
"""Characters of a bar."""


@contextmanager
def progress_line(verbose: bool = False) -> Iterator[Callable[[str], None]]:
    """A function that shows what is being done: on one line that it writes again and again, on a
    line in ten seconds where standard error is no terminal; where `verbose`, each on a line of its
    own."""
    if verbose:
        yield _say
        return
    started = shown = time.monotonic()
    watched = sys.stderr.isatty()
    logged = not watched and os.environ.get(VARIABLE) != "0"

    def show(message: str) -> None:
        nonlocal shown
        if logged and time.monotonic() - shown >= INTERVAL:
            shown = time.monotonic()
            _say(message)
        if watched and time.monotonic() - started >= PATIENCE:
            sys.stderr.write(f"\r\x1b[K{message}")
            sys.stderr.flush()

    try:
        yield show
    finally:
        show("")


def _say(message: str) -> None:
    if message:
        sys.stderr.write(f"{message}\n")
        sys.stderr.flush()


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A function that shows how many are done, of how many, and the time that is left."""
    started = time.monotonic()
    with progress_line() as show:

        def tell(done: int, total: int) -> None:
            left = _left(time.monotonic() - started, done, total)
            show(f"{what} {_bar(done, total)} {done}/{total}{left}")

        yield tell


def clear() -> None:
    """Take the line away for what is printed beside it; the next step writes it again."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


def _left(seconds: float, done: int, total: int) -> str:
    """The time that is left, where each takes as long as those that are done.

    >>> _left(10, 20, 50), _left(600, 1, 4), _left(9000, 1, 2), _left(1, 0, 50), _left(9, 3, 3)
    (', 15 s left', ', 30 min left', ', 2 h 30 min left', '', '')
    """
    if not 0 < done < total:
        return ""
    left = round(seconds * (total - done) / done)
    if left < 100:
        return f", {left} s left"
    hours, minutes = divmod(round(left / 60), 60)
    return f", {hours} h {minutes} min left" if hours else f", {minutes} min left"


def _bar(done: int, total: int) -> str:
    """How much is done, as a picture.

    >>> _bar(1, 2)
    '[############            ]'
    """
    full = WIDTH * done // max(total, 1)
    return f"[{'#' * full}{' ' * (WIDTH - full)}]"
