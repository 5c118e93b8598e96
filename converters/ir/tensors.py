"""Weights as lazy views of files: present, or missing with the filler that would make them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from upconv.converters.ir.records import record

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float32]
else:
    FloatArray = Any


class TensorData(Protocol):
    """Values that stay in their file until they are used."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def array(self) -> FloatArray:
        """All values as float32, in the tensor's shape; a read-only view where possible."""
        ...

    def chunks(self, size: int = 1 << 20) -> Iterator[memoryview | bytes]:
        """The raw little-endian float32 bytes in order, at most `size` bytes at a time."""
        ...


@runtime_checkable
class MappedData(Protocol):
    """Values that are seen in the file itself."""

    def release(self) -> None:
        """Let the system take back the memory of the values; they can be read again."""
        ...


@record(frozen=True, slots=True)
class Filler:
    """How a framework would initialise a weight, in Caffe's words (`type` lower case).

    `value` belongs to the constant filler. `declared` is False where the file names no filler at
    all, which in Caffe means constant zeros.
    """

    type: str
    value: float = 0.0
    declared: bool = True


@record(frozen=True, slots=True)
class Weight:
    """One weight of a layer: its shape (None while unknown), its data or what would fill it."""

    shape: tuple[int, ...] | None
    data: TensorData | None = None
    filler: Filler | None = None

    @property
    def present(self) -> bool:
        return self.data is not None

    @property
    def size(self) -> int:
        return 0 if self.shape is None else prod(self.shape)

    def release(self) -> None:
        """Say that the values are not needed for now: pages of a file count as a process's memory
        once it has touched them."""
        data: object = self.data
        if isinstance(data, MappedData):
            data.release()

    def array(self) -> FloatArray:
        """The values, float32, in `shape`; only of a present weight."""
        assert self.data is not None and self.shape is not None
        return self.data.array().reshape(self.shape)


@record(frozen=True, slots=True)
class ArrayData:
    """Values already in memory, or computed when first asked for (`compute`)."""

    shape: tuple[int, ...]
    compute: Callable[[], FloatArray]

    def array(self) -> FloatArray:
        return self.compute().reshape(self.shape)

    def chunks(self, size: int = 1 << 20) -> Iterator[memoryview | bytes]:
        import numpy as np

        flat = np.ascontiguousarray(self.array(), dtype="<f4").reshape(-1)
        step = max(size // 4, 1)
        for start in range(0, flat.size, step):
            yield flat[start : start + step].data.cast("B")


def weight_of(values: FloatArray) -> Weight:
    """A present weight that holds this array."""
    return Weight(values.shape, ArrayData(values.shape, lambda: values))


def missing(shape: tuple[int, ...] | None, filler: Filler | None = None) -> Weight:
    """A weight the file does not hold."""
    return Weight(shape, None, filler)
