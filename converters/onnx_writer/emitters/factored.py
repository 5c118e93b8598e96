"""A transposed convolution that keeps channels apart, whose kernels are products of one factor an
axis, axis by axis: as thin transposed convolutions, or as matrix products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir.dims import Size, like
from upconv.converters.ir.geometry import conv_transpose_size
from upconv.converters.ir.kernels import Factors
from upconv.converters.ir.model import Layer
from upconv.converters.onnx_writer.emitters.transposed_axes import TransposedAxis, convolve
from upconv.converters.onnx_writer.graph import GraphBuilder

Array = NDArray[np.float32]

MATRIX_LIMIT: Final = 1 << 24
"""Entries of a matrix, 64 MiB, beyond which it is no faster form of a few taps."""

STILL: Final = TransposedAxis(1, 1, 1, 0, 0, 0)
"""An axis that a thin transposed convolution leaves as it is."""


def separable(
    layer: Layer, graph: GraphBuilder, x: str, axes: Sequence[TransposedAxis], factors: Factors
) -> None:
    """One axis after the other, each grouped by channel; the bias comes with the last."""
    last = len(axes) - 1
    for at, (axis, taps) in enumerate(zip(axes, factors.taps, strict=True)):
        spread = [1] * len(axes)
        spread[at] = axis.kernel
        kernel = graph.constant(taps.reshape(len(taps), 1, *spread), f"{layer.name}/axis_{at}")
        bias = graph.optional_weight("bias") if at == last else ()
        thin = [axis if each == at else STILL for each in range(len(axes))]
        to = layer.outputs[0] if at == last else ""
        x = convolve(graph, (x, kernel, *bias), thin, len(taps), to)


def fits_matrices(layer: Layer, graph: GraphBuilder, axes: Sequence[TransposedAxis]) -> bool:
    """Whether no matrix has more than MATRIX_LIMIT entries."""
    sizes = zip(graph.shape(layer.inputs[0])[2:], axes, strict=True)
    entries = [size * size * axis.stride for size, axis in sizes if isinstance(size, int)]
    return max(entries, default=0) <= MATRIX_LIMIT


def matrices(
    layer: Layer, graph: GraphBuilder, x: str, axes: Sequence[TransposedAxis], factors: Factors
) -> None:
    """Along each axis the product with its matrix, one for all channels where their kernels are the
    same: U_h X U_w^T of two axes. Of three, the first sees the other two as one."""
    bias = graph.optional_weight("bias")
    to = "" if bias else layer.outputs[0]
    found = [_matrix(layer, graph, at, axis, _merged(taps))
             for at, (axis, taps) in enumerate(zip(axes, factors.taps, strict=True))]  # fmt: skip
    if len(axes) == 1:
        one = len(_merged(factors.taps[0])) == 1
        x = graph.node("MatMul", (x, found[0]), to) if one else _by_rows(graph, x, found[0], to)
    else:
        if len(axes) == 3:
            x = _along_depth(layer, graph, x, found[0])
            found = [graph.node("Unsqueeze", (one, graph.ints((1,)))) for one in found[1:]]
        left = graph.node("Transpose", (found[0],), perm=_swapped(len(axes) + 1))
        x = graph.node("MatMul", (graph.node("MatMul", (left, x)), found[1]), to)
    if bias:
        aligned = graph.node("Unsqueeze", (bias[0], graph.ints(range(1, len(axes) + 1))))
        graph.node("Add", (x, aligned), layer.outputs[0])


def _swapped(rank: int) -> tuple[int, ...]:
    """The order of axes with the last two exchanged; of a matrix of two axes seen among `rank`."""
    front = range(rank - 2)
    return (*front, rank - 1, rank - 2)


def _by_rows(graph: GraphBuilder, x: str, matrix: str, to: str) -> str:
    """x (N, C, L) times the matrices (C, L, out) of its channels."""
    axis = graph.ints((2,))
    row = graph.node("Unsqueeze", (x, axis))
    return graph.node("Squeeze", (graph.node("MatMul", (row, matrix)), axis), to)


def _along_depth(layer: Layer, graph: GraphBuilder, x: str, matrix: str) -> str:
    """The first of three axes, the other two as one: (C or 1, D, out)^T times (N, C, D, HW)."""
    value = layer.inputs[0]
    flat = graph.node("Reshape", (x, graph.ints((0, 0, 0, -1))))
    left = graph.node("Transpose", (matrix,), perm=(0, 2, 1))
    product = graph.node("MatMul", (left, flat))
    sizes: list[Size] = [0, 0, -1, graph.known(like(value, 3)), graph.known(like(value, 4))]
    return graph.node("Reshape", (product, graph.size_vector(sizes)))


def _merged(taps: Array) -> Array:
    """(C, k), or (1, k) where all channels have the same one."""
    return taps[:1] if (taps == taps[0]).all() else taps


def _matrix(layer: Layer, graph: GraphBuilder, at: int, axis: TransposedAxis, taps: Array) -> str:
    """The matrices (C, in, out) of one axis: row j holds the kernel where input j puts it."""
    size = like(layer.inputs[0], 2 + at)
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
