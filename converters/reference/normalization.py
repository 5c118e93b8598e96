"""Normalisations: by stored statistics, by neighbours, by the values' own statistics."""

from __future__ import annotations

import numpy as np

from upconv.converters.ir import operators as ops
from upconv.converters.reference.call import MEANINGS, Array, Operands
from upconv.converters.reference.windows import Windows, at


@MEANINGS.register(ops.BatchNorm)
def _batch_norm(op: ops.BatchNorm, call: Operands) -> tuple[Array, ...]:
    result = (call.x - call.per_channel("mean")) / np.sqrt(
        call.per_channel("variance") + op.epsilon
    )
    if (scale := call.channels("scale")) is not None:
        result = result * scale
    if (bias := call.channels("bias")) is not None:
        result = result + bias
    return (result,)


@MEANINGS.register(ops.Lrn)
def _lrn(op: ops.Lrn, call: Operands) -> tuple[Array, ...]:
    return (call.x / lrn_scale(op, call.x) ** op.beta,)


def lrn_scale(op: ops.Lrn, x: Array) -> Array:
    """k + alpha/n * sums of squares over a window with zeros around the input (Caffe
    lrn_layer.cpp). Of an even size the longer half lies behind, as in ONNX LRN."""
    squares = np.square(x)
    axes = 1 if op.region == "across" else x.ndim - 2
    if op.region == "across":
        squares = np.moveaxis(squares, 1, -1)
    ones = (1,) * axes
    windows = Windows((op.size,) * axes, ones, ones, ((op.size - 1) // 2,) * axes)
    total = np.zeros(squares.shape)
    view = windows.view(squares, squares.shape[-axes:])
    lead = (slice(None),) * (squares.ndim - axes)
    for offset in windows.offsets():
        total += view[at(*lead, *offset)]
    if op.region == "across":
        total = np.moveaxis(total, -1, 1)
    scale: Array = op.k + op.alpha / op.size**axes * total
    return scale


@MEANINGS.register(ops.MeanVarianceNorm)
def _mean_variance_norm(op: ops.MeanVarianceNorm, call: Operands) -> tuple[Array, ...]:
    axes = tuple(range(1 if op.across_channels else 2, call.x.ndim))
    centred = call.x - call.x.mean(axis=axes, keepdims=True)
    if not op.normalize_variance:
        return (centred,)
    variance = np.square(centred).mean(axis=axes, keepdims=True)
    return (centred / (np.sqrt(variance) + op.epsilon),)


@MEANINGS.register(ops.GroupNorm)
def _group_norm(op: ops.GroupNorm, call: Operands) -> tuple[Array, ...]:
    grouped = call.x.reshape(call.x.shape[0], op.groups, -1)
    result = _standardized(grouped, (2,), op.epsilon).reshape(call.shape)
    if (scale := call.channels("scale")) is not None:
        result = result * scale
    if (bias := call.channels("bias")) is not None:
        result = result + bias
    return (result,)


@MEANINGS.register(ops.LayerNorm)
def _layer_norm(op: ops.LayerNorm, call: Operands) -> tuple[Array, ...]:
    first = op.axis % call.x.ndim
    last = call.x.ndim if op.num_axes == -1 else first + op.num_axes
    result = _standardized(call.x, tuple(range(first, last)), op.epsilon)
    behind = (1,) * (call.x.ndim - last)
    if (scale := call.weight("scale")) is not None:
        result = result * scale.reshape(*scale.shape, *behind)
    if (bias := call.weight("bias")) is not None:
        result = result + bias.reshape(*bias.shape, *behind)
    return (result,)


def _standardized(x: Array, axes: tuple[int, ...], epsilon: float) -> Array:
    """(x - mean) / sqrt(variance + epsilon), the variance divided by the count."""
    centred = x - x.mean(axis=axes, keepdims=True)
    variance = np.square(centred).mean(axis=axes, keepdims=True)
    result: Array = centred / np.sqrt(variance + epsilon)
    return result


@MEANINGS.register(ops.L2Normalize)
def _l2_normalize(op: ops.L2Normalize, call: Operands) -> tuple[Array, ...]:
    axes = tuple(range(1, call.x.ndim)) if op.across_spatial else (1,)
    length = np.sqrt(np.square(call.x).sum(axis=axes, keepdims=True) + op.epsilon)
    scale = call.channels("scale")
    result: Array = call.x / length
    return (result if scale is None else result * scale,)


@MEANINGS.register(ops.Softmax)
def _softmax(op: ops.Softmax, call: Operands) -> tuple[Array, ...]:
    shifted = call.x - call.x.max(axis=op.axis, keepdims=True)
    powers = np.exp(shifted)
    total = powers.sum(axis=op.axis, keepdims=True)
    return (shifted - np.log(total) if op.log else powers / total,)
