"""How far a float32 result may lie from the float64 reference, operator by operator.

Three kinds: "exact" operators move values or choose among them and may not differ at all; "bound"
operators are sums of products, whose error obeys the theorem in `reference.bounds`; the rest has
a stated tolerance, a multiple of float32's unit roundoff times the size of the values involved.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer
from upconv.converters.proof.grid_sample_bound import grid_sample_bound
from upconv.converters.reference.bounds import UNIT_ROUNDOFF, error_bound, sum_of_products
from upconv.converters.reference.normalization import lrn_scale

Array = NDArray[np.float64]
SMALLEST_NORMAL = 2.0**-126
"""Below it float32 loses bits, or flushes to zero."""

EXACT = (
    ops.Identity,
    ops.Constant,
    ops.Crop,
    ops.Pad,
    ops.Concat,
    ops.Slice,
    ops.Gather,
    ops.Embedding,
    ops.Reshape,
    ops.Flatten,
    ops.Permute,
    ops.ChannelShuffle,
    ops.SpaceToDepth,
    ops.DepthToSpace,
    ops.Tile,
    ops.Unpool,
    ops.ArgMax,
    ops.Abs,
    ops.Threshold,
)
"""Operators that only move values, or compare them."""

ROUNDOFFS: dict[type, float] = {
    ops.Relu: 2,
    ops.PRelu: 2,
    ops.Clip: 2,
    ops.Elu: 16,
    ops.Sigmoid: 16,
    ops.Tanh: 16,
    ops.Swish: 32,
    ops.Gelu: 32,
    ops.Exp: 64,
    ops.Log: 64,
    ops.Erf: 16,
    ops.Softplus: 16,
    ops.Power: 64,
    ops.Softmax: 64,
    ops.BatchNorm: 16,
    ops.Lrn: 64,
    ops.MeanVarianceNorm: 256,
    ops.GroupNorm: 256,
    ops.LayerNorm: 256,
    ops.L2Normalize: 64,
    ops.Reduce: 4,
    ops.Eltwise: 4,
}
"""Stated tolerances, in unit roundoffs of the layer's sensitivity (see `_SENSITIVITY`)."""

SLIDING = 4
"""Roundings at each step of a sum that slides: a product, an addition, a subtraction, the scale."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """The largest permitted |computed - exact| per element, one number where all have the same,
    and where it comes from."""

    kind: Literal["exact", "bound", "tolerance"]
    bound: Array


def allowance(layer: Layer, inputs: Sequence[Array], exact: Array, form: str) -> Allowance:
    """The permitted error of each element of the layer's first output.

    `inputs` and `exact` are float64, shapes as the layer's; `form` is how the writer said the
    layer, since the factored forms of a bilinear kernel round its weights once more.
    """
    operator = layer.operator
    if isinstance(operator, EXACT) or _chooses(operator):
        return Allowance("exact", np.zeros(()))
    if isinstance(operator, ops.Resize):
        return Allowance("tolerance", _resize_bound(operator, inputs[0], exact))
    if isinstance(operator, ops.GridSample):
        return Allowance("tolerance", grid_sample_bound(operator, inputs[0], inputs[1], exact))
    if isinstance(operator, ops.Reduce) and operator.kind not in ("max", "min"):
        return Allowance("bound", _reduction_bound(operator, inputs[0], exact))
    products = sum_of_products(layer, inputs, exact=exact)
    if products is not None:
        extra = FORM_ROUNDINGS.get(form, 0)
        bound = error_bound(products.exact, products.magnitude, products.count + extra)
        return Allowance("bound", bound)
    steps = ROUNDOFFS[type(operator)]
    with np.errstate(all="ignore"):  # NaN and infinity are values here, as in the reference
        relative = steps * UNIT_ROUNDOFF * _sensitivity(layer, inputs, exact)
    return Allowance("tolerance", relative + SMALLEST_NORMAL)


FORM_ROUNDINGS = {"separable": 10, "matmul": 10}
"""Roundings that a factored kernel adds: up to 8 per weight (the rank-one test of
`kernels.separate`), and two between the passes."""


def _chooses(operator: ops.Operator) -> bool:
    """Max pooling and its kin return one of their inputs."""
    match operator:
        case ops.Pool(kind="max") | ops.GlobalPool(kind="max"):
            return True
        case ops.Eltwise(kind="max" | "min") | ops.Resize(mode="nearest"):
            return True
        case ops.WindowUnpool(kind="corner"):
            return True
        case ops.Relu(slope=0.0) | ops.Reduce(kind="max" | "min", coefficient=1.0):
            return True
    return False


def _resize_bound(op: ops.Resize, x: Array, exact: Array) -> Array:
    """onnxruntime computes coordinates in float32: 4u(|c|+1) times the largest neighbouring
    difference per axis, c the source coordinate (measured on 897,405 values), plus the rounding
    of the weighted sum."""
    steep = max(
        (float(np.abs(np.diff(x, axis=a)).max()) for a in range(2, x.ndim) if x.shape[a] > 1),
        default=0.0,
    )
    reach = sum(size + 1 for size in x.shape[2:])
    taps = 4.0 if op.mode == "cubic" else 1.0
    spread = 4 * UNIT_ROUNDOFF * reach * steep * taps
    return np.asarray(spread + 16 * taps * UNIT_ROUNDOFF * float(np.abs(x).max(initial=0.0)))


def _sensitivity(layer: Layer, inputs: Sequence[Array], exact: Array) -> Array:
    kind = type(layer.operator)
    measure = _SENSITIVITY.get(kind, _relative)
    return measure(layer, inputs, exact)


def _relative(layer: Layer, inputs: Sequence[Array], exact: Array) -> Array:
    """Each element's own size, and a thousandth of the largest for what cancels near zero."""
    return np.abs(exact) + 1e-3 * _largest(exact)


