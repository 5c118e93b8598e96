"""What a net asks of its sizes: every merge, crop, window and weight as equations and inequalities.

A net runs at a size where all of its conditions hold there. They say what the shape functions
check, before the sizes are known: a test holds both against each other for every operator.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from upconv.converters.audit.relations import Relation, as_product
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import (
    Dim,
    Size,
    Symbol,
    TooLongError,
    is_constant,
    is_larger,
    leaves,
    maximum,
    minimum,
    multiply,
    symbol,
)
from upconv.converters.ir.errors import ShapeError
from upconv.converters.ir.inference import Inference, input_shapes
from upconv.converters.ir.model import Layer, Model
from upconv.converters.ir.records import record
from upconv.converters.ir.registry import OperatorTable
from upconv.converters.ir.shapes import InputShapes, Shape
from upconv.converters.ir.weight_shapes import expected_weights

LARGEST: Final = 1000
"""With how many numbers and names a size may be written to be judged."""


@record(frozen=True, slots=True)
class Condition:
    """What one layer asks: that one of some relations holds.

    `doubt`, where given, says when the layer's shape is not what its formula says, though the
    layer runs: an axis of 1 was repeated. A net of such sizes is looked at for itself.
    """

    layer: Layer
    any_of: tuple[Relation, ...]
    doubt: Relation | None = None

    @property
    def symbols(self) -> frozenset[str]:
        """The letters of the sizes it speaks of."""
        return frozenset().union(*(one.symbols for one in self.any_of))

    @property
    def may_fail(self) -> bool:
        """Whether it is not a condition that holds at every size."""
        return True not in (one.always for one in self.any_of)

    def holds(self, sizes: Mapping[str, int]) -> bool:
        """Whether it holds where its letters are these numbers."""
        return any(one.holds(sizes) for one in self.any_of)

    def __str__(self) -> str:
        return " or ".join(map(str, self.any_of))


@record(frozen=True, slots=True)
class Asked:
    """All that a model asks of its sizes, in the order of its layers.

    `unknown` says why that may not be all: a layer that nobody knows, or an expression without
    end. Empty where it is all.
    """

    conditions: tuple[Condition, ...]
    unknown: str


@record(frozen=True, slots=True)
class Site:
    """The layer that asks, the shapes of its inputs, and the shape of its first output."""

    layer: Layer
    given: InputShapes
    output: Shape

    @property
    def x(self) -> Shape:
        return self.given.x

    def asks(self, left: Size, kind: Literal["==", ">="], right: Size) -> Condition:
        return Condition(self.layer, (Relation.of(left, kind, right),))


CONDITIONS: OperatorTable[Callable[[Any, Site], Iterator[Condition]]] = OperatorTable("conditions")
"""What an operator asks beyond positive sizes that fit its weights, which all do."""


def asked(model: Model, inference: Inference) -> Asked:
    """What the layers of a model with symbolic inputs ask for; each thing once, by the first."""
    found: dict[frozenset[Relation], Condition] = {}
    unknown = ""
    failing = {error.layer for error in inference.errors}
    for layer in model.layers:
        conditions, why = _asked_by(layer, inference, layer.name in failing)
        unknown = unknown or why
        for condition in conditions:
            if condition.may_fail and not _follows(condition, found):
                found.setdefault(frozenset(condition.any_of), condition)
    return Asked(tuple(found.values()), unknown)


def _asked_by(layer: Layer, inference: Inference, failing: bool) -> tuple[list[Condition], str]:
    """What one layer asks for, and why that may not be all."""
    try:
        given = input_shapes(layer, inference.shapes)
        if given is None or type(layer.operator) not in CONDITIONS:
            return [], _unknown(layer)
        found = list(_of_layer(layer, given, inference, failing))
    except TooLongError as error:
        return [], f"'{layer.name}' has {error}"
    kept = [one for one in found if not any(is_larger(r.difference, LARGEST) for r in one.any_of)]
    if len(kept) < len(found):
        return kept, f"the sizes of '{layer.name}' are expressions without end"
    made = (inference.shapes.get(value) for value in layer.outputs)
    whole = failing or None not in made
    return kept, "" if whole else f"the shape of what '{layer.name}' makes is not known"


def _follows(condition: Condition, found: Container[frozenset[Relation]]) -> bool:
    """Whether it asks that a product is positive, whose factors were asked to be."""
    (only, *more) = condition.any_of
    product = as_product(only.difference) if isinstance(only.difference, Dim) else None
    if more or product is None or (only.kind, product.factor, product.extra) != (">=", 1, -1):
        return False
    letters = (symbol(leaf.name) for leaf in leaves(only.difference) if isinstance(leaf, Symbol))
    others = set(product.sizes) - set(letters)
    return all(frozenset((Relation.of(size, ">=", 1),)) in found for size in others)


def _unknown(layer: Layer) -> str:
    if isinstance(layer.operator, ops.Unknown):
        return f"what '{layer.name}' ({layer.operator.type}) does is not known"
    return f"the shape of what '{layer.name}' reads is not known"


def _of_layer(
    layer: Layer, given: InputShapes, inference: Inference, failing: bool
) -> Iterator[Condition]:
    output = inference.shapes.get(layer.outputs[0]) if layer.outputs else ()
    found: list[Condition] = []
    if output is not None:
        site = Site(layer, given, output)
        found += CONDITIONS[type(layer.operator)](layer.operator, site)
        found += _fitting_weights(site)
    yield from found
    if failing and not any(one.may_fail for one in found):
        yield Condition(layer, (Relation.of(0, ">=", 1),))  # a contradiction at every size
    for value in layer.outputs if not _keeps_positive(layer.operator) else ():
        for size in inference.shapes.get(value) or ():
            if isinstance(size, Dim):
                yield Condition(layer, (Relation.of(size, ">=", 1),))


def _keeps_positive(op: ops.Operator) -> bool:
    """Whether all sizes it makes are sums, products or exact parts of positive sizes."""
    if isinstance(op, ops.Reshape):
        return is_constant(*op.dims)
    return isinstance(op, ops.Concat | ops.Flatten)


def _fitting_weights(site: Site) -> Iterator[Condition]:
    try:
        expected = expected_weights(site.layer, site.x) if site.given.inputs else {}
    except ShapeError:
        return  # then the layer fails as a whole
    for name, shape in expected.items():
        weight = site.layer.weights.get(name)
        if weight is not None and weight.shape is not None and len(weight.shape) == len(shape):
            yield from _same(site, (shape, weight.shape))


def _same(site: Site, shapes: Sequence[Shape]) -> Iterator[Condition]:
    for shape in shapes[1:]:
        for left, right in zip(shapes[0], shape, strict=False):
            yield site.asks(left, "==", right)


def _divides(site: Site, size: Size, by: int) -> Iterator[Condition]:
    if by > 1 and isinstance(size, Dim):
        yield site.asks(size, "==", size // by * by)


def _broadcast(site: Site, shapes: Sequence[Shape], result: Shape) -> Iterator[Condition]:
    """Each axis is the result's or 1. Where the axis that the result is said to have is 1, the
    result may be another's."""
    for shape in shapes:
        for size, whole in zip(reversed(shape), reversed(result), strict=False):
            if size != 1 and size is not whole:
                pairs = ((size, whole), (size, 1), (whole, 1))
                any_of = tuple(Relation.of(left, "==", right) for left, right in pairs)
                yield Condition(site.layer, any_of, doubt=any_of[2])


