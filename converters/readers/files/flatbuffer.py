"""Flatbuffers over a memory map: every offset, table and vector checked before it is read.

The layout (flatbuffers internals): a u32 leads to the root table. A table begins with an i32, how
far back its vtable lies: u16 its own size, u16 the table's, then a u16 for each field, where it
stands in the table, 0 for absent. Vectors and strings are a u32 offset away and begin with a u32
count. Nothing here recurses, and what a schema does not ask for is never touched.
"""

from __future__ import annotations

import struct
from typing import Final, NoReturn

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.readers.files.budgets import FLATBUFFER, Meter

Ints = tuple[int, ...]

_SIZES: Final = {kind: struct.calcsize(f"<{kind}") for kind in "bBhHiIqQf"}


class FlatBuffer:
    """A file, and how many tables and values of it may still be read."""

    __slots__ = ("meter", "path", "view")

    def __init__(self, view: memoryview, path: str) -> None:
        self.view = view
        self.path = path
        self.meter = Meter(FLATBUFFER, self.fail)

    def fail(self, message: str) -> NoReturn:
        raise UnreadableError(f"not a readable flatbuffer: {message}", path=self.path)

    def number(self, kind: str, at: int) -> int:
        """A whole number of `struct`'s kind at a place."""
        self.require(at, _SIZES[kind])
        found: int = struct.unpack_from(f"<{kind}", self.view, at)[0]
        return found

    def require(self, at: int, size: int) -> None:
        """Raise where bytes lie outside of the file."""
        if not 0 <= at <= len(self.view) - size:
            self.fail(f"truncated or corrupt: {size} bytes at byte {at} of {len(self.view)}")

    def root(self) -> Table:
        """The outermost table."""
        return Table(self, self.number("I", 0))

    def behind(self, at: int) -> int:
        """What the offset at a place leads to; always forwards."""
        offset = self.number("I", at)
        if offset < 4:
            self.fail(f"an offset of {offset} at byte {at}")
        return at + offset


class Table:
    """A table. Fields are asked for by their number in the schema, from 0 on."""

    __slots__ = ("_at", "_count", "_size", "_vtable", "buffer")

    def __init__(self, buffer: FlatBuffer, at: int) -> None:
        buffer.meter.spend()
        back = buffer.number("i", at)
        vtable = at - back
        own = buffer.number("H", vtable)
        if own < 4 or own % 2:
            buffer.fail(f"a vtable of {own} bytes at byte {vtable}")
        buffer.require(vtable, own)
        self._size = buffer.number("H", vtable + 2)
        buffer.require(at, self._size)
        self._vtable = vtable  # read field by field: a vtable may be 64 KB, and many tables' own
        self._count = own // 2 - 2
        self.buffer = buffer
        self._at = at

    def _place(self, field: int, size: int) -> int:
        """Where a field of so many bytes stands; 0 where it is absent."""
        if field >= self._count:
            return 0
        offset = self.buffer.number("H", self._vtable + 4 + 2 * field)
        if offset and not 4 <= offset <= self._size - size:
            self.buffer.fail(f"field {field} lies outside of its table at byte {self._at}")
        return self._at + offset if offset else 0

    def has(self, field: int) -> bool:
        return self._place(field, 1) != 0

    def number(self, field: int, kind: str = "i", default: int = 0) -> int:
        """A whole number, the default where it is absent."""
        at = self._place(field, _SIZES[kind])
        return self.buffer.number(kind, at) if at else default

    def real(self, field: int, default: float = 0.0) -> float:
        """A float32."""
        at = self._place(field, 4)
        if not at:
            return default
        self.buffer.require(at, 4)
        found: float = struct.unpack_from("<f", self.buffer.view, at)[0]
        return found

    def table(self, field: int) -> Table | None:
        at = self._place(field, 4)
        return Table(self.buffer, self.buffer.behind(at)) if at else None

    def _vector(self, field: int, size: int) -> tuple[int, int]:
        """(where the first item stands, how many there are) of a vector of items of one size."""
        at = self._place(field, 4)
        if not at:
            return 0, 0
        begin = self.buffer.behind(at)
        count = self.buffer.number("I", begin)
        self.buffer.require(begin + 4, count * size)
        return begin + 4, count

    def tables(self, field: int) -> list[Table]:
        begin, count = self._vector(field, 4)
        self.buffer.meter.spend(count)
        return [Table(self.buffer, self.buffer.behind(begin + 4 * at)) for at in range(count)]

    def numbers(self, field: int, kind: str = "i") -> Ints:
        """A vector of numbers of `struct`'s kind."""
        begin, count = self._vector(field, _SIZES[kind])
        self.buffer.meter.spend(count)
        return struct.unpack_from(f"<{count}{kind}", self.buffer.view, begin)

    def span(self, field: int) -> tuple[int, int]:
        """(begin, end) of a vector of bytes in the file; nothing of it is read."""
        begin, count = self._vector(field, 1)
        return begin, begin + count

    def text(self, field: int) -> str:
        """A string, "" where it is absent."""
        begin, end = self.span(field)
        self.buffer.meter.require_bytes(end - begin, "a text")
        return str(self.buffer.view[begin:end], "utf-8", "replace")
