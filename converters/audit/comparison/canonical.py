"""One form for what can be written in several: so that two models that mean the same look alike.

Nothing here changes what a model computes, but for rounding where weights are folded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from upconv.converters.audit.comparison.affine import affine_of, as_scale, folded, followed
from upconv.converters.audit.comparison.arrangements import rearranged, unpooled
from upconv.converters.audit.comparison.factors import joined_axes
from upconv.converters.audit.comparison.normalising import (
    centred,
    normalised,
    with_scale,
)
from upconv.converters.audit.comparison.pointwise import activation, condition, followed_by, of_e
from upconv.converters.audit.comparison.products import as_transposed
from upconv.converters.audit.comparison.values import Values
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Like, Size, Symbol, is_constant, like, substitute
from upconv.converters.ir.inference import Inference, infer
from upconv.converters.ir.model import Layer, Model
from upconv.converters.ir.records import record
from upconv.converters.ir.shapes import Shape
from upconv.converters.passes.joining import joined
from upconv.converters.passes.live import live
from upconv.converters.passes.rename import renamed


@record(frozen=True, slots=True)
class Canonical:
    """A model in one form. `computed`: the layers whose weights were folded, and so rounded;
    `parts`: layer -> the names of the layers of the file that it stands for, where several."""

    model: Model
    computed: frozenset[str]
    parts: Mapping[str, tuple[str, ...]]


def canonical(model: Model) -> Canonical:
    """The model in the form in which models are compared."""
    net = _Net(live(model))
    net.layers = joined(net.layers, net.model.outputs)
    for rewrite in REWRITES:
        net.apply(rewrite)
    return Canonical(net.finished(), frozenset(net.computed), dict(net.parts))


class _Net:
    """A model under rewriting: its layers by the value they write."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.layers = list(model.layers)
        self.computed: set[str] = set()
        self.parts: dict[str, tuple[str, ...]] = {}
        self.outputs = list(model.outputs)

    def apply(self, rewrite: Rewrite) -> None:
        """Let a rewrite look at each layer in order; it gives the layers to put in its place, and
        names the layer before it that becomes a part of the first of them."""
        model = live(replace(self.model, layers=tuple(self.layers), outputs=tuple(self.outputs)))
        self.layers = list(model.layers)
        self.inference: Inference = infer(model)
        self.producers = {value: layer for layer in self.layers for value in layer.outputs}
        self.values = Values(self.producers, self.inference.shapes)
        self.readers: dict[str, int] = {}
        for value in (*self.outputs, *(v for layer in self.layers for v in layer.inputs)):
            self.readers[value] = self.readers.get(value, 0) + 1
        self.names: dict[str, str] = {}
        kept: dict[str, Layer] = {}
        for layer in self.layers:
            now = renamed(layer, self.names)
            for value in now.outputs:
                self.producers[value] = now
            change = rewrite(self, now)
            if change is None:
                kept[now.name] = now
                continue
            self._enter(change, now, kept)
        self.layers = list(kept.values())
        self.outputs = [self.names.get(value, value) for value in self.outputs]

    def _enter(self, change: Change, layer: Layer, kept: dict[str, Layer]) -> None:
        if change.alias is not None:
            self.names[layer.outputs[0]] = change.alias
            more = self.readers.get(layer.outputs[0], 0) - 1
            self.readers[change.alias] = self.readers.get(change.alias, 0) + more
            return
        new = change.layer
        assert new is not None
        if change.absorbs is not None:
            kept.pop(change.absorbs.name)
            names = (*self._parts(change.absorbs), *self._parts(layer))
            self.parts[new.name] = tuple(dict.fromkeys(names))
            if change.absorbs.name in self.computed:
                self.computed.add(new.name)
        if change.computed:
            self.computed.add(new.name)
        kept[new.name] = new
        for value in new.outputs:
            self.producers[value] = new

    def _parts(self, layer: Layer) -> tuple[str, ...]:
        return self.parts.get(layer.name, (layer.name,))

    def before(self, layer: Layer, index: int = 0) -> Layer | None:
        """The layer that writes an input, if nobody else reads it."""
        value = layer.inputs[index] if index < len(layer.inputs) else ""
        return self.producers.get(value) if self.readers.get(value) == 1 else None

    def shape(self, value: str) -> Shape | None:
        return self.inference.shapes.get(value)

    def finished(self) -> Model:
        return live(replace(self.model, layers=tuple(self.layers), outputs=tuple(self.outputs)))


