"""One form for what can be written in several: so that two models that mean the same look alike.

Nothing here changes what a model computes, but for rounding where weights are folded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from upconv.converters.audit.comparison.affine import affine_of, as_scale, folded, followed
from upconv.converters.audit.comparison.arrangements import picked, rearranged, unpooled
from upconv.converters.audit.comparison.cuts import cutting, padding, parted, transposed_margin
from upconv.converters.audit.comparison.factors import joined_axes, mixed_first, of_one_pixel
from upconv.converters.audit.comparison.interpolations import enlarged, framed, unscaled
from upconv.converters.audit.comparison.largest import of_equals, over_all, placed
from upconv.converters.audit.comparison.lowerings import (
    filled,
    flattened,
    mirrored,
    reshaped_once,
    scaled,
)
from upconv.converters.audit.comparison.merges import nested, plain_merge
from upconv.converters.audit.comparison.neutral import neutral
from upconv.converters.audit.comparison.normalising import (
    centred,
    normalised,
    with_scale,
)
from upconv.converters.audit.comparison.pointwise import (
    activation,
    condition,
    floored,
    followed_by,
    gelu,
    of_e,
)
from upconv.converters.audit.comparison.products import as_transposed, unfolded
from upconv.converters.audit.comparison.repeating import nearest, nearest_of_nearest, repeated
from upconv.converters.audit.comparison.rewriting import Change, Net, Rewrite
from upconv.converters.audit.comparison.sizes import numbered
from upconv.converters.audit.comparison.windows import inside
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import is_constant
from upconv.converters.ir.model import Layer, Model
from upconv.converters.ir.records import record
from upconv.converters.passes.joining import joined
from upconv.converters.passes.live import live


@record(frozen=True, slots=True)
class Canonical:
    """A model in one form. `computed`: the layers whose weights were folded, and so rounded;
    `parts`: layer -> the names of the layers of the file that it stands for, where several."""

    model: Model
    computed: frozenset[str]
    parts: Mapping[str, tuple[str, ...]]


def canonical(model: Model) -> Canonical:
    """The model in the form in which models are compared."""
    net = Net(live(model))
    net.layers = joined(net.layers, net.model.outputs)
    for rewrite in REWRITES:
        net.apply(rewrite)
    return Canonical(net.finished(), frozenset(net.computed), dict(net.parts))


def _affine(net: Net, layer: Layer) -> Change | None:
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


def _constants(net: Net, layer: Layer) -> dict[str, Layer]:
    made = ((value, net.producers.get(value)) for value in layer.inputs)
    return {v: one for v, one in made if one is not None and isinstance(one.operator, ops.Constant)}


def _activation(net: Net, layer: Layer) -> Change | None:
    """Activations that are written in several steps, or under another name."""
    find = (activation, condition, gelu, floored)
    made = next((found for one in find if (found := one(layer, net.values)) is not None), None)
    return Change(made) if made is not None else None


def _powers(net: Net, layer: Layer) -> Change | None:
    """What is scaled and moved, and then again or raised, as once."""
    first = net.before(layer)
    made = followed_by(first, layer) if first is not None else None
    if made is not None:
        return Change(made, first)
    natural = of_e(layer)
    return Change(natural) if natural is not None else None


def _normalised(net: Net, layer: Layer) -> Change | None:
    """What is divided by its own length or deviation."""
    made = normalised(layer, net.values)
    return Change(made) if made is not None else None


def _rearranged(net: Net, layer: Layer) -> Change | None:
    """What works on a reshaped image and is reshaped back, and unpoolings without references."""
    find = (rearranged, unpooled, picked)
    made = next((found for one in find if (found := one(layer, net.values)) is not None), None)
    return Change(made) if made is not None else None


def _centred(net: Net, layer: Layer) -> Change | None:
    """What its own mean is taken from, and is divided by nothing."""
    made = centred(layer, net.values)
    return Change(made) if made is not None else None


def _normalised_scale(net: Net, layer: Layer) -> Change | None:
    """The scale and the bias behind a normalisation as its own."""
    first, shape = net.before(layer), net.shape(layer.outputs[0]) if layer.outputs else None
    made = with_scale(first, layer, shape) if first is not None and shape is not None else None
    return Change(made, first) if made is not None else None


def _product(net: Net, layer: Layer) -> Change | None:
    """A product with a matrix that is a transposed convolution."""
    if not isinstance(layer.operator, ops.MatMul):
        return None
    made = as_transposed(layer, net.values)
    return Change(made, computed=True) if made is not None else None


def _unfolded(net: Net, layer: Layer) -> Change | None:
    """A transposed convolution of one axis between two reshapes."""
    made = unfolded(layer, net.values)
    return Change(made, computed=True) if made is not None else None


def _axis_by_axis(net: Net, layer: Layer) -> Change | None:
    """Two transposed convolutions, one an axis, as one."""
    first = net.before(layer) if isinstance(layer.operator, ops.ConvTranspose) else None
    whole = joined_axes(first, layer) if first is not None else None
    return Change(whole, first, computed=True) if whole is not None else None


def _mixed(net: Net, layer: Layer) -> Change | None:
    """A dense transposed convolution of one kernel as channels mixed first."""
    made = mixed_first(layer)
    return Change(made[1], computed=True, ahead=made[:1]) if made is not None else None


def _of_one_pixel(net: Net, layer: Layer) -> Change | None:
    """A transposed convolution of one pixel."""
    made = of_one_pixel(layer)
    return Change(made) if made is not None else None


REWRITES: Final[tuple[Rewrite, ...]] = (
    numbered,
    neutral,
    parted,
    mirrored,
    placed,
    over_all,
    filled,
    flattened,
    plain_merge,
    _activation,
    _powers,
    _normalised,
    _rearranged,
    _rearranged,
    _centred,
    _normalised_scale,
    scaled,
    reshaped_once,
    reshaped_once,
    reshaped_once,
    of_equals,
    cutting,
    cutting,
    transposed_margin,
    transposed_margin,
    inside,
    unscaled,
    nearest,
    nearest_of_nearest,
    nearest_of_nearest,
    _product,
    _unfolded,
    enlarged,
    framed,
    _axis_by_axis,
    _mixed,
    _of_one_pixel,
    _affine,
    padding,
    nested,
    repeated,
    neutral,
)
"""Applied in this order, each once over the whole model."""


def parts_of(found: Canonical, layer: Layer) -> Iterator[str]:
    """The names of the file's layers that a layer stands for."""
    yield from found.parts.get(layer.name, (layer.name,))