def _overall(layer: Layer, inputs: Sequence[Array], exact: Array) -> Array:
    """The largest value of input and output: for sums whose parts cancel."""
    return np.full(exact.shape, max(_largest(exact), _largest(inputs[0])))


def _is_log(layer: Layer) -> bool:
    return isinstance(layer.operator, ops.Softmax) and layer.operator.log


def _batch_norm(layer: Layer, inputs: Sequence[Array], exact: Array) -> Array:
    """(|x| + |mean|) * |scale| / std + |bias| per element, which cancellation cannot shrink."""
    operator = layer.operator
    assert isinstance(operator, ops.BatchNorm)
    values = {n: np.abs(w.array()).astype(np.float64) for n, w in layer.weights.items()}
    gain = values.get("scale", np.float64(1)) / np.sqrt(values["variance"] + operator.epsilon)
    shape = (1, -1) + (1,) * (inputs[0].ndim - 2)

    def per_channel(value: Any) -> Array:
        return np.broadcast_to(value, values["variance"].shape).reshape(shape)

    bias = per_channel(values.get("bias", np.float64(0)))
    result: Array = (np.abs(inputs[0]) + per_channel(values["mean"])) * per_channel(gain) + bias
    return result


def _lrn(layer: Layer, inputs: Sequence[Array], exact: Array) -> Array:
    """onnxruntime slides its sum of squares along the channels, adds the next and takes the last
    away: what a large value has cost stays behind it. What is rounded on the way comes to n times
    the squares of a pixel's channels, and k once for every channel."""
    op = layer.operator
    assert isinstance(op, ops.Lrn)
    plain = _relative(layer, inputs, exact)
    if op.region == "within":
        return plain
    x = inputs[0]
    slid = abs(op.alpha) * np.square(x).sum(axis=1, keepdims=True) + abs(op.k) * x.shape[1]
    slope = abs(op.beta) / _positive(np.abs(lrn_scale(op, x)))
    result: Array = plain + np.abs(exact) * slope * slid * (SLIDING / ROUNDOFFS[ops.Lrn])
    return result


def _product(layer: Layer, inputs: Sequence[Array], exact: Array) -> Array:
    return np.abs(exact) * len(inputs)


def _reduction_bound(op: ops.Reduce, x: Array, exact: Array) -> Array:
    """The theorem for n terms (squares are products), with three more roundings: of a mean's
    division, of the coefficient as float32, and of the product with it."""
    axes = tuple(range(op.axis % x.ndim, x.ndim))
    count = prod(x.shape[axis] for axis in axes)
    terms = np.square(x) if op.kind == "square_sum" else np.abs(x)
    gain = abs(op.coefficient) / (count if op.kind == "mean" else 1)
    return error_bound(exact, np.sum(terms, axis=axes) * gain, count + 3)


def _unit(layer: Layer, inputs: Sequence[Array], exact: Array) -> Array:
    """onnxruntime approximates the logistic function and tanh to within roundoffs of 1."""
    return np.ones(exact.shape)


