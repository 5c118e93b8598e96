"""Tensors as an ONNX file holds them: views of it that are read when they are used."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import TYPE_CHECKING, Any, Final, Literal

from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.records import record
from upconv.converters.readers.assembly.element_types import DType
from upconv.converters.readers.assembly.folding import few
from upconv.converters.readers.assembly.folding.arrays import Array
from upconv.converters.readers.assembly.folding.few import Few, TooHardError
from upconv.converters.readers.files.stored import as_float32, float32_chunks, widened
from upconv.converters.readers.files.wire import LENGTH
from upconv.converters.readers.onnx.external import EXTERNAL, Folder, Range, external_range
from upconv.converters.readers.onnx.messages import Message

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from upconv.converters.ir.tensors import FloatArray

MAX_AXES: Final = 64
MAX_SIZE: Final = 1 << 48


DTYPES: Final = {
    1: DType("float", "<f4", "float_data"),
    2: DType("uint8", "|u1", "int32_data"),
    3: DType("int8", "|i1", "int32_data"),
    4: DType("uint16", "<u2", "int32_data"),
    5: DType("int16", "<i2", "int32_data"),
    6: DType("int32", "<i4", "int32_data"),
    7: DType("int64", "<i8", "int64_data"),
    8: DType("string"),
    9: DType("bool", "|b1", "int32_data"),
    10: DType("float16", "<f2", "int32_data"),
    11: DType("double", "<f8", "double_data"),
    12: DType("uint32", "<u4", "uint64_data"),
    13: DType("uint64", "<u8", "uint64_data"),
    14: DType("complex64"),
    15: DType("complex128"),
    16: DType("bfloat16", "<u2", "int32_data"),
    **dict.fromkeys((17, 18, 19, 20, 24), DType("float8")),
    **dict.fromkeys((21, 22, 25, 26), DType("an integer of few bits")),
    23: DType("float4"),
}
"""TensorProto.DataType -> the type."""

UNDEFINED: Final = DType("an unknown type")
_FLOATS: Final[dict[str, Literal["f", "d"]]] = {"float_data": "f", "double_data": "d"}


def dtype_of(number: int) -> DType:
    """The type of that number."""
    return DTYPES.get(number, UNDEFINED)


@record(frozen=True, slots=True, eq=False)
class Stored:
    """A tensor in a file: a `TensorData`, and its values in their own type.

    `raw` is where its little-endian bytes lie in one piece; else `message` lists the values.
    """

    shape: tuple[int, ...]
    dtype: DType
    message: Message
    raw: Range | None = None

    def native(self) -> Array:
        """The values in their own type (bfloat16 as float32): few of them without NumPy, else
        read-only where they are a view."""
        found = self._few() if prod(self.shape) <= few.MOST else None
        return self._numpy() if found is None else found

    def _few(self) -> Few | None:
        """Few values without NumPy; None for those that it has to turn into others."""
        form = self.dtype.numpy, self.shape
        if self.dtype.name == "bfloat16":
            return None
        if self.raw is not None:
            return few.of_bytes(self.raw.wire.view[self.raw.start : self.raw.end], *form)
        if self.dtype.name == "float16":
            return None
        letter = _FLOATS.get(self.dtype.values)
        values = self.message.floats(self.dtype.values, letter) if letter else self._integers()
        self._require_all(len(values))
        try:
            return few.made(values, self.shape, few.code_of(self.dtype.numpy))
        except TooHardError:  # numbers beyond the type
            return None

    def _integers(self) -> list[int]:
        return self.message.ints(self.dtype.values)

    def _require_all(self, count: int) -> None:
        if count != prod(self.shape):
            raise self.message.fail(f"{count} values for the shape {self.shape}")

    def _numpy(self) -> NDArray[Any]:
        import numpy as np

        if self.raw is None:
            values = self._listed()
        else:
            dtype, start = np.dtype(self.dtype.numpy), self.raw.start
            values = np.ndarray((prod(self.shape),), dtype, self.raw.wire.view, start)
        if self.dtype.name == "bfloat16":
            values = widened(values)
        return values.reshape(self.shape)

    def _listed(self) -> NDArray[Any]:
        import numpy as np

        letter = _FLOATS.get(self.dtype.values)
        values = self._runs(letter) if letter else np.array(self._integers(), np.int64)
        self._require_all(len(values))
        if self.dtype.name == "float16":
            return values.astype(np.uint16).view(np.float16)
        return values.astype(np.dtype(self.dtype.numpy))

    def _runs(self, letter: str) -> NDArray[Any]:
        import numpy as np

        message, dtype = self.message, np.dtype(f"<{letter}")
        runs = [
            message.wire.fixed_run(f, dtype.itemsize) for f in message.fields(self.dtype.values)
        ]
        parts = [message.wire.elements(run, dtype.str) for run in runs]
        return np.concatenate(parts) if parts else np.zeros(0, dtype)

    def array(self) -> FloatArray:
        """The values as float32, a view of the file where it stores those."""
        return as_float32(self._numpy())

    def chunks(self, size: int = 1 << 20) -> Iterator[memoryview | bytes]:
        """The little-endian float32 bytes in order, at most `size` at a time; the system may have
        the memory of each back as soon as the next is asked for."""
        if self.raw is not None and self.dtype.numpy == "<f4":
            yield from self.raw.wire.streamed(self.raw.start, self.raw.end, size)
            return
        yield from float32_chunks(self.array(), size)


def read_tensor(message: Message, folder: Folder) -> Stored:
    """A TensorProto.

    Raises UnreadableError where its size and its data do not fit or its file may not be read, and
    UnsupportedError for a type without numbers.
    """
    shape = tuple(message.ints("dims"))
    if len(shape) > MAX_AXES or min(shape, default=0) < 0 or prod(shape) > MAX_SIZE:
        raise message.fail(f"a tensor of the shape {shape}")
    dtype = dtype_of(message.integer("data_type"))
    if not dtype.numpy:
        raise UnsupportedError(f"its tensor is of the type {dtype.name}", path=message.wire.path)
    if message.has("segment"):
        raise UnsupportedError("a tensor in segments", path=message.wire.path)
    size = prod(shape) * dtype.item_size
    if message.integer("data_location") == EXTERNAL:
        return Stored(shape, dtype, message, external_range(message, folder, size))
    raw = [field for field in message.fields("raw_data") if field.wire_type == LENGTH]
    listed = message.fields(dtype.values) if dtype.values in _FLOATS and not raw else []
    if len(listed) == 1 and listed[0].wire_type == LENGTH:
        raw = listed  # floats in one piece lie as their bytes do
    if not raw:
        if size and not message.fields(dtype.values):
            raise message.fail(f"no values for the shape {shape}")
        return Stored(shape, dtype, message)
    if raw[-1].value != size:
        raise message.fail(f"{raw[-1].value} bytes of {dtype.name} for the shape {shape}")
    return Stored(shape, dtype, message, Range(message.wire, raw[-1].start, raw[-1].end))
