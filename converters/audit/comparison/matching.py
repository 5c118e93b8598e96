"""Layers of two models matched by place: by what they read, what reads them, shape and weights.

Values are matched from the inputs on. A layer's partner reads the partners of what it reads;
where several do (parallel branches), settings, weights and what follows decide. Where none does,
the models differ there: another operator stands in the place, one model has a layer more, or a
layer reads something else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal, TypeAlias

from upconv.converters.audit.comparison.merges import COMMUTATIVE
from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer, Model
from upconv.converters.ir.records import record
from upconv.converters.ir.shapes import Shape

Shapes: TypeAlias = Mapping[str, Shape | None]

DEPTH: Final = 3
"""How many layers behind a value are looked at to tell what follows it."""

PASSED_OVER: Final = 3
"""How many layers in a row one model may have more."""


@record(frozen=True, slots=True)
class Pair:
    """Two layers in one place. `reads`: "same", "order" (the same values in another order), or
    "other" (another value at an input)."""

    left: Layer
    right: Layer
    reads: Literal["same", "order", "other"] = "same"


@record(frozen=True, slots=True)
class Matching:
    """All pairs, in the order of the left model; layers without a partner; left value -> right."""

    pairs: tuple[Pair, ...]
    only_left: tuple[Layer, ...]
    only_right: tuple[Layer, ...]
    values: Mapping[str, str]


class _Side:
    """One model: who reads a value, and what follows it."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.consumers = model.consumers()
        self.outputs = set(model.outputs)
        self._follows: dict[tuple[str, int], int] = {}
        self.free = {layer.name for layer in model.layers}

    def follows(self, value: str, depth: int = DEPTH) -> int:
        """A number that is equal where the same kinds of layers follow, as far as `depth`."""
        key = (value, depth)
        if key not in self._follows:
            behind = sorted(
                hash((kind_of(layer), *(self.follows(v, depth - 1) for v in layer.outputs)))
                for layer in (self.consumers.get(value, ()) if depth else ())
            )
            self._follows[key] = hash((value in self.outputs, *behind))
        return self._follows[key]


def kind_of(layer: Layer) -> str:
    """The name of what a layer does, without its settings."""
    op = layer.operator
    if isinstance(op, ops.Unknown):
        return f"Unknown {op.type}"
    if isinstance(op, ops.Reshape | ops.Flatten):
        return "Reshape"
    return f"Eltwise {op.kind}" if isinstance(op, ops.Eltwise) else type(op).__name__


def ordered(layer: Layer) -> bool:
    """Whether the order of a layer's inputs counts."""
    op = layer.operator
    return not (isinstance(op, ops.Eltwise) and op.kind in COMMUTATIVE and not op.coefficients)


def paired_names(left: Sequence[str], right: Sequence[str]) -> list[tuple[str, str]]:
    """Inputs or outputs of two models: by name where the names are the same, else in order."""
    if set(left) == set(right):
        return [(name, name) for name in left]
    return list(zip(left, right, strict=False))


def match(left: Model, right: Model, shapes: tuple[Shapes, Shapes]) -> Matching:
    """The partners of all layers of two models in one form (`canonical`), whose values have these
    shapes."""
    work = _Work(left, right, shapes)
    for layer in left.layers:
        work.place(layer)
    free = [layer for layer in right.layers if layer.name in work.right.free]
    return Matching(tuple(work.pairs), tuple(work.only_left), (*work.extra, *free), work.values)


