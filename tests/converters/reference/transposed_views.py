"""Transposed convolution derived in three independent ways, and its gradients.

All take x (N, C_in, spatial in...), weight (C_in, C_out/groups, k...), an optional bias (C_out),
the record, whose kernel, stride, dilation, pads_begin and groups count, and `spatial`, the sizes
of the output, since end padding, output padding and a target do no more than set those. They are
written to be read, and for small arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod

import numpy as np

from upconv.converters.ir.geometry import effective_kernel
from upconv.converters.ir.operators import ConvTranspose
from upconv.converters.reference.call import Array, Shape
from upconv.converters.reference.convolution import convolve
from upconv.converters.reference.windows import Windows, at, region


def distribution(
    op: ConvTranspose, x: Array, weight: Array, bias: Array | None, spatial: Shape
) -> Array:
    """Each input value scatters its kernel, scaled by it, into the output; overlaps add up."""
    out = np.zeros((x.shape[0], op.out_channels, *spatial))
    per_group = op.out_channels // op.groups
    inputs_per_group = x.shape[1] // op.groups
    for index in product(*map(range, x.shape[2:])):
        for tap in product(*map(range, op.kernel)):
            place = _place(op, index, tap)
            if not all(0 <= p < size for p, size in zip(place, spatial, strict=True)):
                continue
            for c in range(x.shape[1]):
                first = c // inputs_per_group * per_group
                kernel = weight[at(c, slice(None), *tap)]
                pixels = x[at(slice(None), c, *index)]
                out[at(slice(None), slice(first, first + per_group), *place)] += np.outer(
                    pixels, kernel
                )
    return _with_bias(out, bias)


def _place(op: ConvTranspose, index: Sequence[int], tap: Sequence[int]) -> Shape:
    """Where input `index` writes kernel tap `tap`: stride*index + dilation*tap - pad."""
    return tuple(
        s * i + d * j - p
        for s, i, d, j, p in zip(op.stride, index, op.dilation, tap, op.pads_begin, strict=True)
    )


def collection(
    op: ConvTranspose, x: Array, weight: Array, bias: Array | None, spatial: Shape
) -> Array:
    """Each output value collects: a stride-1 convolution of the zero-stuffed input with the
    flipped kernel, padded by ke-1-p, a negative amount being a crop."""
    stuffed = _zero_stuffed(x, op.stride)
    extent = [effective_kernel(k, d) for k, d in zip(op.kernel, op.dilation, strict=True)]
    begin = [ke - 1 - p for ke, p in zip(extent, op.pads_begin, strict=True)]
    sizes = [out + ke - 1 for out, ke in zip(spatial, extent, strict=True)]
    padded = region(stuffed, [-amount for amount in begin], sizes)
    kernel = _as_convolution(weight, op.groups)
    out = np.zeros((x.shape[0], op.out_channels, *spatial))
    inputs = padded.reshape(x.shape[0], op.groups, -1, *sizes)
    for tap in product(*map(range, op.kernel)):
        shift = [slice(d * j, d * j + n) for d, j, n in zip(op.dilation, tap, spatial, strict=True)]
        seen = inputs[at(..., *shift)]
        factors = kernel[at(..., *tap)]
        out += np.einsum("goc,ngc...->ngo...", factors, seen).reshape(out.shape)
    return _with_bias(out, bias)


def _zero_stuffed(x: Array, stride: Sequence[int]) -> Array:
    """x with stride-1 zeros between neighbours: length stride*(n-1)+1."""
    lengths = [s * (n - 1) + 1 for s, n in zip(stride, x.shape[2:], strict=True)]
    stuffed = np.zeros((*x.shape[:2], *lengths))
    stuffed[at(..., *(slice(None, None, s) for s in stride))] = x
    return stuffed


def _as_convolution(weight: Array, groups: int) -> Array:
    """(C_in, C_out/g, k...) as (g, C_out/g, C_in/g, k...), flipped along every kernel axis."""
    grouped = weight.reshape(groups, -1, *weight.shape[1:]).swapaxes(1, 2)
    return np.flip(grouped, axis=tuple(range(3, grouped.ndim)))


def matrix(op: ConvTranspose, x: Array, weight: Array, bias: Array | None, spatial: Shape) -> Array:
    """The unrolled matrix of the convolution that goes from the output's shape to the input's,
    transposed: y = M^T x."""
    unrolled = convolution_matrix(op, weight, x.shape[1:], spatial)
    out = x.reshape(x.shape[0], -1) @ unrolled
    return _with_bias(out.reshape(x.shape[0], op.out_channels, *spatial), bias)


def convolution_matrix(op: ConvTranspose, weight: Array, inputs: Shape, spatial: Shape) -> Array:
    """M of shape (C_in * spatial in, C_out * spatial out): the matrix of the convolution whose
    transpose `op` is, so that convolution is M @ y and transposed convolution M.T @ x.

    `inputs` is (C_in, spatial in...).
    """
    result = np.zeros((*inputs, op.out_channels, *spatial))
    per_group, from_group = op.out_channels // op.groups, inputs[0] // op.groups
    for c, o in product(range(inputs[0]), range(per_group)):
        channel = c // from_group * per_group + o
        for index in product(*map(range, inputs[1:])):
            for tap in product(*map(range, op.kernel)):
                place = _place(op, index, tap)
                if all(0 <= p < size for p, size in zip(place, spatial, strict=True)):
                    result[at(c, *index, channel, *place)] += weight[at(c, o, *tap)]
    return result.reshape(prod(inputs), -1)


def input_gradient(op: ConvTranspose, gradient: Array, weight: Array, inputs: Shape) -> Array:
    """d loss / d x, (N, C_in, spatial in...): a plain convolution of the output's gradient with
    the same weight. `inputs` is (spatial in...)."""
    return convolve(gradient, weight, Windows.of(op), inputs, op.groups)


def weight_gradient(op: ConvTranspose, gradient: Array, x: Array) -> Array:
    """d loss / d weight, (C_in, C_out/groups, k...): at each tap, the correlation of the input
    with the output's gradient at the places that tap writes."""
    windows = Windows.of(op)
    seen = windows.view(gradient, x.shape[2:])
    axes = len(op.kernel)
    spatial = (0, *range(3, 3 + axes))
    taps = (0, *range(3 + axes, 3 + 2 * axes))
    values = x.reshape(x.shape[0], op.groups, -1, *x.shape[2:])
    grouped = seen.reshape(x.shape[0], op.groups, -1, *seen.shape[2:])
    parts = [
        np.tensordot(values[:, g], grouped[:, g], (_less(spatial), _less(taps)))
        for g in range(op.groups)
    ]
    return np.concatenate(parts)


def _less(axes: Sequence[int]) -> list[int]:
    """The same axes once the group axis (1) has been taken out."""
    return [axis - 1 if axis > 1 else axis for axis in axes]


def bias_gradient(gradient: Array) -> Array:
    """d loss / d bias, (C_out): the sum over the batch and all places."""
    total: Array = gradient.sum(axis=(0, *range(2, gradient.ndim)))
    return total


def _with_bias(values: Array, bias: Array | None) -> Array:
    return values if bias is None else values + bias.reshape(1, -1, *(1,) * (values.ndim - 2))
