"""Tensors as an ONNX file holds them: views of it that are read when they are used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.records import record
from upconv.converters.readers.files.wire import LENGTH
from upconv.converters.readers.onnx.external import EXTERNAL, Folder, Range, external_range
from upconv.converters.readers.onnx.messages import Message

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from upconv.converters.ir.tensors import FloatArray

Kind: TypeAlias = Literal["float", "int", "bool", "other"]

MAX_AXES: Final = 64
MAX_SIZE: Final = 1 << 48


@record(frozen=True, slots=True)
class DType:
    """An element type: its name, NumPy's type of it ("" for one without numbers), and the field of
    a TensorProto that lists its values. What lies in fewer bits than NumPy has is `bits`."""

    name: str
    numpy: str
    values: str = "int32_data"

    @property
    def kind(self) -> Kind:
        """What its numbers are."""
        if self.name == "bfloat16" or self.numpy[1:2] == "f":
            return "float"
        kinds: dict[str, Kind] = {"b": "bool", "i": "int", "u": "int"}
        return kinds.get(self.numpy[1:2], "other")


DTYPES: Final = {
    1: DType("float", "<f4", "float_data"),
    2: DType("uint8", "|u1"),
    3: DType("int8", "|i1"),
    4: DType("uint16", "<u2"),
    5: DType("int16", "<i2"),
    6: DType("int32", "<i4"),
    7: DType("int64", "<i8", "int64_data"),
    8: DType("string", ""),
    9: DType("bool", "|b1"),
    10: DType("float16", "<f2"),
    11: DType("double", "<f8", "double_data"),
    12: DType("uint32", "<u4", "uint64_data"),
    13: DType("uint64", "<u8", "uint64_data"),
    14: DType("complex64", ""),
    15: DType("complex128", ""),
    16: DType("bfloat16", "<u2"),
    **dict.fromkeys((17, 18, 19, 20, 24), DType("float8", "")),
    **dict.fromkeys((21, 22, 25, 26), DType("an integer of few bits", "")),
    23: DType("float4", ""),
}
"""TensorProto.DataType -> the type."""

UNDEFINED: Final = DType("an unknown type", "")
_FIXED: Final = {"float_data": ("<f4", 4), "double_data": ("<f8", 8)}


def dtype_of(number: int) -> DType:
    """The type of that number."""
    return DTYPES.get(number, UNDEFINED)


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """A tensor in a file: a `TensorData`, and its values in their own type.

    `raw` is where its little-endian bytes lie in one piece; else `message` lists the values.
    """

    shape: tuple[int, ...]
    dtype: DType
    message: Message
    raw: Range | None = None

    def native(self) -> NDArray[Any]:
        """The values in their own type (bfloat16 as float32), read-only where they are a view."""
        import numpy as np

        if self.raw is None:
            return self._listed()
        dtype = np.dtype(self.dtype.numpy)
        values = np.ndarray((prod(self.shape),), dtype, self.raw.wire.view, self.raw.start)
        return self._widened(values).reshape(self.shape)

    def array(self) -> FloatArray:
        """The values as float32, a view of the file where it stores those."""
        import numpy as np

        with np.errstate(over="ignore"):
            return np.asarray(self.native(), np.float32)

    def chunks(self, size: int = 1 << 20) -> Iterator[memoryview | bytes]:
        """The little-endian float32 bytes in order, at most `size` at a time; the system may have
        the memory of each back as soon as the next is asked for."""
        if self.raw is not None and self.dtype.numpy == "<f4":
            wire = self.raw.wire
            for at in range(self.raw.start, self.raw.end, size):
                end = min(at + size, self.raw.end)
                yield wire.view[at:end]
                wire.release(at, end)
            return
        import numpy as np

        flat = np.ascontiguousarray(self.array(), "<f4").reshape(-1)
        step = max(size // 4, 1)
        for start in range(0, flat.size, step):
            yield flat[start : start + step].data.cast("B")

    def _listed(self) -> NDArray[Any]:
        import numpy as np

        values = _numbers(self.message, self.dtype.values)
        if len(values) != prod(self.shape):
            raise self.message.fail(f"{len(values)} values for the shape {self.shape}")
        if self.dtype.name == "float16":
            return values.astype(np.uint16).view(np.float16).reshape(self.shape)
        values = values.astype(np.dtype(self.dtype.numpy))
        return self._widened(values).reshape(self.shape)

    def _widened(self, values: NDArray[Any]) -> NDArray[Any]:
        """bfloat16, the upper half of a float32, as float32."""
        import numpy as np

        if self.dtype.name != "bfloat16":
            return values
        return (values.astype(np.uint32) << np.uint32(16)).view(np.float32)


def _numbers(message: Message, name: str) -> NDArray[Any]:
    import numpy as np

    if name not in _FIXED:
        return np.array(message.ints(name), np.int64)
    dtype, size = _FIXED[name]
    runs = [message.wire.fixed_run(field, size) for field in message.fields(name)]
    parts = [message.wire.elements(run, dtype) for run in runs]
    return np.concatenate(parts) if parts else np.zeros(0, dtype)


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
    size = prod(shape) * int(dtype.numpy[2:])
    if message.integer("data_location") == EXTERNAL:
        return Stored(shape, dtype, message, external_range(message, folder, size))
    raw = [field for field in message.fields("raw_data") if field.wire_type == LENGTH]
    if not raw:
        return Stored(shape, dtype, message)
    if raw[-1].value != size:
        raise message.fail(f"{raw[-1].value} bytes of {dtype.name} for the shape {shape}")
    return Stored(shape, dtype, message, Range(message.wire, raw[-1].start, raw[-1].end))
