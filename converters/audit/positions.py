"""Where every value lies in the input, how far it looks, and interpolations beside their ideals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction

from upconv.converters.audit.open_places import placed
from upconv.converters.audit.reach import Reaches, receptive_fields
from upconv.converters.ir import operators as ops
from upconv.converters.ir.alignment import AxisMap, Maps, align_corners, half_pixel, layer_maps
from upconv.converters.ir.model import Layer, Model
from upconv.converters.ir.places import Coordinates
from upconv.converters.ir.records import record
from upconv.converters.ir.shapes import Shape

Shapes = Mapping[str, Shape | None]


@record(frozen=True, slots=True)
class Position:
    """A value: root = scale * index + shift along each spatial axis, in pixels of `root` (an input,
    or the last value before a layer that has no places); `reach` is None where it may look at
    everything."""

    value: str
    layer: Layer
    root: str
    maps: Maps
    reach: Reaches | None


def positions(model: Model, shapes: Shapes) -> Iterator[Position]:
    """Where every value that has pixels lies, as its file puts it, in the order of the layers.

    >>> from upconv.converters.ir.inference import infer
    >>> from upconv.converters.ir.model import ModelInput
    >>> pool = ops.Pool("max", (2,), (2,), (1,), (0,), (0,), "floor", "never", False)
    >>> net = Model("net", "", "", (ModelInput("x", (1, 1, 8)),), ("y",),
    ...             (Layer("pool", pool, ("x",), ("y",)),))
    >>> found = next(positions(net, infer(net).shapes))
    >>> found.maps, found.reach[0].pixels
    ((AxisMap(scale=Fraction(2, 1), shift=Fraction(1, 2)),), 2)
    """
    (first, *others) = placed(model, shapes)
    coordinates = Coordinates(model if others else first.model, shapes, mended=())
    reaches = receptive_fields(model, shapes, coordinates)
    for layer in model.layers:
        for value in layer.outputs:
            place = coordinates.places.get(value)
            if place is not None:
                yield Position(value, layer, place.root, place.maps, reaches.get(value))


@record(frozen=True, slots=True)
class Interpolation:
    """A layer that interpolates: where pixel i of its output lies in its input, beside where it
    lies where pixel edges coincide, and where the centres of corner pixels do (None where the
    size is not known)."""

    layer: Layer
    own: Maps
    half_pixel: Maps
    align_corners: Maps | None

    @property
    def off_half_pixel(self) -> tuple[Fraction, ...]:
        """How far pixel 0 lies off the half-pixel place, in pixels of the output; of another scale
        it says nothing of the other pixels."""
        pairs = zip(self.own, self.half_pixel, strict=True)
        return tuple((one.shift - ideal.shift) / ideal.scale for one, ideal in pairs)


def interpolations(model: Model, shapes: Shapes) -> Iterator[Interpolation]:
    """Every Resize, and every transposed convolution whose stored weights are bilinear."""
    for layer in model.layers:
        if isinstance(layer.operator, ops.Resize) or _is_bilinear(layer):
            found = _beside(layer, shapes)
            if found is not None:
                yield found


def _is_bilinear(layer: Layer) -> bool:
    from upconv.converters.ir.kernels import bilinear_form

    op, weight = layer.operator, layer.weights.get("weight")
    if not isinstance(op, ops.ConvTranspose) or weight is None or len(op.kernel) != 2:
        return False
    if not weight.present:
        return weight.filler is not None and weight.filler.type == "bilinear"
    return bool(bilinear_form(weight.array(), op.groups))


def _beside(layer: Layer, shapes: Shapes) -> Interpolation | None:
    own = layer_maps(layer, shapes)
    x, y = shapes.get(layer.inputs[0]), shapes.get(layer.outputs[0])
    if own is None or x is None or y is None:
        return None
    ratios = [_ratio(layer, axis, x, y) for axis in range(len(own))]
    known = [ratio for ratio in ratios if ratio is not None]
    if len(known) < len(ratios):
        return None
    half = tuple(map(half_pixel, known))
    corners = [_corners(a, b) for a, b in zip(x[2:], y[2:], strict=True)]
    aligned = tuple(one for one in corners if one is not None)
    return Interpolation(layer, own, half, aligned if len(aligned) == len(own) else None)


def _ratio(layer: Layer, axis: int, x: Shape, y: Shape) -> Fraction | None:
    """How many pixels of the input a pixel of the output is, where edges coincide."""
    op = layer.operator
    if isinstance(op, ops.ConvTranspose):
        return Fraction(1, op.stride[axis])
    before, after = x[axis + 2], y[axis + 2]
    if isinstance(op, ops.Resize) and op.factor is not None:
        return Fraction(1, op.factor[axis])
    if isinstance(before, int) and isinstance(after, int) and min(before, after) > 0:
        return Fraction(before, after)
    return None


def _corners(before: object, after: object) -> AxisMap | None:
    if not isinstance(before, int) or not isinstance(after, int) or after < 2:
        return None
    return align_corners(before, after)
