"""Sorted string tables: the index files of checkpoints (tsl/lib/io/format.cc, block.cc)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NoReturn

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.readers.files.crc32c import crc32c, unmasked
from upconv.converters.readers.files.snappy import SnappyError, decompress

MAGIC: Final = 0xDB4775248B80FB57
FOOTER: Final = 48
_TRAILER: Final = 5
_PLAIN, _SNAPPY = 0, 1
MAX_ENTRIES: Final = 1_000_000


def is_table(tail: bytes) -> bool:
    """Whether a file that ends in these bytes is a sorted string table."""
    return len(tail) >= 8 and struct.unpack("<Q", tail[-8:])[0] == MAGIC


class Table:
    """A table in memory. Raises UnreadableError, naming the file, for whatever is wrong."""

    def __init__(self, data: memoryview, path: str) -> None:
        self._data = data
        self._path = path
        if len(data) < FOOTER or not is_table(bytes(data[-8:])):
            self._fail("no index of a checkpoint, or truncated", len(data))

    def entries(self) -> Iterator[tuple[bytes, bytes]]:
        """Every key and value, in the order of the keys."""
        footer = bytes(self._data[-FOOTER:])
        _, at = self._handle(footer, 0)
        index, _ = self._handle(footer, at)
        count = 0
        for _, handle in self._block(*index):
            for entry in self._block(*self._handle(handle, 0)[0]):
                count += 1
                if count > MAX_ENTRIES:
                    self._fail("more entries than any real checkpoint has", 0)
                yield entry

    def _handle(self, data: bytes, at: int) -> tuple[tuple[int, int], int]:
        """((offset, size), the place after it) of a block handle."""
        offset, at = self._varint(data, at)
        size, at = self._varint(data, at)
        return (offset, size), at

    def _varint(self, data: bytes, at: int) -> tuple[int, int]:
        value = 0
        for shift in range(0, 70, 7):
            if at >= len(data):
                break
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, at
        self._fail("corrupt: a number is cut off", at)

    def _block(self, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
        """The entries of the block at `offset`, its checksum and compression undone."""
        end = offset + size
        if end + _TRAILER > len(self._data) - FOOTER:
            self._fail(f"truncated: a block of {size} bytes reaches past the end", offset)
        content = bytes(self._data[offset : end + 1])
        (stored,) = struct.unpack("<I", self._data[end + 1 : end + _TRAILER])
        if crc32c(content) != unmasked(stored):
            self._fail("corrupt: the checksum of a block does not fit", offset)
        yield from self._entries(self._plain(content[:-1], content[-1], offset), offset)

    def _plain(self, content: bytes, compression: int, offset: int) -> bytes:
        if compression == _PLAIN:
            return content
        if compression != _SNAPPY:
            self._fail(f"a block with the unknown compression {compression}", offset)
        try:
            return decompress(content)
        except SnappyError as error:
            self._fail(f"corrupt: {error}", offset)

    def _entries(self, block: bytes, offset: int) -> Iterator[tuple[bytes, bytes]]:
        """Keys share their beginning with the one before; the restart points at the end, which
        allow a search, are not needed."""
        if len(block) < 4:
            self._fail("corrupt: a block without its restart points", offset)
        end = len(block) - 4 - 4 * int.from_bytes(block[-4:], "little")
        at, key = 0, b""
        while at < end:
            shared, at = self._varint(block, at)
            own, at = self._varint(block, at)
            length, at = self._varint(block, at)
            if shared > len(key) or at + own + length > end:
                self._fail("corrupt: an entry reaches past its block", offset)
            key = key[:shared] + block[at : at + own]
            at += own
            yield key, block[at : at + length]
            at += length

    def _fail(self, message: str, offset: int) -> NoReturn:
        raise UnreadableError(f"{message} (byte {offset})", path=self._path)
