"""Coordinate maps of operators, and their composition along a network.

A map takes an index of an operator's output to the coordinate it lies at in the input:
`input = scale * index + shift`, exact fractions, one map per spatial axis. Where an operator has
no such map (it flattens, pools everything, shuffles pixels), it breaks alignment.

>>> from upconv.converters.ir.operators import ConvTranspose
>>> up = ConvTranspose(1, (4,), (2,), (1,), (1,), (1,), (0,))
>>> convolution_map(up, 0)
AxisMap(scale=Fraction(1, 2), shift=Fraction(-1, 4))
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from fractions import Fraction
from itertools import islice
from typing import Any, TypeAlias

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size
from upconv.converters.ir.geometry import effective_kernel
from upconv.converters.ir.model import Layer, Model
from upconv.converters.ir.records import record
from upconv.converters.ir.registry import OperatorTable
from upconv.converters.ir.shapes import Shape


@record(frozen=True, slots=True)
class AxisMap:
    """input = scale * index + shift along one axis, in input pixels."""

    scale: Fraction = Fraction(1)
    shift: Fraction = Fraction(0)

    def after(self, outer: AxisMap) -> AxisMap:
        """This map followed on the input side by `outer`: outer(self(index)).

        >>> AxisMap(Fraction(2), Fraction(1)).after(AxisMap(Fraction(3), Fraction(5)))
        AxisMap(scale=Fraction(6, 1), shift=Fraction(8, 1))
        """
        if outer.is_identity:  # most layers: fractions are slow
            return self
        if self.is_identity:
            return outer
        return AxisMap(outer.scale * self.scale, outer.scale * self.shift + outer.shift)

    @property
    def is_identity(self) -> bool:
        return self is IDENTITY or (self.scale == 1 and self.shift == 0)

    def inverse(self) -> AxisMap:
        if self.is_identity:
            return self
        return AxisMap(1 / self.scale, -self.shift / self.scale)


IDENTITY = AxisMap()
Maps: TypeAlias = tuple[AxisMap, ...]


@record(frozen=True, slots=True)
class Site:
    """The layer a map is asked for: the shapes of its inputs and outputs (None while unknown)."""

    inputs: tuple[Shape | None, ...]
    outputs: tuple[Shape | None, ...]


MapFunction: TypeAlias = Callable[[Any, int, Site], AxisMap | None]
MAPS: OperatorTable[MapFunction] = OperatorTable("alignment")


@MAPS.register(ops.Conv, ops.Pool, ops.ConvTranspose)
def _windowed(op: ops.Conv | ops.Pool | ops.ConvTranspose, axis: int, site: Site) -> AxisMap:
    return convolution_map(op, axis)


def convolution_map(op: ops.Conv | ops.Pool | ops.ConvTranspose, axis: int) -> AxisMap:
    """Centre of the window (pycaffe coord_map.py): a convolution's output i is centred on
    s*i + (ke-1)/2 - pad; a transposed convolution is the inverse of that map."""
    centre = Fraction(effective_kernel(op.kernel[axis], op.dilation[axis]) - 1, 2)
    if op.stride[axis] == 1 and centre == op.pads_begin[axis]:
        return IDENTITY
    forward = AxisMap(Fraction(op.stride[axis]), centre - op.pads_begin[axis])
    return forward.inverse() if isinstance(op, ops.ConvTranspose) else forward


@MAPS.register(ops.WindowUnpool)
def _window_unpool(op: ops.WindowUnpool, axis: int, site: Site) -> AxisMap:
    centre = Fraction(0) if op.kind == "corner" else Fraction(op.kernel[axis] - 1, 2)
    return AxisMap(Fraction(op.stride[axis]), centre - op.pads_begin[axis]).inverse()


@MAPS.register(ops.Resize)
def _resize(op: ops.Resize, axis: int, site: Site) -> AxisMap | None:
    sizes = _spatial_sizes(site.inputs[0], site.outputs[0], axis)
    if op.factor is not None and op.coordinate_mode != "align_corners":
        ratio = Fraction(1, op.factor[axis])
    elif sizes is None:
        return None
    elif op.coordinate_mode == "align_corners":
        return align_corners(*sizes)
    else:
        ratio = Fraction(*sizes)
    if op.mode == "nearest" and ratio.numerator == 1 and op.coordinate_mode == "asymmetric":
        return half_pixel(ratio)  # whole blocks: each pixel is repeated about its own centre
    return AxisMap(ratio) if op.coordinate_mode == "asymmetric" else half_pixel(ratio)


def align_corners(before: int, after: int) -> AxisMap:
    """The centres of the corner pixels of two sizes coincide; a single pixel lies at the first."""
    return AxisMap(Fraction(before - 1, max(after - 1, 1)))


def half_pixel(ratio: Fraction) -> AxisMap:
    """input = (index + 1/2) * ratio - 1/2: pixel edges coincide."""
    return AxisMap(ratio, (ratio - 1) / 2)


def _spatial_sizes(x: Shape | None, y: Shape | None, axis: int) -> tuple[int, int] | None:
    if x is None or y is None:
        return None
    before: Size = x[axis + 2]
    after: Size = y[axis + 2]
    if not isinstance(before, int) or not isinstance(after, int) or min(before, after) < 1:
        return None
    return before, after


@MAPS.register(ops.Unpool)
def _unpool(op: ops.Unpool, axis: int, site: Site) -> AxisMap | None:
    sizes = _spatial_sizes(site.inputs[0], site.outputs[0], axis)
    if sizes is None:
        return None
    factor = -(-sizes[1] // sizes[0])  # the pooling's stride; its last window may be cut
    return half_pixel(Fraction(1, factor))


@MAPS.register(ops.DepthToSpace)
def _depth_to_space(op: ops.DepthToSpace, axis: int, site: Site) -> AxisMap | None:
    return None if op.mode == "darknet" else half_pixel(Fraction(1, op.block))


@MAPS.register(ops.SpaceToDepth)
def _space_to_depth(op: ops.SpaceToDepth, axis: int, site: Site) -> AxisMap | None:
    return None if op.mode == "darknet" else half_pixel(Fraction(op.block))


@MAPS.register(ops.Crop)
def _crop(op: ops.Crop, axis: int, site: Site) -> AxisMap | None:
    x = site.inputs[0]
    start = op.axis if op.axis >= 0 or x is None else op.axis + len(x)
    index = axis + 2 - start
    if not 0 <= index < len(op.offsets):
        return IDENTITY
    offset = op.offsets[index]
    return AxisMap(shift=Fraction(offset)) if isinstance(offset, int) else None


@MAPS.register(ops.StridedSlice)
def _strided(op: ops.StridedSlice, axis: int, site: Site) -> AxisMap | None:
    """Backwards a pixel has its mirror's place, which nothing is to be aligned with."""
    x = site.inputs[0]
    if x is not None and op.axis % len(x) != axis + 2:
        return IDENTITY
    if not isinstance(op.start, int) or op.step < 0:
        return None
    return AxisMap(Fraction(op.step), Fraction(op.start))


