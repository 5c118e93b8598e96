"""Which lines of the user's program made a line of an archive's code: its `.debug_pkl` files.

A file lists byte offsets in the code, and for each a range of a source text: the function's own
text with its file and first line for scripted code, a list of stack frames for traced code
(torch/csrc/jit/serialization/source_range_serialization.cpp).
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.readers.files.torch_archive import Archive
from upconv.converters.readers.torch.aten.calls import TORCH_ITSELF
from upconv.converters.readers.torch.state.pickles import Inert, run

TABLE_FORMAT: Final = "FORMAT_WITH_STRING_TABLE"
MAX_RECORDS: Final = 1_000_000
MAX_TEXT: Final = 1 << 18
MAX_PARTS: Final = 64
MAX_WORK: Final = 1 << 28
"""Characters that are put together for one file of code."""

_FRAME: Final = re.compile(r"^(.+)\((\d+)\): ", re.MULTILINE)


class DebugLines:
    """The user's lines behind one code file; an absent or malformed debug file has none."""

    def __init__(self, archive: Archive, member: str) -> None:
        self._texts: Sequence[Any] = ()
        self._left = MAX_WORK
        self._records: list[tuple[int, Any]] = []
        if member in archive:
            with suppress(UnreadableError):
                self._read(run(memoryview(archive.read(member)), archive.path).value)
        self._offsets = [offset for offset, _ in self._records]
        self._lines: dict[int, str] = {}

    def between(self, start: int, end: int) -> str:
        """file:line of the user's own code that a piece of the code comes from; "" where none is
        known. Not every part of a piece says it: the first that does counts."""
        first = max(bisect_right(self._offsets, start) - 1, 0)
        last = min(bisect_left(self._offsets, end), first + MAX_PARTS)
        lines = (self._line_of(index) for index in range(first, last))
        return next((line for line in lines if line), "")

    def _line_of(self, index: int) -> str:
        if index not in self._lines:
            self._lines[index] = self._line(self._records[index][1])
        return self._lines[index]

    def _read(self, value: Any) -> None:
        match value:
            case (head, list() | tuple() as texts, records) if head == TABLE_FORMAT:
                self._texts, value = texts, records
        entries = value[:MAX_RECORDS] if isinstance(value, list | tuple) else ()
        found = [_record(entry) for entry in entries]
        self._records = sorted(filter(None, found), key=lambda record: record[0])

    def _line(self, source_range: Any) -> str:
        match source_range:
            case ((text, file, first), int() as start, _):
                return self._place(self._text(text), self._name(file), first, start)
        return ""

    def _place(self, text: str, file: str, first: Any, start: int) -> str:
        """A line of a function's own text, or the innermost frame of a stack of them."""
        if not file or _FRAME.match(text):
            return _user_frame(text)
        if TORCH_ITSELF.search(file):
            return ""
        line = first if isinstance(first, int) else 0
        return f"{file}:{line + text[:start].count(chr(10))}"

    def _text(self, written: Any) -> str:
        """A text, or with a table of texts the numbers of those that make it."""
        if self._texts:
            return self._joined(written)
        return written[:MAX_TEXT] if isinstance(written, str) else ""

    def _name(self, written: Any) -> str:
        if self._texts:
            return self._entry(written)
        return written if isinstance(written, str) else ""

    def _entry(self, number: Any) -> str:
        known = isinstance(number, int) and 0 <= number < len(self._texts)
        text = self._texts[number] if known else ""
        return text[:MAX_TEXT] if isinstance(text, str) else ""

    def _joined(self, numbers: Any) -> str:
        """The texts of these numbers in one, as far as any is read; the whole file's are bounded
        too, for each may be named very often."""
        parts: list[str] = []
        length = 0
        for number in _listed(numbers):
            self._left -= 1
            if length >= MAX_TEXT or self._left < 0:
                break
            parts.append(self._entry(number))
            length += len(parts[-1])
        self._left -= length
        return "".join(parts)


def _record(entry: Any) -> tuple[int, Any] | None:
    """(offset in the code, source range); None for what is none."""
    match entry:
        case (int() as offset, source_range, *_):
            return offset, source_range
    return None


def _listed(value: Any) -> Sequence[Any]:
    """The elements of a list, which the pickle wraps in a call."""
    if isinstance(value, Inert) and isinstance(value.arguments, tuple) and value.arguments:
        value = value.arguments[0]
    return value[:MAX_TEXT] if isinstance(value, list | tuple) else ()


def _user_frame(text: str) -> str:
    """file:line of the innermost frame that is not PyTorch's own, the innermost being first.

    >>> _user_frame("site-packages/torch/nn/modules/conv.py(9): forward\\nnet.py(7): forward\\n")
    'net.py:7'
    """
    for file, line in _FRAME.findall(text):
        if not TORCH_ITSELF.search(file):
            return f"{file}:{line}"
    return ""
