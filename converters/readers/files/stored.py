"""Tensors that are stored in a file: where their values lie, and views of them."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import field
from math import prod
from typing import TYPE_CHECKING, Any, Final

from upconv.converters.ir.records import record
from upconv.converters.readers.files.wire import Wire

if TYPE_CHECKING:
    from upconv.converters.ir.tensors import FloatArray

LETTERS: Final = {
    "u1": "B",
    "i1": "b",
    "<i2": "h",
    "<i4": "i",
    "<i8": "q",
    "<f2": "e",
    "<f4": "f",
    "<f8": "d",
    "?": "?",
    "bfloat16": "f",
}
"""Element types by NumPy's names for them as stored, and `struct`'s letters. NumPy has no bfloat16,
and `struct` reads one behind two zero bytes."""

ITEM_SIZES: Final = {"?": 1, "bfloat16": 2} | {
    stored: int(stored[-1]) for stored in LETTERS if stored not in ("?", "bfloat16")
}
"""Bytes of an element, by NumPy's name."""

MAX_AXES: Final = 32
MAX_EXPANDED: Final = 1 << 28


@record(frozen=True, slots=True)
class StoredTensor:
    """A tensor in a file: where its values lie, and nothing read before it is asked for.

    `begin` is the byte of element 0 of the storage after storage_offset, `strides` count elements.
    """

    shape: tuple[int, ...]
    dtype: str
    strides: tuple[int, ...]
    begin: int
    _wire: Wire = field(repr=False, compare=False)

    @property
    def is_plain(self) -> bool:
        """Whether the bytes in the file are the float32 bytes in order."""
        return self.dtype == "<f4" and self.strides == contiguous(self.shape)

    def raw(self) -> Any:
        """The values as stored, in `shape`; bfloat16 widened to float32."""
        import numpy as np

        dtype = "<u2" if self.dtype == "bfloat16" else self.dtype
        size = ITEM_SIZES[self.dtype]
        steps = tuple(step * size for step in self.strides)
        values = np.ndarray(self.shape, dtype, self._wire.view, self.begin, steps)
        return widened(values) if self.dtype == "bfloat16" else values

    def number(self) -> int | float:
        """The only value of a tensor without axes, as Python has it."""
        size = ITEM_SIZES[self.dtype]
        data = bytes(self._wire.view[self.begin : self.begin + size])
        if self.dtype == "bfloat16":
            data = b"\0\0" + data
        value: int | float = struct.unpack(f"<{LETTERS[self.dtype]}", data)[0]
        return value

    def array(self) -> FloatArray:
        """The values as float32; a read-only view where they are stored so."""
        import numpy as np

        result: FloatArray = np.asarray(self.raw(), np.float32)
        return result

    def release(self) -> None:
        """Let the system take back the memory of the values; they can be read again."""
        self._wire.release(*_span(self))

    def chunks(self, size: int = 1 << 20) -> Iterator[memoryview | bytes]:
        """The float32 bytes in order, at most `size` at a time; see `tensors.TensorData`."""
        if not self.is_plain:
            yield from float32_chunks(self.array(), size)
            return
        yield from self._wire.streamed(self.begin, self.begin + 4 * prod(self.shape), size)


def _span(tensor: StoredTensor) -> tuple[int, int]:
    """The bytes of the file that a tensor's values lie in."""
    last = sum((n - 1) * step for n, step in zip(tensor.shape, tensor.strides, strict=True))
    return tensor.begin, tensor.begin + (last + 1) * ITEM_SIZES[tensor.dtype]


def widened(bits: Any) -> Any:
    """The float32 numbers of which bfloat16 has the upper halves, given as whole numbers."""
    import numpy as np

    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)


def as_float32(values: Any) -> FloatArray:
    """Values of any type as float32, what is beyond its range as infinite."""
    import numpy as np

    with np.errstate(over="ignore"):
        return np.asarray(values, np.float32)


def float32_chunks(values: FloatArray, size: int) -> Iterator[memoryview]:
    """The little-endian float32 bytes in order, at most `size` at a time."""
    import numpy as np

    flat = np.ascontiguousarray(values, "<f4").reshape(-1)
    step = max(size // 4, 1)
    for start in range(0, flat.size, step):
        yield flat[start : start + step].data.cast("B")


def contiguous(shape: Sequence[int]) -> tuple[int, ...]:
    """The strides, in elements, of a tensor whose values are in order.

    >>> contiguous((2, 3, 4))
    (12, 4, 1)
    """
    return tuple(max(prod(shape[axis + 1 :]), 1) for axis in range(len(shape)))


def misplaced(
    shape: Sequence[int], strides: Sequence[int], offset: int, dtype: str, size: int
) -> str:
    """Why a tensor, of which element 0 is the storage's element `offset`, cannot lie in a storage
    of `size` bytes; "" where it can.

    >>> misplaced((2, 3), (3, 1), 0, "<f4", 20)
    'needs 24 bytes, but has 20'
    """
    item = ITEM_SIZES[dtype]
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    if prod(shape) and (last + 1) * item > size:
        return f"needs {(last + 1) * item} bytes, but has {size}"
    if prod(shape) > max(size // item, MAX_EXPANDED):
        return f"would expand to {prod(shape)} values"
    return ""
