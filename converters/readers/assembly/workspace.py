"""A model under construction: what every reader adds its inputs and layers to, in their order.

Names are made unique and shapes inferred as layers come in, so that a lowering may ask for the
shape of what it reads. What a lowering began and could not end is undone. All of it takes the same
time however many layers there are already.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Final, Literal, TypeAlias

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Like, Size, Symbol, leaves, like, substitute
from upconv.converters.ir.errors import ShapeError, UnsupportedError, UpconvError
from upconv.converters.ir.inference import keep_inference, layer_shapes
from upconv.converters.ir.model import (
    Layer,
    Model,
    ModelInput,
    Notice,
    NoticeKind,
    Shape,
    validate,
)
from upconv.converters.ir.operators import Identity, Operator, Unknown, targets
from upconv.converters.ir.origin import Origin
from upconv.converters.ir.tensors import Weight
from upconv.converters.passes.rename import renamed
from upconv.converters.readers.assembly.bounds import excess
from upconv.converters.readers.assembly.layout import to_channels_first
from upconv.converters.readers.assembly.names import Names

Key: TypeAlias = tuple[str, Hashable]
Kinds: TypeAlias = tuple[tuple[type[UpconvError], NoticeKind], ...]

NOTICE_KINDS: Final[Kinds] = (
    (UnsupportedError, "unknown-layer-type"),
    (UpconvError, "unreadable-part"),
)
"""The kind of notice for a layer that could not be lowered, by the first class that fits."""

_NOWHERE: Final = Origin("")


class Workspace:
    """The inputs, layers and notices of one file so far.

    `shapes` holds the inferred shape of every value, None where it is unknown, and `contradictions`
    what was wrong with a layer's inputs, by the layer's name. `kinds` are the notices that errors
    of the reader's own classes become. `weights` are those that uses of one tensor share, by
    whatever tells them apart. `leaving` are the values that leave, and the names they then have,
    `channels_last` the names of inputs and outputs whose source has its channels last. `whole` are
    values that hold whole numbers only, as far as readers say it, `spent` those that a lowering has
    seen through: layers that make nothing else and are read by none are left out.
    """

    def __init__(self, path: str, framework: str, kinds: Kinds = ()) -> None:
        self.path = path
        self.framework = framework
        self.kinds = kinds
        self.inputs: list[ModelInput] = []
        self.layers: list[Layer] = []
        self.outputs: list[str] = []
        self.notices: list[Notice] = []
        self.shapes: dict[str, Shape | None] = {}
        self.contradictions: dict[str, ShapeError] = {}
        self.weights: dict[Hashable, Weight] = {}
        self.titles = Names("@", 2)
        self.values = Names("_", 1)
        self.leaving: dict[str, str] = {}
        self.channels_last: set[str] = set()
        self.whole: set[str] = set()
        self.spent: set[str] = set()
        self._entered: set[str] = set()
        self._short: set[Shape] = set()
        self._as_inferred = True
        self._once: dict[Key, str] = {}
        self._keys: dict[str, list[Key]] = {}

    # What stands already

    def rank(self, value: str) -> int | None:
        """How many axes a value has, None where that is unknown."""
        shape = self.shapes.get(value)
        return None if shape is None else len(shape)

    def size(self, value: str, axis: int) -> Size | None:
        """The size of one axis in the inputs' symbols, None where it is unknown."""
        shape = self.shapes.get(value)
        return shape[axis] if shape is not None and axis < len(shape) else None

    def sizes(self, value: str) -> Shape | None:
        """The sizes of a value, open ones as its own; None where even their number is unknown."""
        shape = self.shapes.get(value)
        if shape is None:
            return None
        return tuple(n if isinstance(n, int) else like(value, at) for at, n in enumerate(shape))

    def known(self, size: Size) -> Size:
        """A size that may be like other values' in the inputs' symbols: a number where nothing is
        open."""
        return substitute(size, self._size_of)

    def _size_of(self, leaf: Symbol | Like) -> Size | None:
        return None if isinstance(leaf, Symbol) else self.size(leaf.tensor, leaf.axis)

    # Inputs and layers

    def feed(
        self,
        name: str,
        shape: Shape | None,
        origin: Origin = _NOWHERE,
        *,
        integer: bool = False,
        channels_last: bool = False,
    ) -> None:
        """Append a graph input; a shape with its channels last is turned."""
        if channels_last and shape is not None and len(shape) > 2:
            shape = to_channels_first(shape)
            self.channels_last.add(name)
        self.inputs.append(ModelInput(name, shape, origin, integer))
        self._entered.add(name)
        self.values.taken.add(name)
        self.shapes[name] = shape

    def add(
        self,
        name: str,
        operator: Operator,
        inputs: Sequence[str],
        origin: Origin,
        weights: Mapping[str, Weight] | None = None,
        outputs: Sequence[str] = (),
    ) -> tuple[str, ...]:
        """Append a layer; the names of its outputs. It and its `outputs`, one of its own name
        where none are said, are numbered where others have their names."""
        layer = Layer(
            self.titles.unique(name),
            operator,
            with_references(operator, inputs),
            tuple(self.values.unique(one) for one in outputs or (name,)),
            weights or {},
            origin,
        )
        self.append(layer)
        if self.whole.issuperset(inputs) and _moves_values(operator):
            self.whole.update(layer.outputs)
        return layer.outputs

    def unknown(
        self,
        name: str,
        type_name: str,
        error: UpconvError,
        inputs: Iterable[str],
        origin: Origin,
        outputs: Sequence[str],
        *,
        told: bool = True,
        shapes: Sequence[Shape] = (),
    ) -> tuple[str, ...]:
        """Append a layer that is not understood, as `add` does; the error says why, in a notice
        where it is to be `told`. `shapes` are those of its first outputs, as far as known."""
        if told:
            self.refuse(error, name, origin)
        first, others = (shapes[0] if shapes else None), shapes[1:]
        more, axes = tuple(chain.from_iterable(map(tuple, others))), tuple(map(len, others))
        operator = Unknown(type_name, error.message, shape=first, others=more, axes=axes)
        return self.add(name, operator, tuple(inputs), origin, outputs=outputs)

    def append(self, layer: Layer) -> bool:
        """Append a layer whose names are unique, and infer its outputs' shapes; whether nothing is
        wrong with them."""
        plain = True
        self.layers.append(layer)
        try:
            found = layer_shapes(layer, self.shapes)
        except ShapeError as error:
            self.contradictions[layer.name] = error.noted()
            found, plain = error.guess, False
        for index, value in enumerate(layer.outputs):
            shape = found[index] if index < len(found) else None
            if shape is not None and shape not in self._short:
                if any(map(excess, shape)):
                    shape, plain = None, False
                else:
                    self._short.add(shape)
            self.shapes[value] = shape
        self._as_inferred &= plain
        return plain

    def take(self, layers: Iterable[Layer], shapes: Iterable[tuple[str, Shape | None]]) -> None:
        """Append layers as they were appended before, to inputs of the same shapes, when nothing
        was wrong with them."""
        self.layers += layers
        self.shapes.update(shapes)

    def once(self, value: str, how: Hashable, make: Callable[[], str]) -> str:
        """What `make` makes of a value, where it is first asked for; `how` says what that is."""
        key = (value, how)
        if key not in self._once:
            self._remember(key, make())
        return self._once[key]

    def _remember(self, key: Key, made: str) -> None:
        self._once[key] = made
        for name in (key[0], made):
            self._keys.setdefault(name, []).append(key)

    def refuse(self, error: UpconvError, layer: str = "", origin: Origin = _NOWHERE) -> None:
        """Note what is wrong with a layer, at its place where the error has none; reading goes
        on."""
        located(error.noted(), layer, origin)
        kinds = (*self.kinds, *NOTICE_KINDS)
        kind = next(kind for cause, kind in kinds if isinstance(error, cause))
        self.notices.append(Notice(kind, error))

    def note_whole_numbers(self, quantized: str, origin: Origin) -> None:
        """Say of a quantised model that it computes in whole numbers which stand for real ones: its
        layers are those of the real ones, whose sizes are the same, and its numbers are not."""
        error = UnsupportedError(
            f"the model computes in whole numbers ('{quantized:.60}' is quantised)",
            where=origin,
            path=self.path,
            hint="convert the model it was made from, in float32",
        )
        self.notices.append(Notice("whole-number-arithmetic", error))

    # Changes

    def undo(self, mark: int) -> tuple[str, ...]:
        """Take back the layers from number `mark` on; the values that are gone with them."""
        gone = self.layers[mark:]
        del self.layers[mark:]
        for layer in gone:
            self.titles.free(layer.name)
            self.contradictions.pop(layer.name, None)
        values = tuple(value for layer in gone for value in layer.outputs)
        for value in values:
            self.values.free(value)
            self.whole.discard(value)
            self.shapes.pop(value, None)
            for key in self._keys.pop(value, ()):
                self._once.pop(key, None)
        return values

    def rename(self, names: Mapping[str, str], mark: int = 0) -> None:
        """Give values of the layers from number `mark` on new names, which are taken already."""
        if not names:
            return
        self.layers[mark:] = [renamed(layer, names) for layer in self.layers[mark:]]
        self.shapes |= {new: self.shapes.pop(old) for old, new in names.items()}
        whole = [old for old in names if old in self.whole]
        self.whole.difference_update(whole)
        self.whole.update(names[old] for old in whole)
        for old in names.keys() - set(names.values()):
            self.values.free(old)
        keys = {key for old in names for key in self._keys.pop(old, ()) if key in self._once}
        made = {key: self._once.pop(key) for key in keys}
        for (value, how), one in made.items():
            self._remember((names.get(value, value), how), names.get(one, one))

    # The end

    def is_border(self, value: str) -> bool:
        """Whether a value is an input, or leaves the graph already: its name is not to change."""
        return value in self._entered or value in self.leaving

    def leave(
        self, value: str, name: str, title: str, origin: Origin, *, channels_last: bool = False
    ) -> None:
        """Let a value leave the graph under a name that is taken for it.

        One that is an input, or leaves already, is copied by a layer called `title`.
        """
        if self.is_border(value):
            title = self.titles.unique(title)
            self.append(Layer(title, Identity(), (value,), (name,), {}, origin))
            value = name
        self.leaving[value] = name
        self.outputs.append(name)
        if channels_last:
            self.channels_last.add(name)

    def model(
        self,
        name: str,
        *,
        origin: Origin = _NOWHERE,
        phase: Literal["TEST", "TRAIN"] = "TEST",
        weights_path: str = "",
        integer_outputs: frozenset[str] = frozenset(),
        has_graph: bool = True,
    ) -> Model:
        """The finished model, what leaves it under its own name; its laws hold."""
        self._drop_spent()
        self.rename({old: new for old, new in self.leaving.items() if old != new})
        made = Model(
            name=name,
            path=self.path,
            framework=self.framework,
            inputs=tuple(self.inputs),
            outputs=tuple(self.outputs),
            layers=tuple(self.layers),
            notices=tuple(self.notices),
            phase=phase,
            weights_path=weights_path,
            channels_last=frozenset(self.channels_last),
            integer_outputs=integer_outputs,
            has_graph=has_graph,
            origin=origin,
        )
        validate(made)
        if self._as_inferred:
            keep_inference(made, self.shapes)
        return made

    def _drop_spent(self) -> None:
        """Take back what was seen through, and what only that read."""
        if not self.spent:
            return
        self._as_inferred = False
        spent, needed = set(self.spent), set(self.leaving)
        kept: list[Layer] = []
        for layer in reversed(self.layers):
            if needed.isdisjoint(layer.outputs) and not spent.isdisjoint(layer.outputs):
                spent.update(layer.inputs)
                continue
            needed.update(layer.inputs)
            kept.append(layer)
        self.layers = kept[::-1]


