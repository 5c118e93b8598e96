"""CRC-32C (Castagnoli, RFC 3720) of large buffers, many lanes at a time.

The buffer is cut into lanes of equal length, whose checksums advance together, four bytes a step;
joining them multiplies by powers of x modulo the polynomial (as zlib's crc32_combine does).
"""

from __future__ import annotations

from functools import cache
from math import isqrt
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from numpy.typing import NDArray

_POLYNOMIAL: Final = 0x82F63B78
_MOST_LANES: Final = 1 << 13
_SMALL: Final = 1 << 12
"""Below this many bytes plain Python is faster."""


@cache
def _bytes_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return tuple(table)


@cache
def _halves() -> tuple[NDArray[Any], NDArray[Any]]:
    """What 32 zero bits make of each lower and each upper half of a checksum."""
    import numpy as np

    table = np.array(_bytes_table(), np.uint32)
    both = []
    for shift in (0, 16):
        crc = np.arange(1 << 16, dtype=np.uint32) << np.uint32(shift)
        for _ in range(4):
            crc = table[crc & 0xFF] ^ (crc >> np.uint32(8))
        both.append(crc)
    return both[0], both[1]


def crc32c(data: memoryview | bytes) -> int:
    """The checksum of a buffer.

    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    view = memoryview(data)
    crc = 0xFFFFFFFF
    if len(view) >= _SMALL:
        lanes = min(isqrt(len(view) // 4), _MOST_LANES)
        body = len(view) // (4 * lanes) * 4 * lanes
        crc = _lanes(view[:body], lanes, crc)
        view = view[body:]
    return _plain(view, crc) ^ 0xFFFFFFFF


def _plain(data: memoryview, crc: int) -> int:
    table = _bytes_table()
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc


def _lanes(data: memoryview, lanes: int, crc: int) -> int:
    """The checksum of a buffer cut into lanes of whole words, begun with `crc`."""
    import numpy as np

    words = np.frombuffer(data, "<u4").reshape(lanes, -1)
    low, high = _halves()
    state = np.zeros(lanes, np.uint32)
    state[0] = crc
    for step in range(words.shape[1]):
        state ^= words[:, step]
        state = low[state & 0xFFFF] ^ high[state >> np.uint32(16)]
    advance = _power(32 * words.shape[1])
    total = 0
    for lane in state.tolist():
        total = _times(advance, total) ^ lane
    return total


def _times(a: int, b: int) -> int:
    """a * b modulo the polynomial, bits reflected."""
    product = 0
    mask = 1 << 31
    while mask:
        if a & mask:
            product ^= b
        mask >>= 1
        b = b >> 1 ^ (_POLYNOMIAL if b & 1 else 0)
    return product


def _power(bits: int) -> int:
    """x ** bits modulo the polynomial."""
    result, square = 1 << 31, 1 << 30
    while bits:
        if bits & 1:
            result = _times(square, result)
        square = _times(square, square)
        bits >>= 1
    return result


def unmasked(stored: int) -> int:
    """The checksum that TensorFlow stores rotated and shifted (tsl/lib/hash/crc32c.h)."""
    rotated = (stored - 0xA282EAD8) & 0xFFFFFFFF
    return (rotated >> 17 | rotated << 15) & 0xFFFFFFFF