def _elu(layer: Layer, inputs: Sequence[Array], exact: Array) -> Array:
    """alpha * (exp(x) - 1) cancels near zero: exp(x) itself is rounded."""
    operator = layer.operator
    assert isinstance(operator, ops.Elu)
    return np.abs(exact) + np.where(inputs[0] < 0, abs(operator.alpha), 0.0)


def _swish(layer: Layer, inputs: Sequence[Array], exact: Array) -> Array:
    """x times a logistic function that is right to within roundoffs of 1."""
    return np.abs(inputs[0])


def _normalized(layer: Layer, inputs: Sequence[Array], exact: Array) -> Array:
    """The mean's rounding, relative to the largest value it is taken over, is divided by the same
    deviation as the values: a large offset costs digits, group by group."""
    operator: Any = layer.operator
    values, axes = _normalized_over(operator, inputs[0])
    largest = np.abs(values).max(axis=axes, keepdims=True)
    ratio = np.broadcast_to(largest / _deviation(operator, values, axes), values.shape)
    stored = {name: float(np.abs(w.array()).max()) for name, w in layer.weights.items()}
    result: Array = ratio.reshape(exact.shape) * stored.get("scale", 1.0) + np.abs(exact)
    return result + stored.get("bias", 0.0)


def _normalized_over(op: Any, x: Array) -> tuple[Array, tuple[int, ...]]:
    """The values and the axes along which they share a mean."""
    match op:
        case ops.MeanVarianceNorm(across_channels=across):
            return x, tuple(range(1 if across else 2, x.ndim))
        case ops.GroupNorm(groups=groups):
            return x.reshape(len(x), groups, -1), (2,)
    first = op.axis % x.ndim
    return x, tuple(range(first, x.ndim if op.num_axes == -1 else first + op.num_axes))


def _deviation(op: Any, values: Array, axes: tuple[int, ...]) -> Array:
    """What the centred values are divided by, never 0."""
    if isinstance(op, ops.MeanVarianceNorm):
        deviation = np.std(values, axis=axes, keepdims=True) + op.epsilon
        return _positive(deviation if op.normalize_variance else np.ones_like(deviation))
    return _positive(np.sqrt(np.var(values, axis=axes, keepdims=True) + op.epsilon))


def _argument(layer: Layer, inputs: Sequence[Array], exact: Array) -> Array:
    """f(shift + scale*x): the argument's own rounding passes through f's slope."""
    operator: Any = layer.operator
    inner = np.abs(operator.scale * inputs[0]) + abs(operator.shift)
    return SLOPES[type(operator)](operator, inputs[0], inner, np.abs(exact))


SLOPES: dict[type, Callable[[Any, Array, Array, Array], Array]] = {
    ops.Exp: lambda op, x, inner, y: y * (1 + inner * abs(np.log(op.base or np.e))),
    ops.Log: lambda op, x, inner, y: y + inner / _positive(np.abs(op.scale * x + op.shift)),
    ops.Power: lambda op, x, inner, y: y + _power_slope(op, x) * inner,
}


def _power_slope(op: ops.Power, x: Array) -> Array:
    base = np.abs(op.scale * x + op.shift)
    slope: Array = abs(op.power) * np.where(op.power == 1, 1.0, base ** (op.power - 1))
    return slope


def _positive(values: Array) -> Array:
    return np.maximum(values, SMALLEST_NORMAL)


def _largest(values: Array) -> float:
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max()) if finite.size else 0.0


_SENSITIVITY: dict[type, Callable[[Layer, Sequence[Array], Array], Array]] = {
    ops.BatchNorm: _batch_norm,
    ops.Eltwise: _product,
    ops.Lrn: _lrn,
    ops.MeanVarianceNorm: _normalized,
    ops.GroupNorm: _normalized,
    ops.LayerNorm: _normalized,
    ops.Gelu: _overall,
    ops.Softmax: lambda layer, inputs, exact: (
        _overall(layer, inputs, exact) if _is_log(layer) else _relative(layer, inputs, exact)
    ),
    ops.Softplus: _overall,
    ops.Erf: _unit,
    ops.Sigmoid: _unit,
    ops.Tanh: _unit,
    ops.Elu: _elu,
    ops.Swish: _swish,
    ops.Exp: _argument,
    ops.Log: _argument,
    ops.Power: _argument,
}
