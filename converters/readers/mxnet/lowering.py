"""What a lowering sees of a node and what it builds, and the table of lowerings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from upconv.converters.ir.dims import Size
from upconv.converters.ir.errors import UnreadableError, UnsupportedError
from upconv.converters.ir.model import Shape
from upconv.converters.ir.operators import Constant, Identity, Operator
from upconv.converters.ir.origin import Origin
from upconv.converters.ir.tensors import Filler, TensorData, Weight, missing
from upconv.converters.readers.assembly.compositions import Composition, composed
from upconv.converters.readers.assembly.table import Table
from upconv.converters.readers.assembly.weights import Order, laid_out
from upconv.converters.readers.assembly.workspace import Workspace, apart
from upconv.converters.readers.mxnet.attributes import Attributes
from upconv.converters.readers.mxnet.symbol import Node


class ConsequenceError(UnsupportedError):
    """What another layer's error, or an input without a shape, leads to: no notice."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A variable that holds values: those of the file of weights, or None with what makes them."""

    name: str
    data: TensorData | None
    shape: tuple[int, ...] | None
    filler: Filler


Entry: TypeAlias = str | Parameter
"""What flows along an edge: the name of a value, or a parameter."""


@dataclass(frozen=True, slots=True)
class Call:
    """One node on its inputs. The layer emitted without a suffix bears the node's own name, and its
    output MXNet's name for it."""

    node: Node
    entries: tuple[Entry, ...]
    attributes: Attributes
    work: Workspace
    origin: Origin
    version: int
    outputs: tuple[str, ...]

    def invalid(self, message: str, attribute: str = "") -> UnreadableError:
        """An error about this node: MXNet itself would refuse it."""
        return UnreadableError(message, **self.attributes.place(attribute))

    def unsupported(self, message: str, attribute: str = "", hint: str = "") -> UnsupportedError:
        """An error about this node: it is legal, but cannot be represented."""
        return UnsupportedError(message, hint=hint, **self.attributes.place(attribute))

    # Inputs

    def entry(self, index: int) -> Entry:
        if index >= len(self.entries):
            raise self.invalid(f"{self.node.op} without its input {index}")
        return self.entries[index]

    def value(self, index: int = 0) -> str:
        """An input as a tensor of the network; a parameter becomes a layer that holds it."""
        entry = self.entry(index)
        if isinstance(entry, str):
            return entry
        if entry.shape is None:
            raise self.unsupported(f"computes with the parameter '{entry.name}'", "", _NO_VALUES)
        weight, operator = self._weight(entry, None, None), Constant(entry.shape)
        return self.work.once(entry.name, "constant", lambda: self._constant(operator, weight))

    def _constant(self, operator: Operator, weight: Weight) -> str:
        return self.step(operator, [], f"constant{len(self.work.layers)}", {"value": weight})

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
            raise self.unsupported(f"its {what} is computed by the network")
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

    def shape(self, name: str) -> Shape:
        """The sizes of a tensor, open ones as its own."""
        found = self.work.sizes(name)
        if found is None:
            message = "the number of axes of its input is unknown"
            raise ConsequenceError(message, hint=_GIVE_SHAPE, **self.attributes.place())
        return found

    def rank(self, name: str) -> int:
        return len(self.shape(name))

    def axis(self, axis: int, rank: int) -> int:
        """An axis counted from the front."""
        if not -rank <= axis < rank:
            raise self.invalid(f"works along axis {axis} of a tensor with {rank} axes", "axis")
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
        name = f"{self.node.name}/{what}" if what else self.node.name
        return self.work.add(name, operator, self._apart(inputs), self.origin, weights)[0]

    def chain(self, x: str, operators: Sequence[Operator]) -> str:
        """Operators one after the other, the last of them the node's own."""
        for index, operator in enumerate(operators[:-1]):
            x = self.step(operator, [x], f"step{index}")
        return self.emit(operators[-1] if operators else Identity(), [x])

    def compose(self, composition: Composition, x: str) -> str:
        def add(operator: Operator, inputs: Sequence[str], what: str) -> str:
            return self.step(operator, inputs, what) if what else self.emit(operator, inputs)

        return composed(composition, x, add)

    def _apart(self, inputs: Sequence[str]) -> list[str]:
        return apart(inputs, lambda name: self.step(Identity(), [name], "copy"))


_NO_VALUES: Final = "give its values, as in --weights net-0000.params"
_GIVE_SHAPE: Final = "give the inputs' shapes, as in --input data=1x3xHxW"

Lowering: TypeAlias = Callable[[Call], "str | tuple[str, ...]"]

LOWERINGS: Final[Table[Lowering]] = Table("upconv.converters.readers.mxnet", "layers_")
"""Operator -> its lowering."""


def lowers(*names: str) -> Callable[[Lowering], Lowering]:
    """Decorator: the function lowers these operators, given apart or in one text."""
    return LOWERINGS.enters(*(one for name in names for one in name.split()))