@record(frozen=True, slots=True)
class Change:
    """What becomes of a layer: another one, which may take in the layer before it, or nothing,
    where its output is the value `alias`."""

    layer: Layer | None = None
    absorbs: Layer | None = None
    alias: str | None = None
    computed: bool = False


Rewrite = Callable[[_Net, Layer], Change | None]


def _neutral(net: _Net, layer: Layer) -> Change | None:
    """Layers that hand on what they read."""
    if not layer.inputs or len(layer.outputs) != 1:
        return None
    op, x, y = layer.operator, net.shape(layer.inputs[0]), net.shape(layer.outputs[0])
    alone = len(layer.inputs) == 1 and isinstance(op, ops.Concat)
    plain = op in (ops.Identity(), ops.Power(), ops.Relu(1.0)) or alone
    plain = plain or (isinstance(op, ops.Scale) and op.operand == "none" and not layer.weights)
    same = x is not None and x == y
    plain = plain or (same and _keeps_where_sizes_stay(op))
    plain = plain or (op == ops.Relu() and _is_relu(net.producers.get(layer.inputs[0])))
    return Change(alias=layer.inputs[0]) if plain else None


def _keeps_where_sizes_stay(op: ops.Operator) -> bool:
    """Whether a layer whose output has the shape of its input does nothing."""
    match op:
        case ops.Crop(offsets=offsets):
            return set(offsets) == {0}
        case ops.Pad(begin=begin, end=end):
            return set(begin) | set(end) == {0}
        case ops.StridedSlice(start=start, step=step):
            return (start, step) == (0, 1)
        case ops.Permute(order=order):
            return list(order) == sorted(order)
        case ops.Resize(factor=factor) if factor is not None:
            return set(factor) == {1}
    return isinstance(op, ops.Reshape | ops.Flatten | ops.Tile | ops.Expand)


def _is_relu(layer: Layer | None) -> bool:
    return layer is not None and layer.operator == ops.Relu()


def _affine(net: _Net, layer: Layer) -> Change | None:
    """What multiplies and adds per channel, folded into what is before, or joined."""
    affine = affine_of(layer, _constants(net, layer))
    shape = net.shape(layer.outputs[0]) if affine is not None else None
    if affine is None or shape is None or len(shape) < 2 or not is_constant(shape[1]):
        return None
    first = net.before(layer)
    if first is not None:
        whole = folded(first, affine)
        if whole is not None:
            return Change(replace(whole, outputs=layer.outputs), first, computed=True)
        earlier = affine_of(first, _constants(net, first))
        if earlier is not None:
            merged = followed(earlier, affine)
            scale = as_scale(replace(layer, inputs=first.inputs), merged, shape[1])  # type: ignore[arg-type]
            return Change(scale, first, computed=True)
    exact = isinstance(layer.operator, ops.Scale)
    return Change(as_scale(layer, affine, shape[1]), computed=not exact)  # type: ignore[arg-type]


def _constants(net: _Net, layer: Layer) -> dict[str, Layer]:
    made = ((value, net.producers.get(value)) for value in layer.inputs)
    return {v: one for v, one in made if one is not None and isinstance(one.operator, ops.Constant)}


def _padding(net: _Net, layer: Layer) -> Change | None:
    """Zeros around an image that a convolution would add itself, or lowest values that a maximum
    would pass over."""
    op, first = layer.operator, net.before(layer)
    if first is None or not isinstance(first.operator, ops.Pad) or len(first.inputs) != 1:
        return None
    pad = first.operator
    amounts = (*pad.begin, *pad.end)
    if pad.mode != "constant" or not is_constant(*amounts) or min(map(_number, amounts)) < 0:
        return None
    outside = {*pad.begin[:2], *pad.end[:2]} != {0}
    fits = isinstance(op, ops.Conv) and pad.value == 0
    fits = fits or (isinstance(op, ops.Pool) and op.kind == "max" and pad.value == float("-inf"))
    if outside or not fits:
        return None
    assert isinstance(op, ops.Conv | ops.Pool)
    begin = tuple(a + _number(b) for a, b in zip(op.pads_begin, pad.begin[2:], strict=True))
    end = tuple(a + _number(b) for a, b in zip(op.pads_end, pad.end[2:], strict=True))
    whole = replace(op, pads_begin=begin, pads_end=end)
    return Change(replace(layer, operator=whole, inputs=first.inputs), first)


