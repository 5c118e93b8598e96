"""Places in a text as editors count them, and as we do: the one home of the conversion.

An editor counts lines from 0, which CRLF, LF and a lone CR end, and within a line units of the
encoding that was agreed on: UTF-16 unless both sides know another. We count code points, as offsets
into the text. Source: the Language Server Protocol, version 3.17, "Position" and "Text Documents".
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING, Final, TypeAlias

from upconv.converters.ir.source import Source, line_starts

if TYPE_CHECKING:
    from upconv.linter.finding import Place

Point: TypeAlias = "tuple[int, int]"
"""A line from 0, and units from its start."""

_BREAK: Final = re.compile(r"\r\n|\n|\r")
_CODECS: Final = {"utf-16": ("utf-16-le", 2), "utf-8": ("utf-8", 1), "utf-32": ("utf-32-le", 4)}


class Lines:
    """The lines of one text. Wrong places are taken as the nearest right ones: a line behind the
    last is the text's end, a unit behind a line's end is its end, and one inside of a character
    its start.

    >>> lines = Lines("a\U0001f600b\\r\\nc")
    >>> lines.offset((0, 3)), lines.offset((0, 2)), lines.offset((0, 99)), lines.offset((9, 0))
    (2, 1, 3, 6)
    >>> lines.point(2), lines.point(5)
    ((0, 3), (1, 0))
    """

    def __init__(self, text: str, encoding: str = "utf-16") -> None:
        self.text = text
        self.encoding = encoding
        breaks = (match.end() for match in _BREAK.finditer(text))
        self._alike = text.count("\r") == text.count("\r\n")
        self.starts = line_starts(text) if self._alike else [0, *breaks]
        self._plain = encoding == "utf-32" or text.isascii()

    def source(self, path: str) -> Source:
        """The text as readers have it, whose lines are these but where a CR stands alone."""
        made = Source(path, self.text)
        if self._alike:
            made.line_starts = self.starts
        return made

    def offset(self, point: Point) -> int:
        """The offset of a place that an editor names."""
        line, units = point
        if line >= len(self.starts):
            return len(self.text)
        start, end = self.starts[line], self._end(line)
        if self._plain:
            return min(start + units, end)
        return start + _characters(self.text[start:end], units, self.encoding)

    def point(self, offset: int) -> Point:
        """The place of an offset; inside of a line's break there is none but the line's end."""
        line = bisect_right(self.starts, offset) - 1
        start, offset = self.starts[line], min(offset, self._end(line))
        return line, offset - start if self._plain else self.units(self.text[start:offset])

    def units(self, text: str) -> int:
        """How long a piece of text is for the editor."""
        codec, size = _CODECS[self.encoding]
        return len(text.encode(codec, "surrogatepass")) // size

    def of_place(self, place: Place, source: Source) -> tuple[Point, Point]:
        """Start and end of a finding's place; `source` has this text."""
        start, end = (
            source.line_starts[line - 1] + column - 1
            for line, column in ((place.line, place.column), (place.end_line, place.end_column))
        )
        return self.point(start), self.point(end)

    def line_end(self, offset: int) -> int:
        """Where the line of an offset ends, before its break."""
        return self._end(bisect_right(self.starts, offset) - 1)

    def _end(self, line: int) -> int:
        if line + 1 == len(self.starts):
            return len(self.text)
        end = self.starts[line + 1]
        return end - (2 if self.text[end - 2 : end] == "\r\n" else 1)


def _characters(line: str, units: int, encoding: str) -> int:
    """How many whole characters are in the first `units` of a line."""
    codec, size = _CODECS[encoding]
    total = 0
    for at, character in enumerate(line):
        total += len(character.encode(codec, "surrogatepass")) // size
        if total > units:
            return at
    return len(line)