@CONDITIONS.register(ops.Eltwise)
def _eltwise(op: ops.Eltwise, site: Site) -> Iterator[Condition]:
    if op.broadcast:
        return _broadcast(site, site.given.inputs, site.output)
    return _same(site, site.given.inputs)


@CONDITIONS.register(ops.Compare, ops.Where)
def _compared(op: ops.Compare | ops.Where, site: Site) -> Iterator[Condition]:
    return _broadcast(site, site.given.inputs, site.output)


@CONDITIONS.register(ops.Concat)
def _concat(op: ops.Concat, site: Site) -> Iterator[Condition]:
    joined = op.axis % len(site.output)
    others = [(*shape[:joined], *shape[joined + 1 :]) for shape in site.given.inputs]
    return _same(site, others)


@CONDITIONS.register(ops.Scale)
def _scale(op: ops.Scale, site: Site) -> Iterator[Condition]:
    if op.operand != "none":
        yield from _same(site, (site.x[op.axis % len(site.x) :], site.given.inputs[1]))


@CONDITIONS.register(ops.Unpool)
def _unpool(op: ops.Unpool, site: Site) -> Iterator[Condition]:
    return _same(site, site.given.inputs[:2])


@CONDITIONS.register(ops.MatMul)
def _matmul(op: ops.MatMul, site: Site) -> Iterator[Condition]:
    left, right = site.given.inputs
    yield site.asks(left[-1], "==", right[-2])
    yield from _broadcast(site, (left[:-2], right[:-2]), site.output[:-2])


@CONDITIONS.register(ops.Crop)
def _crop(op: ops.Crop, site: Site) -> Iterator[Condition]:
    for index, offset in enumerate(op.offsets, start=op.axis % len(site.x)):
        end = site.output[index] + site.given.resolve(offset)
        yield site.asks(site.x[index], ">=", end)


