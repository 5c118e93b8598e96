"""What a lowering sees of a node and what it builds, and the table of lowerings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.model import Shape
from upconv.converters.ir.operators import Operator
from upconv.converters.ir.origin import Origin
from upconv.converters.ir.tensors import Filler, TensorData, Weight, missing
from upconv.converters.readers.assembly.compositions import Composition, Part, composed
from upconv.converters.readers.assembly.table import Table
from upconv.converters.readers.assembly.weights import Order, laid_out
from upconv.converters.readers.assembly.workspace import Workspace, apart
from upconv.converters.readers.mxnet.attributes import Attributes
from upconv.converters.readers.mxnet.symbol import Node


class ConsequenceError(UnsupportedError):
    """What another layer's error, or an input without a shape, leads to: no notice."""


class OpaqueError(UnsupportedError):
    """What cannot be said of a node but for its output's `shape`."""

    shape: Shape | None = None


@dataclass(frozen=True, slots=True)
class Parameter:
    """A variable that holds values: those of the file of weights, or None with what makes them."""

    name: str
    data: TensorData | None
    shape: tuple[int, ...] | None
    filler: Filler


Entry: TypeAlias = str | Parameter
"""What flows along an edge: the name of a value, or a parameter."""

Made: TypeAlias = "str | Operator | list[Operator] | Composition | tuple[Entry, ...]"
"""What a lowering gives back: outputs that it has made, or what makes the one output of the
inputs: an operator, a composition, or operators one after the other."""


