"""Which lines of the user's program made a line of an archive's code: its `.debug_pkl` files.

A file lists byte offsets in the code, and for each a range of a source text: the function's own
text with its file and first line for scripted code, a list of stack frames for traced code
(torch/csrc/jit/serialization/source_range_serialization.cpp).
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import Any, Final

from upconv.converters.ir.errors import MISFITS, UnreadableError
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
            try:
                self._read(run(memoryview(archive.read(member)), archive.path).value)
            except (UnreadableError, *MISFITS):
                self._records = []
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
            try:
                self._lines[index] = self._line(self._records[index][1])
            except MISFITS:
                self._lines[index] = ""
        return self._lines[index]

    def _read(self, value: Any) -> None:
        if isinstance(value, tuple) and value and value[0] == TABLE_FORMAT:
            _, self._texts, value = value
        found = [(int(entry[0]), entry[1]) for entry in value[:MAX_RECORDS]]
        self._records = sorted(found, key=lambda record: record[0])

    def _line(self, source_range: Any) -> str:
        source, start, _ = source_range
        text, file, first = self._source(source)
        if not file or _FRAME.match(text):
            return _user_frame(text)
        if TORCH_ITSELF.search(file):
            return ""
        return f"{file}:{first + text[:start].count(chr(10))}"

    def _source(self, source: Any) -> tuple[str, str, int]:
        text, file, first = source
        if self._texts:
            text, file = self._joined(text), str(self._texts[file])
        return str(text)[:MAX_TEXT], str(file or ""), int(first or 0)

    def _joined(self, numbers: Any) -> str:
        """The texts of these numbers in one, as far as any is read; the whole file's are bounded
        too, for each may be named very often."""
        parts: list[str] = []
        length = 0
        for index in _integers(numbers):
            self._left -= 1
            if length >= MAX_TEXT or self._left < 0:
                break
            parts.append(str(self._texts[index])[:MAX_TEXT])
            length += len(parts[-1])
        self._left -= length
        return "".join(parts)


def _integers(value: Any) -> Iterator[int]:
    """The numbers of a list, which the pickle wraps in a call."""
    if isinstance(value, Inert):
        value = value.arguments[0]
    return (int(one) for one in value[:MAX_TEXT])


def _user_frame(text: str) -> str:
    """file:line of the innermost frame that is not PyTorch's own, the innermost being first.

    >>> _user_frame("site-packages/torch/nn/modules/conv.py(9): forward\\nnet.py(7): forward\\n")
    'net.py:7'
    """
    for file, line in _FRAME.findall(text):
        if not TORCH_ITSELF.search(file):
            return f"{file}:{line}"
    return ""
