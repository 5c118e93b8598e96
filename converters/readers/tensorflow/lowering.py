"""What a lowering function sees of a node, what it builds, and the table of functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from upconv.converters.ir.dims import Size
from upconv.converters.ir.errors import UnreadableError, UnsupportedError
from upconv.converters.ir.operators import Constant, Operator, SizeOf
from upconv.converters.ir.origin import Origin
from upconv.converters.ir.tensors import Weight, missing
from upconv.converters.readers.assembly import known
from upconv.converters.readers.assembly.axes import (
    Axes,
    Copies,
    Value,
    arranged,
    channels_last,
    layout,
    plain,
    real,
)
from upconv.converters.readers.assembly.folding.arrays import Array
from upconv.converters.readers.assembly.known import Known
from upconv.converters.readers.assembly.table import Table
from upconv.converters.readers.assembly.weights import Order
from upconv.converters.readers.assembly.workspace import Workspace
from upconv.converters.readers.tensorflow.flat import FlatNode
from upconv.converters.readers.tensorflow.graphdef import Node
from upconv.converters.readers.tensorflow.values import (
    Batched,
    Dead,
    Entry,
    Missing,
    Part,
    Places,
)


@dataclass(frozen=True, slots=True)
class Call:
    """One node on its inputs; `last` is the last of its outputs that anyone reads.

    The layer emitted without a suffix bears the node's own name.
    """

    flat: FlatNode
    entries: tuple[Entry, ...]
    work: Workspace
    origin: Origin
    last: int = 0

    @property
    def node(self) -> Node:
        return self.flat.node

    @property
    def name(self) -> str:
        return self.flat.name

    def invalid(self, message: str, hint: str = "") -> UnreadableError:
        """An error about this node: TensorFlow itself would refuse it."""
        path = self.origin.path
        return UnreadableError(message, path=path, where=self.origin, layer=self.name, hint=hint)

    def unsupported(self, message: str, hint: str = "") -> UnsupportedError:
        """An error about this node: it is legal, but cannot be represented."""
        path = self.origin.path
        return UnsupportedError(message, path=path, where=self.origin, layer=self.name, hint=hint)

    # Inputs

    def entry(self, index: int) -> Entry:
        """The input at a place, counted from the end where negative."""
        if not -len(self.entries) <= index < len(self.entries):
            raise self.invalid(f"{self.node.op} without its input {index}")
        entry = self.entries[index]
        return entry.value if isinstance(entry, Part) else entry

    def value(self, index: int = 0) -> Value:
        """An input that is data of the network."""
        entry = self.entry(index)
        if isinstance(entry, Value):
            return entry
        raise self.unsupported(_NOT_DATA.get(type(entry), "an input that is no tensor"))

    def tensor(self, index: int) -> Value:
        """An input with all its axes, data of the network or a constant."""
        entry = self.entry(index)
        if not isinstance(entry, Known):
            return self.real(self.value(index))
        if entry.is_symbolic:
            return self._size_as_tensor(entry, index)
        weight = self.weight(index, "constant")
        operator = Constant(weight.shape or ())
        name = self.emit(operator, [], {"value": weight}, suffix=f"constant{index}")
        return Value(name, plain(len(operator.shape)))

    def _size_as_tensor(self, entry: Known, index: int) -> Value:
        name = self.emit(SizeOf(known.only_size(entry, self)), [], suffix=f"size{index}")
        return Value(name, (Copies(),) * len(entry.shape))

    def known(self, index: int, what: str) -> Known:
        """An input whose values are known."""
        entry = self.entry(index)
        if isinstance(entry, Known):
            return entry
        if isinstance(entry, Missing):
            raise self.unsupported(f"its {what} is a variable without values", "give --weights")
        raise self.unsupported(f"its {what} is computed by the network")

    def numbers(self, index: int, what: str) -> Array:
        """Known numbers, none of which depends on the size of the network's input."""
        return known.numbers(self.known(index, what), what, self, self.work)

    def scalar(self, index: int, what: str) -> float:
        """A known tensor of one number, as that number."""
        return known.scalar(self.known(index, what), what, self, self.work)

    def ints(self, index: int, what: str) -> tuple[int, ...]:
        """Known whole numbers, flat."""
        return known.whole_numbers(self.known(index, what), what, self, self.work)

    def integer(self, index: int, what: str, default: int = 0) -> int:
        """One known whole number; the default for an empty tensor."""
        found = self.ints(index, what) or (default,)
        if len(found) > 1:
            raise self.invalid(f"its {what} is {len(found)} numbers where one is expected")
        return found[0]

    def size_list(self, index: int, what: str) -> tuple[Size, ...]:
        """Known sizes, flat, which may depend on the network's input."""
        return known.sizes(self.known(index, what), what, self)

    def number(self, size: Size, what: str) -> int:
        """A size that must be a number now."""
        found = self.work.known(size)
        if not isinstance(found, int):
            hint = "give fixed sizes with --input"
            raise self.unsupported(f"its {what} depends on the input's size", hint)
        return found

    def rank(self, value: Value) -> int | None:
        return None if value.axes is None else len(value.axes)

    def ranked(self, value: Value) -> Axes:
        """The axes of a value whose rank must be known."""
        if value.axes is None:
            raise self.unsupported("the number of axes of its input is unknown")
        return value.axes

    def spatial(self, index: int, rank: int, *, last: bool) -> str:
        """An input of `rank` axes as the tensor (N, C, spatial...); `last` where TensorFlow counts
        its channels last."""
        value = self.value(index)
        if value.axes is not None and len(value.axes) != rank:
            raise self.invalid(f"an input of {len(value.axes)} axes instead of {rank}")
        return self.arranged(value, layout(rank, last=last))

    def arranged(self, value: Value, axes: Axes) -> str:
        """The tensor of a value with TensorFlow's axis i at `axes[i]`."""
        return arranged(self.work, value, axes, self.origin)

    def real(self, value: Value) -> Value:
        """The value with every axis there."""
        return real(self.work, value, self.origin)

    def whole(self, value: Value) -> Value:
        """The value with every axis there, in TensorFlow's order or with its channels moved."""
        value = self.real(value)
        if value.axes is None:
            return value
        rank = len(value.axes)
        if value.axes in (plain(rank), channels_last(rank)):
            return value
        return Value(self.arranged(value, plain(rank)), plain(rank))

    def known_sizes(self, value: Value) -> tuple[Size, ...]:
        """The sizes in TensorFlow's order and the inputs' symbols; UnsupportedError where the rank
        is unknown."""
        self.ranked(value)
        return tuple(map(self.work.known, value.sizes))

    def shape(self, name: str, rank: int) -> tuple[Size | None, ...]:
        """The inferred sizes of a tensor, None for those unknown."""
        return self.work.shapes.get(name) or (None,) * rank

    # Weights

    def weight_shape(self, index: int, what: str) -> tuple[int, ...]:
        """The shape of an input that is a weight."""
        entry = self.entry(index)
        shape = entry.shape if isinstance(entry, Known | Missing) else None
        if shape is None:
            self.known(index, what)
            raise self.unsupported(f"the shape of its {what} is unknown")
        return shape

    def weight(
        self,
        index: int,
        what: str,
        order: Order | None = None,
        key: object = None,
    ) -> Weight:
        """An input as a weight in the representation's `order`; `key` tells orders apart."""
        own = self.weight_shape(index, what)
        entry = self.entry(index)
        if isinstance(entry, Missing):
            return missing(own if order is None else order[0](own))
        assert isinstance(entry, Known), "a weight is known or missing"
        if entry.is_symbolic or entry.kind == "other":
            raise self.unsupported(f"its {what} is no tensor of numbers")
        return known.weight_of(self.work, entry, order, key)

    # Layers

    def emit(
        self,
        operator: Operator,
        inputs: Sequence[str],
        weights: Mapping[str, Weight] | None = None,
        suffix: str = "",
    ) -> str:
        """Append a layer with one output; the output's name."""
        return self.emit_many(operator, inputs, 1, weights, suffix)[0]

    def step(self, operator: Operator, inputs: Sequence[str], suffix: str) -> str:
        """Append a layer without weights, the way compositions do."""
        return self.emit(operator, inputs, suffix=suffix)

    def emit_many(
        self,
        operator: Operator,
        inputs: Sequence[str],
        outputs: int,
        weights: Mapping[str, Weight] | None = None,
        suffix: str = "",
    ) -> tuple[str, ...]:
        """Append a layer with several outputs."""
        name = f"{self.name}/{suffix}" if suffix else self.name
        return self.work.add(name, operator, inputs, self.origin, weights, named(name, outputs))

    def unary(self, operator: Operator, value: Value, suffix: str = "") -> Value:
        """A layer whose output has its input's axes."""
        value = self.real(value)
        return Value(self.emit(operator, [value.name], suffix=suffix), value.axes)


_NOT_DATA: Final[dict[type, str]] = {
    Known: "a constant where the network's data is expected",
    Missing: "a variable where the network's data is expected",
    Batched: "blocks moved to the batch (SpaceToBatchND) for more than one dilated convolution",
    Dead: "the output of a branch that is not taken",
    Places: "the indices of a pooling for more than an unpooling",
}


def named(name: str, outputs: int) -> list[str]:
    """The outputs of a node: its name, name:1 ..."""
    return [name, *(f"{name}:{index}" for index in range(1, outputs))]


Lowering: TypeAlias = Callable[[Call], "Entry | tuple[Entry, ...]"]

LOWERINGS: Final[Table[Lowering]] = Table("upconv.converters.readers.tensorflow", "ops_")
"""Operation -> its lowering."""

lowers = LOWERINGS.enters

OF_PLACES: Final[Table[Lowering]] = Table("upconv.converters.readers.tensorflow", "ops_")
"""Operation -> its lowering where it reads numbers made of a pooling's indices."""

lowers_places = OF_PLACES.enters