@MAPS.register(ops.Expand)
def _expand(op: ops.Expand, axis: int, site: Site) -> AxisMap | None:
    x, y = site.inputs[0], site.outputs[0]
    same = x is not None and y is not None and len(x) == len(y) and x[axis + 2] == y[axis + 2]
    return IDENTITY if same else None


@MAPS.register(ops.Pad)
def _pad(op: ops.Pad, axis: int, site: Site) -> AxisMap | None:
    begin = op.begin[axis + 2]
    return AxisMap(shift=Fraction(-begin)) if isinstance(begin, int) else None


@MAPS.register(
    *ops.POINTWISE,
    ops.Concat,
    ops.Slice,
    ops.Gather,
    ops.Compare,
    ops.Where,
    ops.Eltwise,
    ops.Lrn,
    ops.MeanVarianceNorm,
    ops.GroupNorm,
    ops.LayerNorm,
    ops.L2Normalize,
    ops.Softmax,
    ops.ArgMax,
    ops.CumSum,
    ops.ChannelShuffle,
)
def _identity(op: object, axis: int, site: Site) -> AxisMap | None:
    along = getattr(op, "axis", 1)
    moves = isinstance(op, ops.Concat | ops.Slice | ops.ArgMax | ops.Gather | ops.CumSum)
    same_rank = not isinstance(op, ops.Gather) or op.indices is not None
    return None if (moves and along not in (0, 1)) or not same_rank else IDENTITY


@MAPS.register(
    ops.GlobalPool,
    ops.Tile,
    ops.Reduce,
    ops.Reshape,
    ops.Flatten,
    ops.Linear,
    ops.Permute,
    ops.MatMul,
    ops.Constant,
    ops.Arange,
    ops.SizeOf,
    ops.Embedding,
    ops.GridSample,
    ops.RoiMaxPool,
)
def _breaks(op: object, axis: int, site: Site) -> AxisMap | None:
    return None


