"""What flows along a graph's edges while it is read: data of the network, or what is known now."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from upconv.converters.ir.records import record
from upconv.converters.readers.onnx.tensors import Kind, Stored

if TYPE_CHECKING:
    from numpy.typing import NDArray


@record(frozen=True, slots=True)
class Value:
    """A tensor that the network computes; `kind` is what its numbers are."""

    name: str
    kind: Kind = "float"


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """A tensor whose values are known: a weight in its file, or a small array of numbers.

    An array of objects holds sizes, which may depend on the network's inputs.
    """

    kind: Kind
    shape: tuple[int, ...]
    stored: Stored | None = None
    values: NDArray[Any] | None = field(default=None, repr=False)

    @property
    def is_symbolic(self) -> bool:
        return self.values is not None and self.values.dtype == object

    def array(self) -> NDArray[Any]:
        """The values; of a stored tensor a view of the file."""
        if self.values is not None:
            return self.values
        assert self.stored is not None, "values or a file"
        return self.stored.native()


@record(frozen=True, slots=True)
class Places:
    """The indices of a max pooling of `pooled`, as places in each plane, where ONNX counts through
    the whole tensor."""

    name: str
    pooled: str


@record(frozen=True, slots=True)
class Lost:
    """An output or a tensor that is not represented; the reason stops only what reads it."""

    reason: str


Entry: TypeAlias = Value | Known | Places | Lost | None
"""None is an optional input that is absent."""
