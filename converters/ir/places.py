"""Where the pixels of every value lie in the input it comes from, and what a Crop ought to do.

Maps are composed forwards, once for the whole net: each value is placed in its root (a graph
input, or the last value before a layer that breaks alignment). Two values of one root are
compared through it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from fractions import Fraction
from typing import Final

from upconv.converters.ir import operators as ops
from upconv.converters.ir.alignment import (
    IDENTITY,
    AxisMap,
    Maps,
    carriers,
    layer_maps,
    relative_map,
)
from upconv.converters.ir.model import Layer, Model
from upconv.converters.ir.records import record
from upconv.converters.ir.shapes import Shape

TAKING_NUMBERS: Final = ("pytorch", "tensorflow", "keras", "onnx")
"""Where a crop is a slice, which is told numbers, and means no tensor whose sizes it was told."""


@record(frozen=True, slots=True)
class PixelMap:
    """root = scale * index + shift, one map per spatial axis."""

    root: str
    maps: Maps


@record(frozen=True, slots=True)
class CropFit:
    """One Crop: where pixel i of its reference lies in its input, per cropped spatial axis.

    `given` are the offsets it has; with `relative` of scale 1, the shifts are the right ones.
    """

    layer: Layer
    axes: tuple[int, ...]
    relative: Maps
    given: tuple[int, ...]

    @property
    def residuals(self) -> tuple[Fraction, ...]:
        """Right offset minus the given one, per cropped axis."""
        pairs = zip(self.relative, self.given, strict=True)
        return tuple(right.shift - given for right, given in pairs)

    @property
    def same_scale(self) -> bool:
        return all(one.scale == 1 for one in self.relative)

    @property
    def aligned(self) -> tuple[int, ...] | None:
        """The right offsets; None where no offset aligns, for scale, a fraction or a sign."""
        shifts = [one.shift for one in self.relative]
        if not self.same_scale or any(s.denominator != 1 or s < 0 for s in shifts):
            return None
        return tuple(int(shift) for shift in shifts)


_PLACED_ALIKE: Final = frozenset({*ops.POINTWISE, ops.Conv, ops.Pool, ops.ConvTranspose})
"""Operators whose maps follow from the operator and the number of axes, but where a pixel becomes
several."""


class Coordinates:
    """The places of a net's values, and how its Crops fit.

    A Crop whose reference has the same scale is taken to be right when the layers behind it are
    placed: one wrong offset is then one finding, and not one at every merge behind it. Where
    `mended` names Crops, only these are; the others stand at the offset they have.
    """

    def __init__(
        self,
        model: Model,
        shapes: Mapping[str, Shape | None],
        mended: Collection[str] | None = None,
    ) -> None:
        self._model = model
        self._mends = mended
        self._shapes = shapes
        self._producers = model.producers()
        self._inputs = {entry.name for entry in model.inputs}
        self._of_layers: dict[str, Maps | None] = {}
        self.places: dict[str, PixelMap] = {}
        self.crops: list[CropFit] = []
        for entry in model.inputs:
            self._root(entry.name)
        for layer in model.layers:
            self._enter(layer)

    def relative(self, value: str, reference: str) -> Maps | None:
        """Where pixel i of `reference` lies in `value`; None where nothing joins the two."""
        ours, theirs = self.places.get(value), self.places.get(reference)
        if ours is None or theirs is None or len(ours.maps) != len(theirs.maps):
            return None
        if ours.root != theirs.root:
            return relative_map(self._model, value, reference, self._shapes, self._of_layers)
        return tuple(
            right.after(left.inverse()) for left, right in zip(ours.maps, theirs.maps, strict=True)
        )

    def _root(self, value: str) -> None:
        shape = self._shapes.get(value)
        if shape is not None and len(shape) > 2:
            self.places[value] = PixelMap(value, (IDENTITY,) * (len(shape) - 2))

    def _enter(self, layer: Layer) -> None:
        base = self._base(layer)
        maps = self._of_layers[layer.name] = self._maps(layer)
        if maps is not None and isinstance(layer.operator, ops.Crop):
            maps = self._mended(layer, layer.operator, maps)
        if maps is None or base is None or len(base.maps) != len(maps):
            for value in layer.outputs:
                self._root(value)
            return
        place = base
        if any(one is not IDENTITY for one in maps):
            pairs = zip(maps, base.maps, strict=True)
            place = PixelMap(base.root, tuple(m.after(b) for m, b in pairs))
        for value in layer.outputs:
            self.places[value] = place

    def _maps(self, layer: Layer) -> Maps | None:
        """A layer's own maps. They follow from most operators alone, but where a pixel becomes
        several, and a piece of a text keeps them."""
        kept = layer.origin.kept if type(layer.operator) in _PLACED_ALIKE else None
        x = self._shapes.get(layer.inputs[0]) if kept is not None else None
        if kept is None or x is None or 1 in x[2:] or self._shapes.get(layer.outputs[0]) is None:
            return layer_maps(layer, self._shapes, self._producers)
        known = kept.get((Coordinates, layer.name))
        if known is None or known[0] is not layer or known[1] != len(x):
            known = layer, len(x), layer_maps(layer, self._shapes, self._producers)
            kept[Coordinates, layer.name] = known
        maps: Maps | None = known[2]
        return maps

    def _base(self, layer: Layer) -> PixelMap | None:
        """The place of the input that the output is placed by: the first that leads to an input
        of the net, else the first."""
        names = carriers(layer)
        if len(names) == 1:
            return self.places.get(names[0])
        found = [self.places[name] for name in names if name in self.places]
        return next((p for p in found if p.root in self._inputs), found[0] if found else None)

    def _mended(self, layer: Layer, op: ops.Crop, maps: Maps) -> Maps:
        """Judge a Crop; its maps with the offsets that it ought to have."""
        fit = self._fit(layer, op, len(maps))
        if fit is None:
            return maps
        self.crops.append(fit)
        if not fit.same_scale or (self._mends is not None and layer.name not in self._mends):
            return maps
        right = dict(zip(fit.axes, fit.relative, strict=True))
        return tuple(right.get(axis, one) for axis, one in enumerate(maps))

    def _fit(self, layer: Layer, op: ops.Crop, rank: int) -> CropFit | None:
        if layer.origin.framework in TAKING_NUMBERS:
            return None
        start = op.axis % (rank + 2)
        given = {
            start + index - 2: offset
            for index, offset in enumerate(op.offsets)
            if isinstance(offset, int) and start + index >= 2
        }
        relative = self.relative(*layer.inputs[:2]) if len(layer.inputs) > 1 else None
        if relative is None or not given or max(given) >= rank:
            return None
        axes = tuple(given)
        return CropFit(layer, axes, tuple(relative[a] for a in axes), tuple(given.values()))


def drift(one: AxisMap, size: object) -> Fraction | None:
    """How far a map strays from the identity over `size` pixels, in pixels; None where it is
    scaled and the size is not known.

    >>> drift(AxisMap(Fraction(1, 2), Fraction(1, 4)), 5)
    Fraction(7, 4)
    """
    if one.scale == 1:
        return abs(one.shift)
    if not isinstance(size, int):
        return None
    return max(abs(one.shift), abs((one.scale - 1) * (size - 1) + one.shift))
