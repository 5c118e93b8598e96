"""Faster forms of transposed convolutions whose kernels are a column times a row.

A bilinear kernel is such a product, channel by channel. These are forms in which ONNX says one
layer, and no pass over the model: the layer keeps its name in the file, and its certificate.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, like
from upconv.converters.ir.geometry import conv_transpose_size
from upconv.converters.ir.kernels import Factors, depthwise_kernels, factored
from upconv.converters.ir.model import Layer
from upconv.converters.onnx_writer.emitters.transposed_axes import TransposedAxis, convolve
from upconv.converters.onnx_writer.form_costs import matmul_cost, separable_cost
from upconv.converters.onnx_writer.graph import GraphBuilder
from upconv.converters.onnx_writer.options import GROUPED, Bilinear

Array = NDArray[np.float32]


def factored_form(
    op: ops.ConvTranspose, layer: Layer, graph: GraphBuilder, axes: Sequence[TransposedAxis]
) -> str:
    """Emit the separable or the MatMul form and return its name; "" where the layer must stay as
    it is: asked for as such, not two-dimensional, not depthwise, or not a product."""
    wanted = graph.options.bilinear
    if wanted == "conv-transpose" or len(axes) != 2 or not all(axis.plain for axis in axes):
        return ""
    kernels = depthwise_kernels(op, layer)
    factors = None if kernels is None else factored(kernels)
    if factors is None or (wanted == "auto" and not factors.exact):
        return ""
    if wanted == "auto":
        wanted = _cheaper(layer, graph, axes)
    if wanted == "matmul" and _fits_matrices(layer, graph, axes):
        _matmul(layer, graph, axes, factors)
        return "matmul"
    _separable(layer, graph, axes, factors)
    return "separable"


def grouped_weight(op: ops.ConvTranspose, layer: Layer, graph: GraphBuilder) -> str:
    """The weight (C, 1, k...) of a dense layer that keeps channels apart, as FCN stores it, ""
    where it is none: what is left out are products with zero, so that no finite value changes."""
    if op.groups != 1 or op.out_channels < 2:
        return ""
    kernels = depthwise_kernels(op, layer)
    return "" if kernels is None else graph.constant(kernels[:, None], f"{layer.name}/{GROUPED}")


def _cheaper(layer: Layer, graph: GraphBuilder, axes: Sequence[TransposedAxis]) -> Bilinear:
    """By the model of costs; of sizes that are not known, the one that is never far off."""
    known = [size for size in graph.shape(layer.inputs[0])[2:] if isinstance(size, int)]
    strides = [axis.stride for axis in axes]
    if len(known) < len(axes) or matmul_cost(known, strides) >= separable_cost(strides):
        return "separable"
    return "matmul"


MATRIX_LIMIT: Final = 1 << 24
"""Entries of a matrix, 64 MiB, beyond which it is no faster form of a few taps."""


def _fits_matrices(layer: Layer, graph: GraphBuilder, axes: Sequence[TransposedAxis]) -> bool:
    sizes = zip(graph.shape(layer.inputs[0])[2:], axes, strict=True)
    entries = [size * size * axis.stride for size, axis in sizes if isinstance(size, int)]
    return max(entries, default=0) <= MATRIX_LIMIT


def _separable(
    layer: Layer, graph: GraphBuilder, axes: Sequence[TransposedAxis], factors: Factors
) -> None:
    """k x 1, then 1 x k, both grouped by channel; the bias comes with the second."""
    high, wide = axes
    still = TransposedAxis(1, 1, 1, 0, 0, 0)
    column = graph.constant(factors.column[:, None, :, None], f"{layer.name}/column")
    row = graph.constant(factors.row[:, None, None, :], f"{layer.name}/row")
    channels = len(factors.column)
    x = graph.tensor(layer.inputs[0])
    half = convolve(graph, (x, column), (high, still), channels, "")
    bias = graph.optional_weight("bias")
    convolve(graph, (half, row, *bias), (still, wide), channels, layer.outputs[0])


def _matmul(
    layer: Layer, graph: GraphBuilder, axes: Sequence[TransposedAxis], factors: Factors
) -> None:
    """U_h X U_w^T, one pair of matrices for all channels where their kernels are the same."""
    value = layer.inputs[0]
    columns = _matrix(layer, graph, axes[0], _merged(factors.column), like(value, 2))
    rows = _matrix(layer, graph, axes[1], _merged(factors.row), like(value, 3))
    left = graph.node("Transpose", (columns,), perm=(0, 2, 1))
    half = graph.node("MatMul", (left, graph.tensor(value)))
    bias = graph.optional_weight("bias")
    product = graph.node("MatMul", (half, rows), "" if bias else layer.outputs[0])
    if bias:
        aligned = graph.node("Unsqueeze", (bias[0], graph.ints((1, 2))))
        graph.node("Add", (product, aligned), layer.outputs[0])


def _merged(factor: Array) -> Array:
    """(C, k), or (1, k) where all channels have the same one."""
    return factor[:1] if (factor == factor[0]).all() else factor


def _matrix(
    layer: Layer, graph: GraphBuilder, axis: TransposedAxis, taps: Array, size: Size
) -> str:
    """The matrices (C, in, out) of one axis: row j holds the kernel where input j puts it."""
    known = graph.known(size)
    if isinstance(known, int):
        return graph.constant(interpolation_rows(axis, taps, known), f"{layer.name}/matrix")
    square = graph.node("ConstantOfShape", (graph.size_vector((size, size)),))
    impulses = graph.node("Unsqueeze", (graph.node("EyeLike", (square,)), graph.ints((1,))))
    kernel = graph.constant(taps[None], f"{layer.name}/taps")
    responses = convolve(graph, (impulses, kernel), (axis,), 1, "")
    return graph.node("Transpose", (responses,), perm=(1, 0, 2))


def interpolation_rows(axis: TransposedAxis, taps: Array, size: int) -> Array:
    """Where the taps (C, k) of input pixel j fall: (C, size, out) float32, with
    out[s*j + d*t - p] = taps[t].

    >>> axis = TransposedAxis(4, 2, 1, 1, 1, 0)
    >>> interpolation_rows(axis, np.array([[0.25, 0.75, 0.75, 0.25]], np.float32), 2)[0].tolist()
    [[0.75, 0.75, 0.25, 0.0], [0.0, 0.25, 0.75, 0.75]]
    """
    out = conv_transpose_size(
        size,
        axis.kernel,
        axis.stride,
        axis.dilation,
        axis.pad_begin,
        axis.pad_end,
        axis.output_padding,
    )
    rows = np.zeros((len(taps), size, out), np.float32)
    pixels = np.arange(size)
    for tap in range(axis.kernel):
        places = pixels * axis.stride + tap * axis.dilation - axis.pad_begin
        inside = (places >= 0) & (places < out)
        rows[:, pixels[inside], places[inside]] = taps[:, tap, None]
    return rows