@dataclass(frozen=True, slots=True)
class Call:
    """One node on its inputs. The layer emitted without a suffix bears the node's own name, and its
    output MXNet's name for it."""

    node: Node
    entries: tuple[Entry, ...]
    ask: Attributes
    work: Workspace
    origin: Origin
    version: int
    outputs: tuple[str, ...]

    # Inputs

    @property
    def x(self) -> str:
        return self.value()

    def entry(self, index: int) -> Entry:
        if index >= len(self.entries):
            raise self.ask.invalid(f"{self.node.op} without its input {index}")
        return self.entries[index]

    def value(self, index: int = 0) -> str:
        """An input as a tensor of the network; a parameter becomes a layer that holds it."""
        entry = self.entry(index)
        if isinstance(entry, str):
            return entry
        if entry.shape is None:
            hint = "give its values, as in --weights net-0000.params"
            raise self.ask.unsupported(f"computes with the parameter '{entry.name}'", "", hint)
        weight = self._weight(entry, None, None)
        return self.work.once(entry.name, "constant", lambda: self.constant(weight))

    def constant(self, weight: Weight) -> str:
        """A layer that holds values."""
        what, shape = f"constant{len(self.work.layers)}", weight.shape
        assert shape is not None, "asked of known shapes"
        return self.step(ops.Constant(shape), [], what, {"value": weight})

    def values(self) -> list[str]:
        return [self.value(index) for index in range(len(self.entries))]

    def weight(
        self,
        index: int,
        what: str,
        expected: Sequence[Size | None] = (),
        order: Order | None = None,
    ) -> Weight:
        """An input as a weight, in the representation's `order`; `expected` is its shape in MXNet,
        which one without values has. Uses of one parameter share one weight."""
        entry = self.entry(index)
        if isinstance(entry, str):
            raise self.ask.unsupported(f"its {what} is computed by the network")
        sizes = tuple(size for size in expected if isinstance(size, int))
        return self._weight(entry, sizes if len(sizes) == len(expected) else None, order)

    def _weight(
        self, entry: Parameter, expected: tuple[int, ...] | None, order: Order | None
    ) -> Weight:
        if entry.data is None:
            shape = entry.shape or expected
            return missing(order[0](shape) if order and shape is not None else shape, entry.filler)
        shape = order[0](entry.data.shape) if order else entry.data.shape
        key = (entry.name, shape)
        if key not in self.work.weights:
            made = laid_out(entry.data, order) if order else Weight(shape, entry.data)
            self.work.weights[key] = made
        return self.work.weights[key]

    # Shapes

    def size(self, axis: int) -> Size | None:
        """The size of an axis of the first input, None where that is not known."""
        return self.work.size(self.x, axis)

    def shape(self, index: int = 0) -> Shape:
        """The sizes of an input, open ones as its own."""
        found = self.work.sizes(self.value(index))
        if found is None:
            hint = "give the inputs' shapes, as in --input data=1x3xHxW"
            message = "the number of axes of its input is unknown"
            raise ConsequenceError(message, hint=hint, **self.ask.place())
        return found

    def known(self, index: int = 0) -> tuple[int, ...]:
        """The sizes of an input, where all are numbers."""
        sizes = [self.work.known(size) for size in self.shape(index)]
        numbers = tuple(size for size in sizes if isinstance(size, int))
        if len(numbers) < len(sizes):
            raise self.ask.unsupported("works at known sizes only", "", GIVE_SIZE)
        return numbers

    def rank(self, index: int = 0) -> int:
        return len(self.shape(index))

    def axis(self, name: str = "axis", default: int | None = None, more: int = 0) -> int:
        """The axis that an attribute says, of `more` axes than the first input has."""
        return self.from_front(self.ask.integer(name, default), self.rank() + more)

    def axes(self, name: str = "axis") -> list[int]:
        """The axes that an attribute says, in order."""
        return sorted({self.from_front(axis, self.rank()) for axis in self.ask.ints(name)})

    def from_front(self, axis: int, rank: int) -> int:
        if not -rank <= axis < rank:
            message = f"works along axis {axis} of a tensor with {rank} axes"
            raise self.ask.invalid(message, "axis")
        return axis % rank

    # Layers

    def emit(
        self,
        operator: Operator,
        inputs: Sequence[str],
        weights: Mapping[str, Weight] | None = None,
    ) -> str:
        """Append the layer that makes the node's output."""
        return self.emit_many(operator, inputs, self.outputs[:1], weights)[0]

    def emit_many(
        self,
        operator: Operator,
        inputs: Sequence[str],
        outputs: Sequence[str],
        weights: Mapping[str, Weight] | None = None,
    ) -> tuple[str, ...]:
        read = self._apart(inputs)
        return self.work.add(self.node.name, operator, read, self.origin, weights, outputs)

    def step(
        self,
        operator: Operator,
        inputs: Sequence[str],
        what: str,
        weights: Mapping[str, Weight] | None = None,
    ) -> str:
        """Append a layer on the way to the node's output; what it makes."""
        name = f"{self.node.name}/{what}"
        return self.work.add(name, operator, self._apart(inputs), self.origin, weights)[0]

    def chain(self, x: str, operators: Sequence[Operator]) -> str:
        """Operators one after the other, the last of them the node's own."""
        for index, operator in enumerate(operators[:-1]):
            x = self.step(operator, [x], f"step{index}")
        return self.emit(operators[-1] if operators else ops.Identity(), [x])

    def finish(self, made: Made) -> tuple[Entry, ...]:
        """The outputs of the node, of what its lowering gives back."""
        if isinstance(made, str):
            return (made,)
        if isinstance(made, list):
            return (self.chain(self.x, made),)
        if not isinstance(made, tuple):
            return (self.emit(made, self.values()[: _reads(made)]),)
        entries = tuple(one for one in made if not isinstance(one, Part))
        parts = tuple(one for one in made if isinstance(one, Part))
        return (composed(parts, self.x, self._add),) if parts else entries

    def _add(self, operator: Operator, inputs: Sequence[str], what: str) -> str:
        return self.step(operator, inputs, what) if what else self.emit(operator, inputs)

    def _apart(self, inputs: Sequence[str]) -> list[str]:
        return apart(inputs, lambda name: self.step(ops.Identity(), [name], "copy"))


GIVE_SIZE: Final = "give the input's size with --input"


def _reads(operator: Operator) -> int:
    """How many inputs of a node its operator reads."""
    two = (isinstance(operator, ops.Compare) and operator.other is None) or isinstance(
        operator, ops.Eltwise | ops.MatMul | ops.RoiMaxPool
    )
    return 3 if isinstance(operator, ops.Where) else 1 + two


Lowering: TypeAlias = Callable[[Call], Made]

LOWERINGS: Final[Table[Lowering]] = Table("upconv.converters.readers.mxnet", "layers_")
"""Operator -> its lowering."""


def lowers(*names: str) -> Callable[[Lowering], Lowering]:
    """Decorator: the function lowers these operators, given apart or in one text."""
    return LOWERINGS.enters(*(one for name in names for one in name.split()))
