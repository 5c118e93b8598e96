"""Normalisations by what they read that are written as sums, means, roots and quotients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from upconv.converters.audit.comparison.values import Values
from upconv.converters.audit.comparison.weights import is_idle
from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer
from upconv.converters.ir.records import record
from upconv.converters.ir.shapes import Shape
from upconv.converters.ir.tensors import Weight, weight_of

Axes = tuple[int, ...]

NORMS: Final = (ops.LayerNorm, ops.GroupNorm, ops.L2Normalize)
"""Normalisations that may multiply and add what they store."""


@record(frozen=True, slots=True)
class _Statistic:
    """One number for all that lies along some axes of a value, which are kept with size 1."""

    kind: str
    of: str
    axes: Axes


def normalised(layer: Layer, values: Values) -> Layer | None:
    """A quotient of x, or of x less its mean, by its own size as the normalisation that it is;
    None for other layers."""
    op = layer.operator
    if not isinstance(op, ops.Eltwise) or op.kind != "quotient" or len(layer.inputs) != 2:
        return None
    above, below = layer.inputs
    for find in (_by_neighbours, _by_length, _by_deviation, _by_variance):
        found = find(above, below, values)
        if found is not None:
            operator, x = found
            return replace(layer, operator=operator, inputs=(x,), weights={})
    return None


def centred(layer: Layer, values: Values) -> Layer | None:
    """x less its own mean over its pixels, or over its channels and pixels."""
    found = _less_its_mean(layer.outputs[0], values)
    if found is None:
        return None
    across = _across(found.axes, found.of, values)
    if across is None:
        return None
    operator = ops.MeanVarianceNorm(False, across, 0.0)
    return replace(layer, operator=operator, inputs=(found.of,))


_Found = tuple[ops.Operator, str]
"""An operator, and what it reads."""


def _by_neighbours(above: str, below: str, values: Values) -> _Found | None:
    """x / (k + alpha * mean of the squares around it)^beta."""
    raised = _power(below, values)
    pooled = values.operator(raised[1], ops.Pool) if raised is not None else None
    if raised is None or pooled is None or _square(pooled.inputs[0], values) != above:
        return None
    power, pool = raised[0], pooled.operator
    assert isinstance(pool, ops.Pool)
    size, axes = pool.kernel[0], len(pool.kernel)
    around = ((size,) * axes, (1,) * axes, (1,) * axes, (size // 2,) * axes, (size // 2,) * axes)
    window = (pool.kernel, pool.stride, pool.dilation, pool.pads_begin, pool.pads_end)
    if window != around or size % 2 == 0 or pool.kind != "average" or not pool.count_padding:
        return None
    return ops.Lrn(size, power.scale, power.power, power.shift, "within"), above


def _by_length(above: str, below: str, values: Values) -> _Found | None:
    """x / sqrt(sum of its squares + epsilon)."""
    root = _root(below, values)
    found = _statistic(root[1], values) if root is not None else None
    if root is None or found is None:
        return None
    squares = found.kind == "square_sum" and found.of == above
    if not squares and not (found.kind == "sum" and _square(found.of, values) == above):
        return None
    across = found.axes == _from(1, above, values)
    return (ops.L2Normalize(across, root[0]), above) if across or found.axes == (1,) else None


def _by_deviation(above: str, below: str, values: Values) -> _Found | None:
    """(x - mean) / (sqrt(variance) + epsilon)."""
    added = _power(below, values)
    if added is None or (added[0].power, added[0].scale) != (1, 1):
        return None
    root = _root(added[1], values)
    mean = _less_its_mean(above, values)
    if root is None or mean is None or root[0] != 0:
        return None
    across = _across(mean.axes, mean.of, values)
    if across is None or _variance(root[1], above, values) != mean.axes:
        return None
    return ops.MeanVarianceNorm(True, across, added[0].shift), mean.of


def _by_variance(above: str, below: str, values: Values) -> _Found | None:
    """(x - mean) / sqrt(variance + epsilon)."""
    root, mean = _root(below, values), _less_its_mean(above, values)
    if root is None or mean is None or _variance(root[1], above, values) != mean.axes:
        return None
    first, rank = mean.axes[0], len(_from(0, mean.of, values))
    if mean.axes != tuple(range(first, first + len(mean.axes))):
        return None
    number = -1 if first + len(mean.axes) == rank else len(mean.axes)
    return ops.LayerNorm(first, root[0], number), mean.of


def _variance(value: str, apart: str, values: Values) -> Axes | None:
    """The axes over which a value is the mean of the squares of `apart`."""
    found = _statistic(value, values)
    if found is None or found.kind != "mean" or _square(found.of, values) != apart:
        return None
    return found.axes


def _less_its_mean(value: str, values: Values) -> _Statistic | None:
    """The mean that is taken from x, where the value is x less its own mean."""
    layer = values.operator(value, ops.Eltwise)
    if layer is None or layer.operator.kind != "difference" or len(layer.inputs) != 2:  # type: ignore[union-attr]
        return None
    found = _statistic(layer.inputs[1], values)
    mean = found is not None and found.kind == "mean" and found.of == layer.inputs[0]
    return found if mean else None


def _across(axes: Axes, x: str, values: Values) -> bool | None:
    """Whether axes are those of channels and pixels, or of pixels alone; None for others."""
    return {_from(1, x, values): True, _from(2, x, values): False}.get(axes) if axes else None


def _from(first: int, value: str, values: Values) -> Axes:
    return tuple(range(first, len(values.shapes.get(value) or ())))


def _square(value: str, values: Values) -> str | None:
    """What a value is the square of."""
    layer = values.producers.get(value)
    if layer is None:
        return None
    op = layer.operator
    twice = isinstance(op, ops.Eltwise) and op.kind == "product" and len(layer.inputs) == 2
    squared = (twice and layer.inputs[0] == layer.inputs[1]) or op == ops.Power(2.0)
    return layer.inputs[0] if squared else None


def _power(value: str, values: Values) -> tuple[ops.Power, str] | None:
    layer = values.operator(value, ops.Power)
    if layer is None:
        return None
    assert isinstance(layer.operator, ops.Power)
    return layer.operator, layer.inputs[0]


def _root(value: str, values: Values) -> tuple[float, str] | None:
    """(epsilon, x) of sqrt(x + epsilon)."""
    found = _power(value, values)
    if found is None or (found[0].power, found[0].scale) != (0.5, 1.0):
        return None
    return found[0].shift, found[1]


def _statistic(value: str, values: Values) -> _Statistic | None:
    """A reduction whose axes come back with size 1, however it is written."""
    pooled = values.operator(value, ops.GlobalPool)
    if pooled is not None and pooled.operator == ops.GlobalPool("average"):
        return _Statistic("mean", pooled.inputs[0], _from(2, value, values))
    kept: list[int] = []
    while (back := values.operator(value, ops.Reshape)) is not None:
        op = back.operator
        assert isinstance(op, ops.Reshape)
        if (op.dims, op.num_axes) != ((1,), 0) or op.axis < 0:
            return None
        kept.insert(0, op.axis)
        value = back.inputs[0]
    reduced = values.operator(value, ops.Reduce)
    return _reduced(reduced, tuple(kept), values) if reduced is not None else None


def _reduced(layer: Layer, kept: Axes, values: Values) -> _Statistic | None:
    """A Reduce of the last axes, behind a Permute that brings them there, if it reduces those that
    are kept."""
    op, x = layer.operator, layer.inputs[0]
    assert isinstance(op, ops.Reduce)
    order = _from(0, x, values)
    turned = values.operator(x, ops.Permute)
    if turned is not None:
        assert isinstance(turned.operator, ops.Permute)
        order, x = tuple(turned.operator.order), turned.inputs[0]
    if not order or op.coefficient != 1 or order[op.axis % len(order) :] != kept:
        return None
    others = order[: op.axis % len(order)]
    return _Statistic(op.kind, x, kept) if list(others) == sorted(others) else None


def with_scale(first: Layer, second: Layer, shape: Shape) -> Layer | None:
    """A normalisation of a value of this shape that multiplies and adds nothing, with what does
    behind it as its own weights."""
    norm = first.operator
    if not isinstance(norm, NORMS) or not is_idle(first):
        return None
    axis, axes = 1, 1
    if isinstance(norm, ops.LayerNorm):
        axis = norm.axis % len(shape)
        axes = len(shape) - axis if norm.num_axes == -1 else norm.num_axes
    weights = _per_axes(second, axis, shape[axis : axis + axes])
    if weights is None or (isinstance(norm, ops.L2Normalize) and set(weights) != {"scale"}):
        return None
    return replace(first, outputs=second.outputs, weights=weights)


def _per_axes(layer: Layer, axis: int, sizes: Shape) -> Mapping[str, Weight] | None:
    """What a layer multiplies and adds along these axes, or everywhere alike."""
    op = layer.operator
    if isinstance(op, ops.Power) and (op.power, op.shift) == (1.0, 0.0):
        import numpy as np

        return {"scale": weight_of(np.array([op.scale], np.float32))}
    if not isinstance(op, ops.Scale) or op.operand != "none" or op.axis != axis:
        return None
    alike = all(weight.shape == sizes for weight in layer.weights.values())
    return layer.weights if alike else None