@CONDITIONS.register(ops.Pad)
def _pad(op: ops.Pad, site: Site) -> Iterator[Condition]:
    """What is mirrored has to be there: shapes/arrangement.py."""
    if op.mode == "constant":
        return
    for size, *sides in zip(site.x, op.begin, op.end, strict=True):
        begin, end = map(site.given.resolve, sides)
        most, left = maximum(begin, end), size + minimum(begin, 0) + minimum(end, 0)
        needed = most + 1 if op.mode == "reflect" else 1
        yield Condition(site.layer, (Relation.of(0, ">=", most), Relation.of(left, ">=", needed)))


@CONDITIONS.register(ops.Slice)
def _slice(op: ops.Slice, site: Site) -> Iterator[Condition]:
    size = site.x[op.axis % len(site.x)]
    if op.points:
        yield site.asks(size, ">=", op.points[-1] + 1)
    else:
        yield from _divides(site, size, site.given.outputs)


@CONDITIONS.register(ops.StridedSlice)
def _strided(op: ops.StridedSlice, site: Site) -> Iterator[Condition]:
    whole = site.x[op.axis % len(site.x)]
    start, size = site.given.resolve(op.start), site.given.resolve(op.size)
    for place in (start, start + (size - 1) * op.step):
        yield site.asks(place, ">=", 0)
        yield site.asks(whole, ">=", place + 1)


@CONDITIONS.register(ops.Expand)
def _expand(op: ops.Expand, site: Site) -> Iterator[Condition]:
    for size, whole in zip(reversed(site.x), reversed(site.output), strict=False):
        pairs = ((size, whole), (size, 1))
        yield Condition(site.layer, tuple(Relation.of(left, "==", right) for left, right in pairs))


@CONDITIONS.register(ops.Gather)
def _gather(op: ops.Gather, site: Site) -> Iterator[Condition]:
    if op.indices:
        yield site.asks(site.x[op.axis % len(site.x)], ">=", max(op.indices) + 1)


@CONDITIONS.register(ops.RoiMaxPool)
def _roi_max_pool(op: ops.RoiMaxPool, site: Site) -> Iterator[Condition]:
    yield site.asks(site.given.inputs[1][1], "==", 5)


@CONDITIONS.register(ops.GridSample)
def _grid_sample(op: ops.GridSample, site: Site) -> Iterator[Condition]:
    grid = site.given.inputs[1]
    yield site.asks(site.x[0], "==", grid[0])
    yield site.asks(len(site.x) - 2, "==", grid[-1])


@CONDITIONS.register(ops.Reshape)
def _reshape(op: ops.Reshape, site: Site) -> Iterator[Condition]:
    rank = len(site.x)
    start = op.axis if op.axis >= 0 else rank + 1 + op.axis
    end = rank if op.num_axes == -1 else start + op.num_axes
    made = multiply(site.output[start : start + len(op.dims)])
    yield site.asks(multiply(site.x[start:end]), "==", made)


@CONDITIONS.register(ops.SpaceToDepth)
def _space_to_depth(op: ops.SpaceToDepth, site: Site) -> Iterator[Condition]:
    for size in site.x[2:]:
        yield from _divides(site, size, op.block)
    if op.mode == "darknet":
        yield from _divides(site, site.x[1], op.block ** (len(site.x) - 2))


@CONDITIONS.register(ops.DepthToSpace)
def _depth_to_space(op: ops.DepthToSpace, site: Site) -> Iterator[Condition]:
    cells = op.block ** (len(site.x) - 2)
    return _divides(site, site.x[1], cells**2 if op.mode == "darknet" else cells)


@CONDITIONS.register(ops.Conv, ops.ConvTranspose, ops.ChannelShuffle, ops.GroupNorm)
def _grouped(
    op: ops.Conv | ops.ConvTranspose | ops.ChannelShuffle | ops.GroupNorm, site: Site
) -> Iterator[Condition]:
    return _divides(site, site.x[1], op.groups)


@CONDITIONS.register(ops.ArgMax)
def _arg_max(op: ops.ArgMax, site: Site) -> Iterator[Condition]:
    axis = 1 if op.axis is None else op.axis % len(site.x)
    end = len(site.x) if op.axis is None else axis + 1
    yield site.asks(multiply(site.x[axis:end]), ">=", op.top_k)


@CONDITIONS.register(
    *(one for one in ops.POINTWISE if one is not ops.Scale),
    ops.Pool,
    ops.GlobalPool,
    ops.Resize,
    ops.WindowUnpool,
    ops.Lrn,
    ops.MeanVarianceNorm,
    ops.LayerNorm,
    ops.L2Normalize,
    ops.Softmax,
    ops.Tile,
    ops.Reduce,
    ops.Flatten,
    ops.Linear,
    ops.Constant,
    ops.Permute,
    ops.CumSum,
    ops.Arange,
    ops.SizeOf,
    ops.Embedding,
)
def _nothing(op: object, site: Site) -> Iterator[Condition]:
    return iter(())
