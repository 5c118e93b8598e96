"""Texts as they were read, and places in them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from upconv.converters.ir.records import record

if TYPE_CHECKING:
    from upconv.converters.ir.pieces import Pieces


def _no_landmark(offset: int) -> str:
    return ""


class Source:
    """A text file as read: its path, its text, and a lazily built table of line starts.

    Lines and columns count from 1, columns in code points. `text` keeps its line ends, so that
    an offset into it is an offset a fix can edit. `landmark` says what people call an offset's
    place where they do not count lines of the file (`cell 3, line 2` of a notebook), "" elsewhere.

    A text that is read again after each edit brings `pieces`, which are read once (`pieces.py`). A
    piece is a source, too: it stands in the `whole` at offset `at`, and `kept` holds what follows
    from it alone.
    """

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self.landmark: Callable[[int], str] = _no_landmark
        self.pieces: Pieces | None = None
        self.at = 0
        self.kept: dict[Any, Any] | None = None

    @property
    def whole(self) -> Source:
        """The text that offsets count in."""
        return self if self.kept is None or self.pieces is None else self.pieces.whole

    def piece(self, words: str) -> Source:
        """A piece of this text."""
        made = Source(self.path, words)
        made.pieces, made.kept = self.pieces, {}
        return made

    @cached_property
    def line_starts(self) -> list[int]:
        """Offset of the first character of every line; CRLF and LF both end a line."""
        starts = [0]
        find = self.text.find
        at = find("\n")
        while at >= 0:
            starts.append(at + 1)
            at = find("\n", at + 1)
        return starts

    def position(self, offset: int) -> tuple[int, int]:
        """(line, column) of an offset.

        >>> Source("a", "one\\ntwo").position(5)
        (2, 2)
        """
        line = bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of one line, without its line end."""
        start, end = self.line_bounds(number)
        return self.text[start:end]

    def line_bounds(self, number: int) -> tuple[int, int]:
        """(start, end) of one line, its line end left out: a line may be the whole file."""
        start = self.line_starts[number - 1]
        end = self.line_starts[number] if number < len(self.line_starts) else len(self.text)
        while end > start and self.text[end - 1] in "\r\n":
            end -= 1
        return start, end

    def __repr__(self) -> str:
        return f"Source({self.path!r}, {len(self.text)} characters)"


@record(frozen=True, slots=True)
class Span:
    """The characters start..end (end excluded) of a source."""

    source: Source
    start: int
    end: int

    @property
    def span(self) -> Span:
        return self

    @property
    def path(self) -> str:
        return self.source.path

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]

    @property
    def line(self) -> int:
        return self.source.position(self.start)[0]

    @property
    def column(self) -> int:
        return self.source.position(self.start)[1]

    @property
    def end_position(self) -> tuple[int, int]:
        return self.source.position(self.end)
