"""What a lowering function sees of a Keras layer, what it builds, and the table of functions.

A lowering turns one use of a layer into operator records, which it adds to a `Step` one by one;
it gives back the values that the layer puts out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from upconv.converters.ir.dims import Size
from upconv.converters.ir.errors import ShapeError, UnreadableError, UnsupportedError, UpconvError
from upconv.converters.ir.inference import layer_shapes
from upconv.converters.ir.model import Layer, Notice, Shape
from upconv.converters.ir.operators import Identity, Operator, Permute
from upconv.converters.ir.origin import Origin
from upconv.converters.ir.tensors import Weight
from upconv.converters.passes.rename import renamed
from upconv.converters.readers.files.hdf5 import Dataset
from upconv.converters.readers.files.json_spans import JsonObject
from upconv.converters.readers.keras.config import NodeCall
from upconv.converters.readers.keras.layout import Value, to_channels_first, to_channels_last
from upconv.converters.readers.keras.version import KerasVersion
from upconv.converters.readers.options import ReadOptions


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
        return NotRunnableError(message, **self._place(member))

    def _place(self, member: str) -> dict[str, Any]:
        """The member of the config where there is a text to point into, else the layer."""
        pointed = self.origin.span is not None and member in self.config
        where = self.config.span_of(member) if pointed else self.origin
        return {"path": self.origin.path, "where": where}


@dataclass(slots=True)
class Workspace:
    """What grows while a model is read: layers, inferred shapes, names taken, notices.

    `reserved` are the names of the model's own layers, which their first outputs will bear.
    """

    shapes: dict[str, Shape | None] = field(default_factory=dict)
    layers: list[Layer] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    weights: dict[tuple[str, str], Weight] = field(default_factory=dict)
    values_taken: set[str] = field(default_factory=set)
    layers_taken: set[str] = field(default_factory=set)
    reserved: frozenset[str] = frozenset()
    turned: dict[tuple[str, bool], Value] = field(default_factory=dict)
    _counts: dict[tuple[str, str], int] = field(default_factory=dict)

    def value_name(self, wanted: str) -> str:
        """A name no other value has: the wanted one, or with _1, _2 ... behind it."""
        return _unique(wanted, ("_", 1), self.values_taken, self.reserved, self._counts)

    def layer_name(self, wanted: str) -> str:
        """A name no other layer has: the wanted one, or with @2, @3 ... behind it."""
        return _unique(wanted, ("@", 2), self.layers_taken, frozenset(), self._counts)


def _unique(
    wanted: str,
    numbering: tuple[str, int],
    taken: set[str],
    reserved: frozenset[str],
    counts: dict[tuple[str, str], int],
) -> str:
    """The name, or numbered; `counts` holds where to go on, so that many uses stay cheap."""
    mark, first = numbering
    chosen = wanted
    while chosen in taken or (chosen != wanted and chosen in reserved):
        count = counts.get((wanted, mark), first)
        chosen = f"{wanted}{mark}{count}"
        counts[wanted, mark] = count + 1
    taken.add(chosen)
    return chosen


class Step:
    """The operators of one use of a layer, as they are added."""

    def __init__(self, layer: KerasLayer, work: Workspace) -> None:
        self.layer = layer
        self.work = work
        self.layers: list[Layer] = []

    def shape(self, value: Value) -> Shape | None:
        """The inferred shape, in the representation's order; None where it is unknown."""
        return self.work.shapes.get(value.name)

    def rank(self, value: Value) -> int | None:
        """How many axes a value has, None where that is unknown."""
        shape = self.shape(value)
        return None if shape is None else len(shape)

    def size(self, value: Value, axis: int) -> Size | None:
        """The size of one axis, None where it is unknown."""
        shape = self.shape(value)
        return shape[axis] if shape is not None and axis < len(shape) else None

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
        layer = Layer(
            name=self.work.layer_name(name),
            operator=operator,
            inputs=tuple(value.name for value in inputs),
            outputs=tuple(self.work.value_name(wanted) for _ in range(outputs)),
            weights=weights or {},
            origin=self.layer.origin,
        )
        self.layers.append(layer)
        self._infer(layer)
        turned = inputs[0].moved if moved is None else moved
        return tuple(Value(output, turned) for output in layer.outputs)

    def _infer(self, layer: Layer) -> None:
        """Enter the outputs' shapes; a contradiction is for `infer` to report."""
        try:
            results = layer_shapes(layer, self.work.shapes)
        except ShapeError as error:
            results = error.guess
        for index, output in enumerate(layer.outputs):
            self.work.shapes[output] = results[index] if index < len(results) else None

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
        key = (value.name, moved)
        if key not in self.work.turned:
            turn = to_channels_first if moved else to_channels_last
            suffix = "to_channels_first" if moved else "to_channels_last"
            order = tuple(turn(range(rank)))
            self.work.turned[key] = self.add(Permute(order), [value], suffix=suffix, moved=moved)
        return self.work.turned[key]

    def finish(self, results: Sequence[Value], wanted: Sequence[str]) -> tuple[Value, ...]:
        """Give the results the layer's own names and hand its layers over."""
        made = {output for layer in self.layers for output in layer.outputs}
        final: list[Value] = []
        names: dict[str, str] = {}
        for given, name in zip(results, wanted, strict=True):
            result = given
            if given.name not in made or given.name in names:
                result = self.add(Identity(), [given], suffix="copy" if self.layers else "")
            names[result.name] = self.work.value_name(name)
            final.append(Value(names[result.name], result.moved))
        for old, new in names.items():
            self.work.shapes[new] = self.work.shapes.pop(old)
            self.work.values_taken.discard(old)
        self.work.turned = {
            key: Value(names.get(value.name, value.name), value.moved)
            for key, value in self.work.turned.items()
        }
        self.work.layers += [renamed(layer, names) for layer in self.layers]
        return tuple(final)


Lowering: TypeAlias = Callable[[KerasLayer, Step], "Value | tuple[Value, ...]"]

LAYERS: Final[dict[str, Lowering]] = {}
"""Class name of a layer -> its lowering."""

OPERATIONS: Final[dict[str, Lowering]] = {}
"""Name of a function in the graph (of keras.ops, or of TensorFlow in Keras 2) -> its lowering."""


def lowers(*types: str, table: dict[str, Lowering] = LAYERS) -> Callable[[Lowering], Lowering]:
    """Decorator: the function lowers layers of these classes. A second one raises."""

    def enter(function: Lowering) -> Lowering:
        for name in types:
            if name in table:
                raise ValueError(f"{name} is lowered twice")
            table[name] = function
        return function

    return enter


class ConsequenceError(UnsupportedError):
    """What another layer's error leads to: no notice."""


class NotRunnableError(UnsupportedError):
    """A layer that Keras builds, and that fails when it is called."""


class LambdaError(UnsupportedError):
    """Code is written inside the file; it is never run."""


def described(error: UpconvError, layer: KerasLayer) -> UpconvError:
    """The error with the layer and its place, where it has none."""
    error.layer = error.layer or layer.name
    error.path = error.path or layer.origin.path
    error.where = error.where or layer.origin.span
    return error