def _number(size: object) -> int:
    assert isinstance(size, int)
    return size


def _activation(net: _Net, layer: Layer) -> Change | None:
    """Activations that are written in several steps, or under another name."""
    made = activation(layer, net.values) or condition(layer, net.values)
    return Change(made) if made is not None else None


def _plain_merge(net: _Net, layer: Layer) -> Change | None:
    """Merges without weights of 1, and without a rule for shapes that are the same anyhow."""
    op = layer.operator
    if not isinstance(op, ops.Eltwise):
        return None
    weighted = op.coefficients if set(op.coefficients) - {1.0} else ()
    alike = len({net.shape(value) for value in layer.inputs}) == 1
    plain = replace(op, coefficients=weighted, broadcast=op.broadcast and not alike)
    return Change(replace(layer, operator=plain)) if plain != op else None


def _powers(net: _Net, layer: Layer) -> Change | None:
    """What is scaled and moved, and then again or raised, as once."""
    first = net.before(layer)
    made = followed_by(first, layer) if first is not None else None
    if made is not None:
        return Change(made, first)
    natural = of_e(layer)
    return Change(natural) if natural is not None else None


def _normalised(net: _Net, layer: Layer) -> Change | None:
    """What is divided by its own length or deviation."""
    made = normalised(layer, net.values)
    return Change(made) if made is not None else None


def _rearranged(net: _Net, layer: Layer) -> Change | None:
    """What works on a reshaped image and is reshaped back, and unpoolings without references."""
    made = rearranged(layer, net.values) or unpooled(layer, net.values)
    return Change(made) if made is not None else None


def _centred(net: _Net, layer: Layer) -> Change | None:
    """What its own mean is taken from, and is divided by nothing."""
    made = centred(layer, net.values)
    return Change(made) if made is not None else None


def _normalised_scale(net: _Net, layer: Layer) -> Change | None:
    """The scale and the bias behind a normalisation as its own."""
    first, shape = net.before(layer), net.shape(layer.outputs[0]) if layer.outputs else None
    made = with_scale(first, layer, shape) if first is not None and shape is not None else None
    return Change(made, first) if made is not None else None


def _nested(net: _Net, layer: Layer) -> Change | None:
    """(a + b) + c as a + b + c, and Concats of Concats."""
    op = layer.operator
    if isinstance(op, ops.Eltwise) and (op.coefficients or op.kind not in COMMUTATIVE):
        return None
    if not isinstance(op, ops.Eltwise | ops.Concat):
        return None
    for index, value in enumerate(layer.inputs):
        first = net.before(layer, index)
        if first is not None and first.operator == op and layer.inputs.count(value) == 1:
            inputs = (*layer.inputs[:index], *first.inputs, *layer.inputs[index + 1 :])
            return Change(replace(layer, inputs=inputs), first)
    return None


COMMUTATIVE: Final = ("sum", "product", "max", "min")
"""The Eltwise kinds in which the order of inputs is of no account."""


def _cutting(net: _Net, layer: Layer) -> Change | None:
    """Every cut as a Crop; one behind the other on several axes as one."""
    op, x = layer.operator, net.shape(layer.inputs[0]) if layer.inputs else None
    if isinstance(op, ops.StridedSlice) and op.step == 1 and x is not None:
        return Change(replace(layer, operator=ops.Crop(op.axis % len(x), (op.start,), (op.size,))))
    first = net.before(layer)
    if not isinstance(op, ops.Crop) or x is None:
        return None
    plain = _of_numbers(layer, op, net.shape(layer.outputs[0]))
    if plain is not None:
        return Change(plain)
    if first is None:
        return None
    earlier = first.operator
    if not isinstance(earlier, ops.Crop) or earlier.axis % len(x) + len(
        earlier.sizes
    ) != op.axis % len(x):
        return None
    offsets, sizes = (
        tuple(_before_the_cut(size, first, earlier.axis % len(x)) for size in given)
        for given in (op.offsets, op.sizes)
    )
    whole = ops.Crop(earlier.axis, earlier.offsets + offsets, earlier.sizes + sizes)
    inputs = tuple(dict.fromkeys((*first.inputs, *layer.inputs[1:])))
    return Change(replace(layer, operator=whole, inputs=inputs), first)


