"""Heaps: local ones with the names of old groups (III.D), global ones with texts (III.E), and
fractal ones with the links and attributes of large new groups (III.G)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from upconv.converters.ir.records import record
from upconv.converters.readers.files.hdf5.btree2 import records
from upconv.converters.readers.files.hdf5.store import Store

_LONGEST_NAME: Final = 1 << 16
_MANAGED, _HUGE, _TINY = 0, 1, 2
_MOST_LEVELS: Final = 16


@record(frozen=True, slots=True)
class LocalHeap:
    """The names of an old group, by their offsets."""

    store: Store
    begin: int
    size: int

    def text(self, offset: int) -> str:
        """The text at an offset, up to its NUL."""
        if not 0 <= offset < self.size:
            self.store.fail("a name outside of its heap", self.begin)
        most = min(self.size - offset, _LONGEST_NAME)
        data = bytes(self.store.piece(self.begin + offset, most))
        end = data.find(b"\0")
        if end < 0:
            self.store.fail("a name without an end", self.begin + offset)
        return data[:end].decode("utf-8", "replace")


def local_heap(store: Store, at: int) -> LocalHeap:
    """The heap whose header is at an address."""
    at = store.expect(at, b"HEAP")
    store.version(at, 0)
    size = store.length(at + 4)
    begin = store.address(at + 4 + 2 * store.length_size)
    if begin is None:
        store.fail("a heap without its data", at)
    store.piece(begin, size)
    return LocalHeap(store, begin, size)


def global_heap(store: Store, at: int) -> Mapping[int, tuple[int, int]]:
    """Number of an object -> (offset, size) of its bytes, of the collection at an address."""
    begin = at
    at = store.expect(at, b"GCOL")
    store.version(at, 1)
    size = store.length(at + 4)
    store.piece(begin, size)
    end, at = begin + size, at + 4 + store.length_size
    head = 8 + store.length_size
    found = {}
    while at + head <= end:
        store.meter.spend()
        number, length = store.number(at, 2), store.length(at + 8)
        if number == 0:  # the free space at the end
            break
        if length > end - at - head:
            store.fail("an object of a heap of texts reaches past its end", at)
        found[number] = (at + head, length)
        at += head + -(-length // 8) * 8
    return found


class FractalHeap:
    """Objects by their identifiers. The blocks of row 0 and 1 have the starting size, those of
    each later row twice the size of the row before."""

    def __init__(self, store: Store, at: int) -> None:
        wide, far = store.length_size, store.address_size
        at = store.expect(at, b"FRHP")
        store.version(at, 0)
        self.store = store
        self._id_size = store.number(at + 1, 2)
        if store.number(at + 3, 2):
            store.fail("a heap whose blocks are filtered, which is not read", at)
        most_managed = store.number(at + 6, 4)
        self._huge_tree = store.address(at + 10 + wide)
        at += 10 + wide + far + wide + far + 8 * wide
        self._width = store.number(at, 2)
        self._start = store.length(at + 2)
        self._largest = store.length(at + 2 + wide)
        self._offset_size = -(-store.number(at + 2 + 2 * wide, 2) // 8)
        self._root = store.address(at + 6 + 2 * wide)
        self._rows = store.number(at + 6 + 2 * wide + far, 2)
        if not (self._width and _is_power(self._start) and _is_power(self._largest)):
            store.fail("a heap of impossible blocks", at)
        length_size = -(-(self._largest.bit_length() - 1) // 8)
        self._length_size = min(length_size, -(-most_managed.bit_length() // 8))

    def object(self, identifier: bytes) -> tuple[int, int]:
        """(offset, size) of an object's bytes in the file."""
        kind = identifier[0] >> 4 & 3
        if kind == _MANAGED:
            offset = int.from_bytes(identifier[1 : 1 + self._offset_size], "little")
            rest = identifier[1 + self._offset_size :][: self._length_size]
            return self._managed(offset), int.from_bytes(rest, "little")
        if kind == _HUGE:
            return self._huge(identifier[1:])
        self.store.fail("an object of a heap of a kind that is not read", 0)

    def _managed(self, offset: int) -> int:
        """Where in the file an offset of the heap is."""
        block, rows = self._root, self._rows
        for _ in range(_MOST_LEVELS):
            self.store.meter.spend()
            if block is None:
                break
            if not rows:
                return block + offset
            row, column, inner = self._place(offset)
            if row >= rows:
                break
            offset = inner
            block = self._child(block, row, column)
            size = self._size(row)
            rows = 0 if size <= self._largest else self._rows_of(size)
        self.store.fail("an object of a heap lies in no block", self._root or 0)

    def _size(self, row: int) -> int:
        return self._start << max(row - 1, 0)

    def _place(self, offset: int) -> tuple[int, int, int]:
        """(row, column, offset in the block) of an offset in a table of blocks."""
        first = self._start * self._width
        row = max((offset // first).bit_length(), 0)
        begin = first << (row - 1) if row else 0
        size = self._size(row)
        return row, (offset - begin) // size, (offset - begin) % size

    def _rows_of(self, size: int) -> int:
        """The rows of a table whose blocks take `size` in all."""
        return size.bit_length() - (self._start * self._width).bit_length() + 1

    def _child(self, table: int, row: int, column: int) -> int | None:
        at = self.store.expect(table, b"FHIB") + 1 + self.store.address_size + self._offset_size
        return self.store.address(at + (row * self._width + column) * self.store.address_size)

    def _huge(self, identifier: bytes) -> tuple[int, int]:
        """An object of its own: named at once, or by a number in a tree of type 1 (III.A.2)."""
        store = self.store
        far, wide = store.address_size, store.length_size
        if len(identifier) >= far + wide:
            return int.from_bytes(identifier[:far], "little"), int.from_bytes(
                identifier[far : far + wide], "little"
            )
        wanted = int.from_bytes(identifier, "little")
        for at in records(store, self._huge_tree, 1, far + 2 * wide):
            if store.number(at + far + wide, wide) == wanted:
                return store.number(at, far), store.number(at + far, wide)
        store.fail("a large object of a heap is nowhere", self._huge_tree or 0)


def _is_power(size: int) -> bool:
    return size > 0 and not size & (size - 1)
