"""Global heaps of HDF5 files, which hold the texts of attributes, checked before the library sees
them: an object of size 0 in one keeps libhdf5 busy for ever.

Layout: "III.E. Disk Format: Level 1E - Global Heap" of the HDF5 file format specification.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.readers.files.keras_archive import ByteRange, RangeFile

_SIGNATURE: Final = b"GCOL\x01"
_PIECE: Final = 1 << 22
_MAX_HEAP: Final = 1 << 27
_HEAD: Final = struct.Struct("<8sQ")
_OBJECT: Final = struct.Struct("<HH4xQ")


def require_sound_heaps(place: ByteRange, path: str) -> None:
    """Raise UnreadableError, naming `path`, where a heap's objects do not lead to its end, or where
    heaps lie in one another, which would take for ever to follow."""
    followed = 0
    with RangeFile(place) as file:
        for start in _heaps(file):
            file.seek(start)
            head = file.read(_HEAD.size) or b""
            size = _HEAD.unpack(head)[1] if len(head) == _HEAD.size else 0
            if size > place.length - start:
                continue
            followed += size
            if followed > 2 * place.length or not _is_sound(file, size):
                raise UnreadableError(f"its heap of texts at byte {start} is broken", path=path)


def _heaps(file: RangeFile) -> Iterator[int]:
    """Where heaps begin. What only looks like one is rare, and has no size that fits."""
    at, last = 0, b""
    while True:
        file.seek(at)
        piece = file.read(_PIECE) or b""
        if not piece:
            return
        window, first = last + piece, at - len(last)
        found = window.find(_SIGNATURE)
        while found >= 0:
            yield first + found
            found = window.find(_SIGNATURE, found + 1)
        last = window[-len(_SIGNATURE) + 1 :]
        at += len(piece)


def _is_sound(file: RangeFile, size: int) -> bool:
    """Whether every object is followed by another, or ends the heap, of which the head was read.
    The size of the free space, object 0, counts its header, those of others do not."""
    if size > _MAX_HEAP:
        return False
    file.seek(file.tell() - _HEAD.size)
    heap = file.read(size) or b""
    at = _HEAD.size
    while at + _OBJECT.size <= len(heap):
        index, _, length = _OBJECT.unpack_from(heap, at)
        step = length if index == 0 else _OBJECT.size + -(-length // 8) * 8
        if step < _OBJECT.size or at + step > size:
            return False
        at += step
    return True
