"""Colour for people: only on a terminal, and never where NO_COLOR is set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TextIO

from upconv.converters.ir.records import record

_CODES: Final = {
    "error": "1;31",
    "warning": "1;33",
    "info": "1;36",
    "path": "1",
    "frame": "34",
    "help": "32",
    "dim": "2",
}


@record(frozen=True, slots=True)
class Paint:
    """Wraps words in ANSI colours, or leaves them alone."""

    on: bool = False

    def __call__(self, role: str, words: str) -> str:
        return f"\x1b[{_CODES[role]}m{words}\x1b[0m" if self.on and words else words


PLAIN: Final = Paint()


def wants_colour(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether a stream is to be coloured (no-color.org; FORCE_COLOR turns it on)."""
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR"):
        return True
    return stream.isatty() and environment.get("TERM") != "dumb"
