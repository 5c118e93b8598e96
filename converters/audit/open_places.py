"""Where pixels lie in a net of open sizes whose offsets and ratios are expressions.

A slice that cuts to the middle begins at (H - h)//2, one of a decoder at min(2, h): expressions,
that for most nets come to one number, or to one for each rest of the input's size by some period.
With those numbers in their places a net's pixels have places (`ir.places`), as with fixed sizes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from math import lcm
from typing import Final

from upconv.converters.audit.growth import Growth, Growths, Unsayable, aligned
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import (
    Dim,
    Like,
    Size,
    Symbol,
    TooLongError,
    leaves,
    substitute,
    symbol,
)
from upconv.converters.ir.inference import infer
from upconv.converters.ir.model import Layer, Model, ModelInput
from upconv.converters.ir.records import record
from upconv.converters.ir.shapes import Shape

Shapes = Mapping[str, Shape | None]

SIDE: Final = symbol("side")
"""The one letter that all open sizes are judged by: a map speaks of one axis, whatever the others
are, and what mixes axes is looked at where they are as long."""

LEAST: Final = 64
LONGEST: Final = 64
MOST_CASES: Final = 6
MOST_TRIES: Final = 24
"""The least size that a case is told of, after how many sizes cases must repeat, how many there
are at most, and at how many sizes it is tried whether the net runs."""


@record(frozen=True, slots=True)
class Placed:
    """A net with numbers for the offsets and ratios that are expressions, as far as they are known.

    `side`: the size of the input, along every open axis, that they hold for; None where it is every
    size but tiny ones.
    """

    model: Model
    side: int | None


def placed(model: Model, shapes: Shapes) -> tuple[Placed, ...]:
    """The net as its pixels lie; where that follows the input's size, a case for each way in which
    it does, the first at a size that is as even as can be.

    >>> from upconv.converters.ir.model import ModelInput
    >>> H = symbol("H")
    >>> crop = ops.Crop(2, ((H - H // 4 * 4) // 2,), (H // 4 * 4,))
    >>> net = Model("net", "", "", (ModelInput("x", (1, 1, H)),), ("y",),
    ...             (Layer("crop", crop, ("x",), ("y",)),))
    >>> [(one.side, one.model.layers[0].operator.offsets) for one in placed(net, infer(net).shapes)]
    [(64, (0,)), (66, (1,))]
    """
    numbers = _Numbers(shapes)
    period = lcm(1, *(numbers.period(layer) for layer in model.layers))
    if period == 1 or period > LONGEST:
        return (Placed(_with(model, numbers, None), None),)
    return tuple(_cases(model, numbers, period)) or (Placed(model, None),)


def _cases(model: Model, numbers: _Numbers, period: int) -> Iterator[Placed]:
    """A case for each way in which the net lies, at the first size that runs."""
    first = -(-max(LEAST, numbers.longest_head + 1) // period) * period
    found: set[tuple[ops.Operator, ...]] = set()
    for side in islice(range(first, first + period), MOST_TRIES):
        made = _with(model, numbers, side)
        key = tuple(layer.operator for layer in made.layers)
        if key not in found and len(found) < MOST_CASES and _runs(model, side):
            found.add(key)
            yield Placed(made, side)


def _with(model: Model, numbers: _Numbers, side: int | None) -> Model:
    layers = tuple(numbers.written(layer, side) for layer in model.layers)
    return model if layers == model.layers else replace(model, layers=layers)


def _runs(model: Model, side: int) -> bool:
    return not infer(
        replace(model, inputs=tuple(_of_side(entry, side) for entry in model.inputs))
    ).errors


def _of_side(entry: ModelInput, side: int) -> ModelInput:
    """An input of that size along every open axis but its batch and channels."""
    if entry.shape is None:
        return entry
    letters = frozenset().union(*map(leaves, entry.shape[2:]))

    def of(leaf: Symbol | Like) -> Size | None:
        return side if leaf in letters else None

    return replace(entry, shape=tuple(substitute(size, of) for size in entry.shape))


class _Numbers:
    """What the expressions of a net are, in the size of its input."""

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes
        self._growths = Growths("side")
        self._known: dict[Size, Growth | None] = {}

    def period(self, layer: Layer) -> int:
        """After how many sizes of the input a layer's places repeat."""
        return lcm(1, *(len(one.cycle) for one in self._all(layer) if one is not None))

    @property
    def longest_head(self) -> int:
        """Behind how many sizes all of it has begun to repeat."""
        return max((len(one.head) for one in self._known.values() if one is not None), default=0)

    def written(self, layer: Layer, side: int | None) -> Layer:
        """A layer with numbers for what is known at a size, or at every size. A crop that works out
        its offset was told none, so that none is wrong: it lies where it lies, beside nothing."""
        match layer.operator:
            case ops.Crop(offsets=offsets) if _open(offsets):
                made = tuple(self._at(offset, side) for offset in offsets)
                operator = replace(layer.operator, offsets=made)
                return replace(layer, operator=operator, inputs=layer.inputs[:1])
            case ops.Pad(begin=begin) if _open(begin):
                made = tuple(self._at(amount, side) for amount in begin)
                return replace(layer, operator=replace(layer.operator, begin=made))
            case ops.StridedSlice(start=Dim() as start):
                return replace(layer, operator=replace(layer.operator, start=self._at(start, side)))
            case ops.Resize():
                factors = [_times(pair, side) for pair in self._ratios(layer)]
                known = tuple(factor for factor in factors if factor is not None)
                if known and len(known) == len(factors):
                    return replace(layer, operator=replace(layer.operator, factor=known))
        return layer

    def _all(self, layer: Layer) -> Iterator[Growth | None]:
        """What its places follow: what ends in one number, or in a few."""
        match layer.operator:
            case ops.Crop(offsets=sizes) | ops.Pad(begin=sizes):
                yield from (self._level(size) for size in sizes if isinstance(size, Dim))
            case ops.StridedSlice(start=Dim() as start):
                yield self._level(start)
            case ops.Resize():
                yield from (one for pair in self._ratios(layer) for one in pair or ())

    def _at(self, size: Size, side: int | None) -> Size:
        found = self._level(size) if isinstance(size, Dim) else None
        if found is None:
            return size
        known = found.limit if side is None else found(side)
        return size if known is None else known

    def _level(self, size: Size) -> Growth | None:
        """What a size is, where it does not grow with the input."""
        found = self._growth(size)
        return None if found is None or found.rise else found

    def _growth(self, size: Size) -> Growth | None:
        if size not in self._known:
            try:
                spoken = substitute(self._resolved(size), lambda leaf: SIDE)
                self._known[size] = self._growths.of(spoken)
            except (Unsayable, TooLongError):
                self._known[size] = None
        return self._known[size]

    def _resolved(self, size: Size) -> Size:
        """A size in the letters of the inputs; Unsayable where it is like a value of no shape."""

        def of(leaf: Symbol | Like) -> Size | None:
            if isinstance(leaf, Symbol):
                return None
            shape = self._shapes.get(leaf.tensor)
            if shape is None or leaf.axis >= len(shape):
                raise Unsayable(f"the shape of '{leaf.tensor}' is not known")
            return shape[leaf.axis]

        return substitute(size, of)

    def _ratios(self, layer: Layer) -> list[tuple[Growth, Growth] | None]:
        """(before, after) of every spatial axis of a Resize to sizes, where both grow."""
        op = layer.operator
        assert isinstance(op, ops.Resize)
        x, y = self._shapes.get(layer.inputs[0]), self._shapes.get(layer.outputs[0])
        if op.factor is not None or op.coordinate_mode == "align_corners" or not x or not y:
            return []
        pairs = zip(map(self._growth, x[2:]), map(self._growth, y[2:]), strict=True)
        return [(a, b) if a and b and a.rise and b.rise else None for a, b in pairs]


def _open(sizes: tuple[Size, ...]) -> bool:
    return any(isinstance(size, Dim) for size in sizes)


def _times(pair: tuple[Growth, Growth] | None, side: int | None) -> int | None:
    """How often the one size is the other, where it is so at all sizes that lie a period apart."""
    if pair is None:
        return None
    before, after = aligned(pair)
    if side is None and len(before.cycle) > 1:
        return None
    at = side or len(before.head) + 1
    factor, rest = divmod(after(at), before(at)) if before(at) > 0 else (0, 1)
    return None if rest or factor * before.rise != after.rise else factor