def layer_maps(
    layer: Layer,
    shapes: Mapping[str, Shape | None],
    producers: Mapping[str, Layer] | None = None,
) -> Maps | None:
    """One map per spatial axis of a layer, or None where it breaks alignment or is unknown.

    A layer that does not fit its input (a kernel of two axes, a volume) has no output shape, and
    no map. An unpooling puts pixels back where the pooling that made its indices took them: where
    `producers` knows that pooling, its map is that one's inverse.
    """
    kind = type(layer.operator)
    x = shapes.get(layer.inputs[0]) if layer.inputs else None
    if kind not in MAPS or x is None or len(x) < 3 or shapes.get(layer.outputs[0]) is None:
        return None
    pooling = _pooling_of(layer, producers or {})
    if pooling is not None and len(pooling.kernel) == len(x) - 2:
        return tuple(convolution_map(pooling, axis).inverse() for axis in range(len(x) - 2))
    site = Site(
        tuple(shapes.get(value) for value in layer.inputs),
        tuple(shapes.get(value) for value in layer.outputs),
    )
    if _spreads_a_pixel(x, site.outputs[0]):
        return None
    maps = [MAPS[kind](layer.operator, axis, site) for axis in range(len(x) - 2)]
    return None if None in maps else tuple(one for one in maps if one is not None)


def _pooling_of(layer: Layer, producers: Mapping[str, Layer]) -> ops.Pool | None:
    """The pooling whose indices an unpooling scatters by."""
    if not isinstance(layer.operator, ops.Unpool) or len(layer.inputs) < 2:
        return None
    value = layer.inputs[1]
    while value in producers and isinstance(producers[value].operator, ops.Identity):
        value = producers[value].inputs[0]
    made = producers.get(value)
    return made.operator if made is not None and isinstance(made.operator, ops.Pool) else None


def _spreads_a_pixel(x: Shape, y: Shape | None) -> bool:
    """Whether one pixel becomes several along an axis: all of them hold it, and none is its
    place (an image pooled to one pixel and resized, a generator's first layer)."""
    pairs = zip(x[2:], y[2:] if y is not None else (), strict=False)
    return any(before == 1 and after != 1 for before, after in pairs)


def carriers(layer: Layer) -> tuple[str, ...]:
    """The inputs whose pixels reach the output: not a size reference, not indices, not what only
    decides which pixels do."""
    if isinstance(layer.operator, ops.Concat | ops.Eltwise | ops.Compare):
        return layer.inputs
    if isinstance(layer.operator, ops.Where):
        return layer.inputs[1:] or layer.inputs
    return layer.inputs[:1]


def ancestors(
    model: Model,
    value: str,
    shapes: Mapping[str, Shape | None],
    of_layers: Mapping[str, Maps | None] | None = None,
    behind: Container[str] = frozenset(),
) -> dict[str, Maps]:
    """Every value that `value` depends on through maps, with the map from `value`'s indices to
    its coordinates; where paths disagree, the first carrier's path counts. `of_layers` are layers'
    maps by their names, where they are known already; values `behind` are not gone to."""
    producers = model.producers()

    def maps_of(layer: Layer) -> Maps | None:
        if of_layers is None:
            return layer_maps(layer, shapes, producers)
        return of_layers[layer.name]

    start = shapes.get(value)
    if start is None or len(start) < 3:
        return {}
    found: dict[str, Maps] = {value: (IDENTITY,) * (len(start) - 2)}
    queue = [value]
    for current in queue:
        layer = producers.get(current)
        maps = maps_of(layer) if layer is not None else None
        if layer is None or maps is None or len(maps) != len(found[current]):
            continue
        for source in carriers(layer):
            if source not in found and source not in behind:
                inner = found[current]
                found[source] = tuple(a.after(b) for a, b in zip(inner, maps, strict=True))
                queue.append(source)
    return found


def relative_map(
    model: Model,
    value: str,
    reference: str,
    shapes: Mapping[str, Shape | None],
    of_layers: Mapping[str, Maps | None] | None = None,
) -> Maps | None:
    """Where pixel i of `reference` lies in `value`, through their latest common ancestor.

    For a Crop of `value` to `reference` the shift is the offset it ought to have (pycaffe's
    coord_map.crop). None where no chain of maps joins the two.
    """
    right = ancestors(model, reference, shapes, of_layers)
    order = {name: index for index, name in enumerate(shapes)}
    first = min(map(order.__getitem__, right), default=0)
    behind = set(islice(order, first))  # what only leads to values before all of these
    left = ancestors(model, value, shapes, of_layers, behind)
    common = [name for name in left if name in right]
    if not common:
        return None
    meeting = max(common, key=order.__getitem__)
    return tuple(
        theirs.after(ours.inverse())
        for ours, theirs in zip(left[meeting], right[meeting], strict=True)
    )
