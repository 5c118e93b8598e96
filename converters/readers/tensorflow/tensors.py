"""Tensors as files hold them: views that are read when they are used."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any, Final

from upconv.converters.readers.assembly.element_types import DType
from upconv.converters.readers.files.stored import as_float32, float32_chunks, widened
from upconv.converters.readers.tensorflow.messages import Record, int_of
from upconv.converters.readers.tensorflow.schema import dtype_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from upconv.converters.ir.tensors import FloatArray

MAX_REPEATED: Final = 1 << 28
"""Values a tensor may have beyond those its file lists (the last one stands for the rest)."""


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """A tensor in a file: a `TensorData`, and its values in their own type.

    `raw` are its little-endian bytes where they lie in one piece; else `listed` makes the values.
    `check` is called once before the first use of the values.
    """

    shape: tuple[int, ...]
    dtype: DType
    raw: memoryview | None = None
    listed: Callable[[], NDArray[Any]] | None = field(default=None, repr=False)
    check: Callable[[], None] | None = field(default=None, repr=False)

    def native(self) -> NDArray[Any]:
        """The values in their own type (bfloat16 as float32), read-only where they are a view."""
        import numpy as np

        if self.raw is None:
            assert self.listed is not None, "a tensor has bytes or a list"
            return self.listed().reshape(self.shape)
        if self.check is not None:
            self.check()
        values = np.frombuffer(self.raw, np.dtype(self.dtype.numpy))
        return _widened(values, self.dtype).reshape(self.shape)

    def array(self) -> FloatArray:
        """The values as float32, a view of the file where it stores those."""
        return as_float32(self.native())

    def chunks(self, size: int = 1 << 20) -> Iterator[memoryview | bytes]:
        """The little-endian float32 bytes in order, at most `size` at a time."""
        if self.raw is not None and self.dtype.numpy == "<f4":
            if self.check is not None:
                self.check()
            yield from (self.raw[at : at + size] for at in range(0, len(self.raw), size))
            return
        yield from float32_chunks(self.array(), size)


def _widened(values: NDArray[Any], dtype: DType) -> NDArray[Any]:
    """Values read as NumPy's type, which for bfloat16 are the bits."""
    found: NDArray[Any] = widened(values) if dtype.name == "bfloat16" else values
    return found


def read_tensor(record: Record, shape: tuple[int, ...]) -> Stored:
    """A TensorProto: bytes, or a list of values whose last one is repeated to fill the shape.

    Raises UnreadableError where its size and its values do not fit.
    """
    dtype = dtype_of(int_of(record, "dtype"))
    if dtype.name == "string":
        return Stored(shape, dtype, listed=lambda: _strings(record, shape))
    if not dtype.numpy:
        raise record.fail(f"a constant of the type {dtype.name}, which holds no numbers")
    count = prod(shape)
    content = record.data("tensor_content")
    if content and len(content[-1]):
        if len(content[-1]) != count * dtype.item_size:
            raise record.fail(f"{len(content[-1])} bytes of {dtype.name} for the shape {shape}")
        return Stored(shape, dtype, raw=content[-1])
    if count > MAX_REPEATED:
        raise record.fail(f"a constant of {count} values that are not in the file")
    return Stored(shape, dtype, listed=lambda: _listed(record, dtype, shape))


def _listed(record: Record, dtype: DType, shape: tuple[int, ...]) -> NDArray[Any]:
    import numpy as np

    values = record.numbers(dtype.values)
    if dtype.values == "half_val":
        bits = values.astype(np.uint16)
        values = widened(bits) if dtype.name == "bfloat16" else bits.view(np.float16)
    elif dtype.numpy:
        values = values.astype(np.dtype(dtype.numpy))
    count = prod(shape)
    if len(values) > count:
        raise record.fail(f"{len(values)} values for the shape {shape}")
    if not len(values):
        return np.zeros(shape, values.dtype)
    tail = np.broadcast_to(values[-1:], (count - len(values),))
    return np.concatenate([values, tail]).reshape(shape)


def _strings(record: Record, shape: tuple[int, ...]) -> NDArray[Any]:
    import numpy as np

    found = [bytes(item) for item in record.data("string_val")]
    count = prod(shape)
    if len(found) > count or count > len(found) + MAX_REPEATED // 64:
        raise record.fail(f"{len(found)} strings for the shape {shape}")
    padded = found + (found[-1:] or [b""]) * (count - len(found))
    values = np.empty(count, object)
    values[:] = padded
    return values.reshape(shape)