def _before_the_cut(size: Size, first: Layer, start: int) -> Size:
    """A size in terms of what a Crop reads, where it is one of what the Crop writes."""
    cut = first.operator
    assert isinstance(cut, ops.Crop)

    def found(leaf: Symbol | Like) -> Size | None:
        if not isinstance(leaf, Like) or leaf.tensor != first.outputs[0]:
            return None
        inside = start <= leaf.axis < start + len(cut.sizes)
        return cut.sizes[leaf.axis - start] if inside else like(first.inputs[0], leaf.axis)

    return substitute(size, found)


def _of_numbers(layer: Layer, op: ops.Crop, y: Shape | None) -> Layer | None:
    """A cut to the size of another value as one to the numbers that this is, where it is some."""
    if len(layer.inputs) < 2 or y is None or not is_constant(*y, *op.offsets):
        return None
    kept = y[op.axis % len(y) :][: len(op.sizes)]
    return replace(layer, operator=replace(op, sizes=kept), inputs=layer.inputs[:1])


def _repeated(net: _Net, layer: Layer) -> Change | None:
    """Pixels repeated a whole number of times: each way to say so as one."""
    op = layer.operator
    if isinstance(op, ops.WindowUnpool) and op.kind == "tile" and op.kernel == op.stride:
        x, y = net.shape(layer.inputs[0]), net.shape(layer.outputs[0])
        whole = x is not None and y is not None and not any(op.pads_begin)
        if whole and all(b == a * f for a, b, f in zip(x[2:], y[2:], op.stride, strict=True)):  # type: ignore[index]
            plain = ops.Resize("nearest", "asymmetric", factor=op.stride)
            return Change(replace(layer, operator=plain, inputs=layer.inputs[:1]))
    if not isinstance(op, ops.Resize) or op.mode != "nearest" or op.factor is None:
        return None
    plain = ops.Resize("nearest", "asymmetric", factor=op.factor)
    return Change(replace(layer, operator=plain)) if op != plain and _repeats(op) else None


def _repeats(op: ops.Resize) -> bool:
    """Whether output i of a nearest Resize by whole factors is input q = floor(i / factor).

    i / f lies from q to q + (f-1)/f: floored it is q, and rounded with ties down where f is 2 at
    most. (i + 1/2)/f - 1/2 lies within less than 1/2 of q, and is rounded to q.
    """
    where, rounding = op.coordinate_mode, op.nearest_mode
    if op.scale is not None:
        return False
    if where == "half_pixel":
        return rounding in ("round_prefer_floor", "round_prefer_ceil")
    small = max(op.factor or (0,)) <= 2
    return where == "asymmetric" and (
        rounding == "floor" or (rounding == "round_prefer_floor" and small)
    )


def _product(net: _Net, layer: Layer) -> Change | None:
    """A product with a matrix that is a transposed convolution."""
    if not isinstance(layer.operator, ops.MatMul):
        return None
    made = as_transposed(layer, net.values)
    return Change(made, computed=True) if made is not None else None


def _axis_by_axis(net: _Net, layer: Layer) -> Change | None:
    """Two transposed convolutions, one an axis, as one."""
    first = net.before(layer) if isinstance(layer.operator, ops.ConvTranspose) else None
    whole = joined_axes(first, layer) if first is not None else None
    return Change(whole, first, computed=True) if whole is not None else None


REWRITES: Final[tuple[Rewrite, ...]] = (
    _neutral,
    _plain_merge,
    _activation,
    _powers,
    _normalised,
    _rearranged,
    _rearranged,
    _centred,
    _normalised_scale,
    _cutting,
    _cutting,
    _product,
    _axis_by_axis,
    _affine,
    _padding,
    _nested,
    _repeated,
    _neutral,
)
"""Applied in this order, each once over the whole model."""


def parts_of(found: Canonical, layer: Layer) -> Iterator[str]:
    """The names of the file's layers that a layer stands for."""
    yield from found.parts.get(layer.name, (layer.name,))
