"""What a lowering function sees of a Keras layer, what it builds, and the table of functions.

A lowering turns one use of a layer into operator records, which it adds to a `Step` one by one;
it gives back the values that the layer puts out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size
from upconv.converters.ir.errors import UnreadableError, UnsupportedError
from upconv.converters.ir.model import Shape
from upconv.converters.ir.operators import Operator
from upconv.converters.ir.origin import Origin
from upconv.converters.ir.tensors import Weight
from upconv.converters.readers.assembly.layout import to_channels_first, to_channels_last
from upconv.converters.readers.assembly.table import Table
from upconv.converters.readers.assembly.workspace import Workspace
from upconv.converters.readers.files.hdf5 import Dataset
from upconv.converters.readers.files.json_spans import JsonObject
from upconv.converters.readers.keras.config import NodeCall
from upconv.converters.readers.keras.version import KerasVersion
from upconv.converters.readers.options import ReadOptions


@dataclass(frozen=True, slots=True)
class Value:
    """A tensor of the graph: its name in the representation, and whether its channels moved: Keras
    has it as (N, spatial..., C), the representation as (N, C, spatial...). Else both have the axes
    in the same order."""

    name: str
    moved: bool = False


@dataclass(frozen=True, slots=True)
class KerasLayer:
    """One use of a layer. `arrays` are its variables in Keras's layout, empty without weights."""

    name: str
    type: str
    config: JsonObject
    inputs: tuple[Value, ...]
    call: NodeCall
    arrays: Mapping[str, Dataset]
    has_weights: bool
    origin: Origin
    version: KerasVersion
    options: ReadOptions

    @property
    def x(self) -> Value:
        if not self.inputs:
            raise self.invalid("has no input")
        return self.inputs[0]

    def invalid(self, message: str, member: str = "", hint: str = "") -> UnreadableError:
        """An error about this layer: Keras itself would refuse it."""
        return UnreadableError(message, layer=self.name, hint=hint, **self._place(member))

    def unsupported(self, message: str, member: str = "", hint: str = "") -> UnsupportedError:
        """An error about this layer: it is legal, but cannot be represented."""
        return UnsupportedError(message, layer=self.name, hint=hint, **self._place(member))

    def not_runnable(self, message: str, *members: str) -> NotRunnableError:
        """An error about this layer: Keras builds it, and fails when it is called."""
        member = next((one for one in members if one in self.config), "")
        return NotRunnableError(message, layer=self.name, **self._place(member))

    def _place(self, member: str) -> dict[str, Any]:
        """The member of the config where there is a text to point into, else the layer."""
        pointed = self.origin.span is not None and member in self.config
        where = self.config.span_of(member) if pointed else self.origin
        return {"path": self.origin.path, "where": where}


class Step:
    """The operators of one use of a layer, as they are added."""

    def __init__(self, layer: KerasLayer, work: Workspace) -> None:
        self.layer = layer
        self.work = work
        self.mark = len(work.layers)

    def shape(self, value: Value) -> Shape | None:
        """The inferred shape, in the representation's order; None where it is unknown."""
        return self.work.shapes.get(value.name)

    def rank(self, value: Value) -> int | None:
        """How many axes a value has, None where that is unknown."""
        return self.work.rank(value.name)

    def size(self, value: Value, axis: int) -> Size | None:
        """The size of one axis, None where it is unknown."""
        return self.work.size(value.name, axis)

    def add(
        self,
        operator: Operator,
        inputs: Sequence[Value],
        weights: Mapping[str, Weight] | None = None,
        suffix: str = "",
        moved: bool | None = None,
    ) -> Value:
        """Append an operator; its output, moved as the first input is unless `moved` says.

        The operator without a suffix bears the layer's own name.
        """
        return self.add_many(operator, inputs, 1, weights, suffix, moved)[0]

    def add_many(
        self,
        operator: Operator,
        inputs: Sequence[Value],
        outputs: int,
        weights: Mapping[str, Weight] | None = None,
        suffix: str = "",
        moved: bool | None = None,
    ) -> tuple[Value, ...]:
        """Append an operator with several outputs, as `add` does."""
        name = f"{self.layer.name}/{suffix}" if suffix else self.layer.name
        wanted = f"{self.layer.name}/{suffix or type(operator).__name__}"
        read = [value.name for value in inputs]
        made = self.work.add(name, operator, read, self.layer.origin, weights, (wanted,) * outputs)
        turned = inputs[0].moved if moved is None else moved
        return tuple(Value(output, turned) for output in made)

    def moved(self, value: Value, rank: int | None = None) -> Value:
        """The value with its channels moved to axis 1; `rank` where the shape is unknown."""
        return self._turned(value, True, rank)

    def plain(self, value: Value, rank: int | None = None) -> Value:
        """The value with its axes in Keras's order."""
        return self._turned(value, False, rank)

    def _turned(self, value: Value, moved: bool, rank: int | None) -> Value:
        """Of a value that is not known nothing can be written, so nothing is turned."""
        rank = self.rank(value) or rank
        if value.moved == moved or (rank is not None and rank < 3):
            return value
        if rank is None:
            return Value(value.name, moved)
        turn = to_channels_first if moved else to_channels_last
        order = ops.Permute(turn(range(rank)))
        made = self.work.once(
            value.name, moved, lambda: self.add(order, [value], suffix=turn.__name__).name
        )
        return Value(made, moved)

    def finish(self, results: Sequence[Value], name: str) -> tuple[Value, ...]:
        """Give the results the layer's own name."""
        work = self.work
        made = {output for layer in work.layers[self.mark :] for output in layer.outputs}
        final: list[Value] = []
        names: dict[str, str] = {}
        for given in results:
            result = given
            if given.name not in made or given.name in names:
                suffix = "copy" if len(work.layers) > self.mark else ""
                result = self.add(ops.Identity(), [given], suffix=suffix)
            names[result.name] = work.values.unique(name)
            final.append(Value(names[result.name], result.moved))
        work.rename(names, self.mark)
        return tuple(final)


Lowering: TypeAlias = Callable[[KerasLayer, Step], "Value | tuple[Value, ...]"]

LAYERS: Final[Table[Lowering]] = Table("upconv.converters.readers.keras", "layers_")
"""Class name of a layer -> its lowering."""

OPERATIONS: Final[Table[Lowering]] = Table("upconv.converters.readers.keras", "operations")
"""Name of a function in the graph (of keras.ops, or of TensorFlow in Keras 2) -> its lowering."""

lowers = LAYERS.enters
lowers_function = OPERATIONS.enters


class ConsequenceError(UnsupportedError):
    """What another layer's error leads to: no notice."""


class NotRunnableError(UnsupportedError):
    """A layer that Keras builds, and that fails when it is called."""


class LambdaError(UnsupportedError):
    """Code is written inside the file; it is never run."""
