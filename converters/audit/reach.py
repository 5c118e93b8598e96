"""Receptive fields: which pixels of the input a pixel of a value depends on.

Pixel j of a value lies at m(j) of the input (`places`), and depends on pixels from m(j) + low to
m(j) + high only. Both are exact fractions. Behind an upsampling the pixels in reach change with
the phase of j, and these are the limits over all phases. Padding that mirrors is not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import reduce
from math import lcm
from operator import or_
from typing import Any, Final, TypeAlias

from upconv.converters.ir import operators as ops
from upconv.converters.ir.alignment import AxisMap, Maps, carriers, layer_maps
from upconv.converters.ir.geometry import effective_kernel
from upconv.converters.ir.model import Layer, Model
from upconv.converters.ir.places import Coordinates, PixelMap
from upconv.converters.ir.records import record
from upconv.converters.ir.registry import OperatorTable
from upconv.converters.ir.shapes import Shape


@record(frozen=True, slots=True)
class Reach:
    """How far from its place a pixel looks, along one axis: low <= 0 <= high mostly."""

    low: Fraction = Fraction(0)
    high: Fraction = Fraction(0)

    @property
    def pixels(self) -> int:
        """How many pixels of the input are in reach, at most."""
        return int(self.high - self.low) + 1

    def spread(self, scale: Fraction, further: Reach) -> Reach:
        """This reach, in pixels that are `scale` pixels of the input, each of which looks
        `further`."""
        return Reach(scale * self.low + further.low, scale * self.high + further.high)

    def moved(self, by: Fraction) -> Reach:
        return Reach(self.low + by, self.high + by)

    def __or__(self, other: Reach) -> Reach:
        return Reach(min(self.low, other.low), max(self.high, other.high))


Reaches: TypeAlias = tuple[Reach, ...]
HERE: Final = Reach()


def _around(width: Fraction | int) -> Reach:
    """As far to both sides, `width` in all."""
    half = Fraction(width) / 2
    return Reach(-half, half)


REACHES: OperatorTable[Callable[[Any, int, AxisMap], Reach | None]] = OperatorTable("reach")
"""How far from its place in the input of a layer a pixel of the output looks, given the layer's
map along an axis; None for everywhere. Operators without an entry look nowhere else."""


@REACHES.register(ops.Conv, ops.Pool)
def _windowed(op: ops.Conv | ops.Pool, axis: int, one: AxisMap) -> Reach:
    return _around(effective_kernel(op.kernel[axis], op.dilation[axis]) - 1)


@REACHES.register(ops.ConvTranspose)
def _transposed(op: ops.ConvTranspose, axis: int, one: AxisMap) -> Reach:
    """Output j is reached from i with s*i <= j + pad <= s*i + ke - 1."""
    extent = effective_kernel(op.kernel[axis], op.dilation[axis]) - 1
    return _around(Fraction(extent, op.stride[axis]))


@REACHES.register(ops.WindowUnpool)
def _window_unpool(op: ops.WindowUnpool, axis: int, one: AxisMap) -> Reach:
    extent = 0 if op.kind == "corner" else op.kernel[axis] - 1
    return _around(Fraction(extent, op.stride[axis]))


@REACHES.register(ops.Unpool, ops.DepthToSpace)
def _repeated(op: ops.Unpool | ops.DepthToSpace, axis: int, one: AxisMap) -> Reach:
    """Output j comes from floor(j * scale), and lies within the pixel that it comes from."""
    return _around(1 - one.scale)


@REACHES.register(ops.SpaceToDepth)
def _space_to_depth(op: ops.SpaceToDepth, axis: int, one: AxisMap) -> Reach:
    return _around(op.block - 1)


@REACHES.register(ops.Resize)
def _resize(op: ops.Resize, axis: int, one: AxisMap) -> Reach:
    """A place with denominator q lies up to (q-1)/q behind a pixel and before the next."""
    rest = 1 - Fraction(1, _denominator(one))
    stretch = max(one.scale, Fraction(1)) if op.antialias else Fraction(1)
    if op.mode == "linear":
        return _around(2 * rest if stretch == 1 else 2 * stretch)
    if op.mode == "cubic":
        return _around(2 + 2 * rest if stretch == 1 else 4 * stretch)
    if op.coordinate_mode == "asymmetric" and one.scale.numerator == 1:
        return _around(1 - one.scale)  # the map is that of whole blocks
    sides = {"floor": (-rest, Fraction(0)), "ceil": (Fraction(0), rest)}
    half = Fraction(1, 2)
    return Reach(*sides.get(op.nearest_mode, (-half, half)))


def _denominator(one: AxisMap) -> int:
    """What all places of a map are whole multiples of a part of."""
    return lcm(one.scale.denominator, one.shift.denominator)


@REACHES.register(ops.Lrn)
def _lrn(op: ops.Lrn, axis: int, one: AxisMap) -> Reach:
    return _around(op.size - 1) if op.region == "within" else HERE


@REACHES.register(ops.MeanVarianceNorm, ops.GroupNorm)
def _everywhere(op: object, axis: int, one: AxisMap) -> None:
    return None


@REACHES.register(ops.L2Normalize)
def _l2_normalize(op: ops.L2Normalize, axis: int, one: AxisMap) -> Reach | None:
    return None if op.across_spatial else HERE


@REACHES.register(ops.Softmax, ops.LayerNorm)
def _along_an_axis(op: ops.Softmax | ops.LayerNorm, axis: int, one: AxisMap) -> Reach | None:
    return HERE if op.axis == 1 and getattr(op, "num_axes", 1) == 1 else None


def receptive_fields(
    model: Model, shapes: Mapping[str, Shape | None], places: Coordinates
) -> dict[str, Reaches | None]:
    """Value -> its reach along each spatial axis, in pixels of its root; None where it may look at
    everything, or nobody can say."""
    found: dict[str, Reaches | None] = {
        name: (HERE,) * len(place.maps)
        for name, place in places.places.items()
        if place.root == name and any(name == entry.name for entry in model.inputs)
    }
    for layer in model.layers:
        reaches = _of_layer(layer, shapes, places, found)
        found.update(dict.fromkeys(layer.outputs, reaches))
    return found


def _of_layer(
    layer: Layer,
    shapes: Mapping[str, Shape | None],
    places: Coordinates,
    found: Mapping[str, Reaches | None],
) -> Reaches | None:
    maps = layer_maps(layer, shapes)
    base = places.places.get(layer.outputs[0]) if layer.outputs else None
    if maps is None or base is None:
        return None
    parts = [_through(name, layer.operator, maps, base, places, found) for name in carriers(layer)]
    known = [part for part in parts if part is not None]
    if not known or len(known) < len(parts):
        return None
    return tuple(reduce(or_, axis) for axis in zip(*known, strict=True))


def _through(
    name: str,
    op: object,
    maps: Maps,
    base: PixelMap,
    places: Coordinates,
    found: Mapping[str, Reaches | None],
) -> Reaches | None:
    """What a layer sees of the root through one of its inputs, about the place of its output."""
    source, further = places.places.get(name), found.get(name)
    if source is None or further is None or source.root != base.root:
        return None
    reaches: list[Reach] = []
    for axis, (one, there, more) in enumerate(zip(maps, source.maps, further, strict=True)):
        look = REACHES[type(op)](op, axis, one) if type(op) in REACHES else HERE
        through, whole = one.after(there), base.maps[axis]
        if look is None or through.scale != whole.scale:
            return None
        reaches.append(look.spread(there.scale, more).moved(through.shift - whole.shift))
    return tuple(reaches)
