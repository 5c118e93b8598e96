"""Snappy decompression (github.com/google/snappy, format_description.txt), every length checked."""

from __future__ import annotations

from typing import Final

MAX_RATIO: Final = 64
"""A copy of 64 bytes takes at least three, so a block cannot grow further."""


class SnappyError(ValueError):
    """The data is no Snappy block."""


def decompress(data: bytes) -> bytes:
    r"""The bytes of one block.

    Raises SnappyError where it is broken or would grow beyond what the format can say.

    >>> decompress(b"\x0a\x04ab\x1e\x02\x00")
    b'ababababab'
    """
    length, at = _varint(data)
    if length > MAX_RATIO * len(data):
        raise SnappyError(f"{len(data)} bytes cannot hold {length}")
    out = bytearray()
    while at < len(data):
        tag = data[at]
        if tag & 3:
            size, offset, at = _copy(data, at)
            _repeat(out, size, offset)
        else:
            size, at = _literal(data, at)
            out += data[at : at + size]
            at += size
        if len(out) > length:
            raise SnappyError("more bytes than it says")
    if len(out) != length:
        raise SnappyError(f"{len(out)} bytes instead of {length}")
    return bytes(out)


def _varint(data: bytes) -> tuple[int, int]:
    value = 0
    for index, byte in enumerate(data[:5]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, index + 1
    raise SnappyError("no length")


def _literal(data: bytes, at: int) -> tuple[int, int]:
    """(length, offset) of literal bytes: lengths above 60 stand in the next 1 to 4 bytes."""
    size = data[at] >> 2
    at += 1
    if size >= 60:
        extra = size - 59
        size = int.from_bytes(data[at : at + extra], "little")
        at += extra
    if at + size + 1 > len(data):
        raise SnappyError("literal bytes are cut off")
    return size + 1, at


def _copy(data: bytes, at: int) -> tuple[int, int, int]:
    """(length, distance back, offset of the next element)."""
    tag = data[at]
    extra = (0, 1, 2, 4)[tag & 3]
    if at + 1 + extra > len(data):
        raise SnappyError("a copy is cut off")
    back = int.from_bytes(data[at + 1 : at + 1 + extra], "little")
    if tag & 3 == 1:
        return ((tag >> 2) & 7) + 4, back | (tag >> 5) << 8, at + 2
    return (tag >> 2) + 1, back, at + 1 + extra


def _repeat(out: bytearray, size: int, offset: int) -> None:
    """Append `size` bytes from `offset` back; they may overlap what is being written."""
    if not 0 < offset <= len(out):
        raise SnappyError("a copy from before the beginning")
    piece = out[-offset:] if offset > size else out[-offset:] * (size // offset + 1)
    out += piece[:size]
