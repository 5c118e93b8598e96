"""Tensors whose values are known while a graph is read, and what a lowering asks of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias

from upconv.converters.ir.dims import Dim, Size
from upconv.converters.ir.errors import UnreadableError, UnsupportedError
from upconv.converters.ir.records import record
from upconv.converters.ir.tensors import ArrayData, TensorData, Weight
from upconv.converters.readers.assembly.folding.arrays import (
    Array,
    is_symbolic,
    objects,
    of_sizes,
    whole,
)
from upconv.converters.readers.assembly.weights import Order
from upconv.converters.readers.assembly.workspace import Workspace

if TYPE_CHECKING:
    from numpy.typing import NDArray

Kind: TypeAlias = Literal["float", "int", "bool", "other"]
"""What the numbers of a tensor are; "other" are none."""

_KINDS: Final[dict[str, Kind]] = {"f": "float", "b": "bool", "i": "int", "u": "int"}


def kind_of(letter: str, default: Kind = "other") -> Kind:
    """What numbers are by NumPy's letter for them."""
    return _KINDS.get(letter, default)


class Stored(TensorData, Protocol):
    """A tensor in a file, with its values in their own type."""

    def native(self) -> Array: ...


class Node(Protocol):
    """Who asks: a node of a file, with its errors."""

    def invalid(self, message: str, hint: str = "") -> UnreadableError: ...

    def unsupported(self, message: str, hint: str = "") -> UnsupportedError: ...


@record(frozen=True, slots=True, eq=False)
class Known:
    """A tensor whose values are known: a weight in its file, or a small array of numbers.

    An array of objects holds sizes, which may depend on the network's inputs.
    """

    kind: Kind
    shape: tuple[int, ...]
    stored: Stored | None = None
    values: Array | None = field(default=None, repr=False)

    @property
    def is_symbolic(self) -> bool:
        return self.values is not None and is_symbolic(self.values)

    def array(self) -> Array:
        """The values; of a stored tensor a view of the file, or few of them without NumPy."""
        if self.values is not None:
            return self.values
        assert self.stored is not None, "values or a file"
        return self.stored.native()

    def numpy(self) -> NDArray[Any]:
        """The values as NumPy has them."""
        import numpy as np

        return np.asarray(self.array())


def known_of(array: Array, kind: Kind = "float") -> Known:
    """An array as a tensor; that of objects has the kind that is said."""
    return Known(kind_of(array.dtype.kind, kind), array.shape, values=array)


def sizes_as_known(sizes: tuple[Size, ...]) -> Known:
    """Sizes as a one-dimensional tensor."""
    return known_of(of_sizes(sizes), "int")


def size_as_known(size: Size) -> Known:
    """A size as a tensor without axes."""
    return known_of(of_sizes((size,)).reshape(()), "int")


def settled(array: Array, settle: Callable[[Size], Size]) -> Array:
    """An array with its sizes as `settle` has them."""
    if not is_symbolic(array):
        return array
    items = array.reshape(-1).tolist()
    return objects([settle(n) if isinstance(n, Dim) else n for n in items]).reshape(array.shape)


# What is asked of an input; `what` names it in errors


def numbers(found: Known, what: str, node: Node, work: Workspace) -> Array:
    """Numbers, none of which depends on the size of the network's input."""
    if not found.is_symbolic:
        if found.kind == "other":
            raise node.invalid(f"its {what} is no tensor of numbers")
        return found.array()
    sizes = settled(found.array(), work.known).reshape(-1).tolist()
    if not all(isinstance(size, int) for size in sizes):
        hint = "give fixed sizes with --input"
        raise node.unsupported(f"its {what} depends on the input's size", hint)
    return whole(sizes).reshape(found.shape)


def scalar(found: Known, what: str, node: Node, work: Workspace) -> float:
    """A tensor of one number, as that number."""
    array = numbers(found, what, node, work)
    if array.size != 1:
        raise node.invalid(f"its {what} is {array.size} numbers where one is expected")
    return float(array.reshape(-1).tolist()[0])


def whole_numbers(found: Known, what: str, node: Node, work: Workspace) -> tuple[int, ...]:
    """Whole numbers, flat."""
    array = numbers(found, what, node, work)
    if array.dtype.kind not in "iu":
        raise node.invalid(f"its {what} is not of whole numbers")
    return tuple(array.reshape(-1).tolist())


def sizes(found: Known, what: str, node: Node) -> tuple[Size, ...]:
    """Sizes, flat, which may depend on the network's input."""
    listed = found.array().reshape(-1).tolist()
    if not all(isinstance(size, int | Dim) for size in listed):
        raise node.invalid(f"its {what} is not of whole numbers")
    return tuple(listed)


def only_size(found: Known, node: Node) -> Size:
    """The one size of a tensor that is used as the network's data."""
    listed = found.array().reshape(-1).tolist()
    if len(listed) != 1:
        raise node.unsupported("a list of sizes is used as data")
    if not isinstance(listed[0], int | Dim):
        raise node.unsupported("a fraction of a size is used as data")
    return listed[0]


def weight_of(work: Workspace, found: Known, order: Order | None, key: object) -> Weight:
    """The tensor in the representation's `order`, which `key` tells from other orders. Uses of one
    tensor share one weight."""
    shape = found.shape if order is None else order[0](found.shape)
    place = (found.stored if found.stored is not None else found, shape, key)
    if place not in work.weights:
        work.weights[place] = _weight(found, shape, order)
    return work.weights[place]


def _weight(found: Known, shape: tuple[int, ...], order: Order | None) -> Weight:
    if order is None and found.stored is not None:
        return Weight(shape, found.stored)

    def compute() -> Any:
        import numpy as np

        with np.errstate(over="ignore"):
            values = np.asarray(found.numpy(), np.float32)
        return (order[1](values) if order else values).reshape(shape)

    return Weight(shape, ArrayData(shape, compute))