def apart(inputs: Sequence[str], copy: Callable[[str], str]) -> list[str]:
    """The inputs of a layer, each once: it reads none twice. `copy` makes another of a value.

    >>> apart(["x", "y", "x"], lambda name: f"{name}/copy")
    ['x', 'y', 'x/copy']
    """
    found: list[str] = []
    for name in inputs:
        found.append(copy(name) if name in found else name)
    return found


def with_references(operator: Operator, inputs: Sequence[str]) -> tuple[str, ...]:
    """A layer's inputs, and behind them the tensors whose sizes its operator takes."""
    found = {leaf.tensor for size in targets(operator) for leaf in leaves(size)
             if isinstance(leaf, Like)}  # fmt: skip
    return (*inputs, *sorted(found.difference(inputs)))


def _moves_values(operator: Operator) -> bool:
    """Whether every value of the output is one of the inputs'."""
    if isinstance(operator, ops.Resize):
        return operator.mode == "nearest"
    if isinstance(operator, ops.Pool):
        return operator.kind == "max"
    return isinstance(operator, _MOVES)


_MOVES: Final = (
    *(ops.Concat, ops.Crop, ops.Flatten, ops.Identity),
    *(ops.Permute, ops.Reshape, ops.Slice, ops.Tile),
    *(ops.Expand, ops.Gather, ops.StridedSlice),
)


def located(error: UpconvError, layer: str, origin: Origin) -> UpconvError:
    """The error with the layer and its place, where it has none."""
    error.layer = error.layer or layer
    error.path = error.path or origin.path
    error.where = error.where or origin.span
    return error