class _Work:
    """A matching under way."""

    def __init__(self, left: Model, right: Model, shapes: tuple[Shapes, Shapes]) -> None:
        self.left, self.right = _Side(left), _Side(right)
        self.shapes = shapes
        names = ([entry.name for entry in model.inputs] for model in (left, right))
        self.values: dict[str, str] = dict(paired_names(*names))
        self.pairs: list[Pair] = []
        self.only_left: list[Layer] = []
        self.extra: list[Layer] = []

    def place(self, layer: Layer) -> None:
        """Find a layer's partner, or say that it has none."""
        for find in (self._same_place, self._behind_another, self._other_reading, self._replaced):
            pair = find(layer)
            if pair is not None:
                self._enter(pair)
                return
        instead = None if self._pass_over(layer) else self._replaced(layer, resized=True)
        if instead is not None:
            self._enter(instead)
        else:
            self.only_left.append(layer)

    def _pass_over(self, layer: Layer) -> bool:
        """Where what follows a layer, or a few of them, follows in the right model what goes in:
        these are passed over. Whether they were."""
        mapped = self.values.get(layer.inputs[0]) if layer.inputs else None
        chain: list[str] = []
        one: Layer | None = layer
        while mapped is not None and one is not None and len(chain) < PASSED_OVER:
            if len(one.outputs) != 1:
                return False
            chain.append(one.outputs[0])
            readers = self.left.consumers.get(chain[-1], [])
            if self._alike(chain[-1], mapped) and not any(
                self._reads(reader, mapped) for reader in readers
            ):
                self.values.update(dict.fromkeys(chain, mapped))
                return True
            one = readers[0] if len(readers) == 1 else None
        return False

    def _alike(self, value: str, other: str) -> bool:
        """Whether two values have one shape, and the same kinds of layers read them."""
        same = self.shapes[0].get(value) == self.shapes[1].get(other)
        return same and self.left.follows(value, 1) == self.right.follows(other, 1)

    def _reads(self, layer: Layer, mapped: str) -> bool:
        """Whether a layer already reads a value's partner: then a branch is gone, and not a layer
        of a row."""
        return mapped in (self.values.get(value) for value in layer.inputs)

    def _enter(self, pair: Pair) -> None:
        self.pairs.append(pair)
        self.right.free.discard(pair.right.name)
        self.values.update(zip(pair.left.outputs, pair.right.outputs, strict=False))

    def _candidates(self, layer: Layer) -> Iterator[Layer]:
        """Free layers of the right model that read a partner of what the layer reads."""
        if not layer.inputs:
            yield from (
                one for one in self.right.model.layers if not one.inputs and self._free(one)
            )
        seen: set[str] = set()
        for value in layer.inputs:
            for one in self.right.consumers.get(self.values.get(value, ""), ()):
                if self._free(one) and one.name not in seen:
                    seen.add(one.name)
                    yield one

    def _free(self, layer: Layer) -> bool:
        return layer.name in self.right.free

    def _same_place(self, layer: Layer) -> Pair | None:
        """A layer of the same kind that reads the same values, the likest of several."""
        mapped = [self.values.get(value) for value in layer.inputs]
        found: list[tuple[tuple[int, ...], Pair]] = []
        for other in self._candidates(layer):
            if kind_of(other) != kind_of(layer) or len(other.inputs) != len(mapped):
                continue
            in_order = list(other.inputs) == mapped
            if not in_order and sorted(other.inputs) != sorted(map(str, mapped)):
                continue
            reads: Literal["same", "order"] = "same" if in_order or not ordered(layer) else "order"
            found.append((self._likeness(layer, other, reads), Pair(layer, other, reads)))
        return self._likest(found)

    def _likest(self, found: list[tuple[tuple[int, ...], Pair]]) -> Pair | None:
        """The first of the likest; weights are only looked at where there is a choice."""
        if len(found) < 2:
            return found[0][1] if found else None
        most = max(likeness for likeness, _ in found)
        best = [pair for likeness, pair in found if likeness == most]
        if len(best) == 1:
            return best[0]
        return next((one for one in best if _equal_weights(one.left, one.right)), best[0])

    def _likeness(self, layer: Layer, other: Layer, reads: str) -> tuple[int, ...]:
        follows = [
            self.left.follows(a, depth) == self.right.follows(b, depth)
            for a, b in zip(layer.outputs, other.outputs, strict=False)
            for depth in (1, DEPTH)
        ]
        same_shapes = {n: w.shape for n, w in layer.weights.items() if w.shape} == {
            n: w.shape for n, w in other.weights.items() if w.shape
        }
        return (reads == "same", same_shapes, layer.operator == other.operator, sum(follows))

    def _behind_another(self, layer: Layer) -> Pair | None:
        """The right model has a layer, or a few, more in between: they are passed over."""
        for value in dict.fromkeys(layer.inputs):
            before = self.values.get(value, "")
            for extras in self._chains(before):
                after = extras[-1].outputs[0]
                if not self._alike(value, after):
                    continue
                self.values[value] = after
                pair = self._same_place(layer)
                if pair is not None and pair.right not in extras:
                    self.extra += extras
                    self.right.free.difference_update(one.name for one in extras)
                    return pair
                self.values[value] = before
        return None

    def _chains(self, value: str) -> Iterator[list[Layer]]:
        """Rows of free layers, each reading the one before, and the first one the value."""
        rows = [[one] for one in self.right.consumers.get(value, ()) if self._free(one)]
        for _ in range(PASSED_OVER):
            rows = [row for row in rows if len(row[-1].outputs) == 1]
            yield from rows
            rows = [
                [*row, one]
                for row in rows
                for one in self.right.consumers.get(row[-1].outputs[0], ())
                if self._free(one)
            ]

    def _other_reading(self, layer: Layer) -> Pair | None:
        """A layer of the same kind that reads one of the values, and something else."""
        if len(layer.inputs) < 2:
            return None
        found = [
            (self._likeness(layer, other, "other"), Pair(layer, other, "other"))
            for other in self._candidates(layer)
            if kind_of(other) == kind_of(layer)
        ]
        return self._likest(found)

    def _replaced(self, layer: Layer, resized: bool = False) -> Pair | None:
        """Another operator in the same place: the same goes in, and the same follows; with
        `resized`, of another size."""
        if not layer.outputs:
            return None
        mapped = [self.values.get(value) for value in layer.inputs]
        for other in self._candidates(layer):
            alike = list(other.inputs[:1]) == mapped[:1] and len(other.inputs) == len(mapped)
            if not alike or not other.outputs:
                continue
            ends = layer.outputs[0], other.outputs[0]
            follows = self.left.follows(ends[0], 1) == self.right.follows(ends[1], 1)
            if follows and (resized or self._alike(*ends)):
                return Pair(layer, other)
        return None


def _equal_weights(left: Layer, right: Layer) -> bool:
    import numpy as np

    for name, weight in left.weights.items():
        other = right.weights.get(name)
        if other is None or not weight.present or not other.present:
            return False
        if weight.shape != other.shape or not np.array_equal(weight.array(), other.array()):
            return False
    return True
