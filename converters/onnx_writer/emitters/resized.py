"""A bilinear transposed convolution as one Resize: for engines that refuse the grouped node.

Inside an image the two are the same interpolation. At its border the transposed convolution takes
what lies outside for zeros, where Resize takes the edge again. With the pads of the convention each
border pixel has one source alone, so a map of what its weights sum up to makes up for it; with any
other pads the zeros are put there before.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir.dims import Size
from upconv.converters.ir.geometry import bilinear_pad
from upconv.converters.ir.kernels import border_line, border_sums, interpolates
from upconv.converters.ir.model import Layer
from upconv.converters.onnx_writer.emitters.boxes import cut
from upconv.converters.onnx_writer.emitters.transposed_axes import TransposedAxis
from upconv.converters.onnx_writer.graph import GraphBuilder

Array = NDArray[np.float32]


def can_be_resized(axes: Sequence[TransposedAxis], kernels: Array) -> bool:
    """Whether a layer with these kernels (C, k...) interpolates linearly by whole factors."""
    return interpolates(kernels, [axis.stride for axis in axes]) and all(
        axis.dilation == 1 for axis in axes
    )


def resized(layer: Layer, graph: GraphBuilder, x: str, axes: Sequence[TransposedAxis]) -> None:
    """Emit Resize and what its border needs, then the bias."""
    bias = graph.optional_weight("bias")
    to = "" if bias else layer.outputs[0]
    if all(_is_conventional(axis) for axis in axes):
        result = _times_border(layer, graph, x, axes, to)
    else:
        result = _cut_out(layer, graph, x, axes, to)
    if bias:
        aligned = graph.node("Unsqueeze", (bias[0], graph.ints(range(1, len(axes) + 1))))
        graph.node("Add", (result, aligned), layer.outputs[0])


def _is_conventional(axis: TransposedAxis) -> bool:
    pads = (axis.pad_begin, axis.pad_end, axis.output_padding)
    return pads == (bilinear_pad(axis.stride), bilinear_pad(axis.stride), 0)


def _resize(graph: GraphBuilder, x: str, axes: Sequence[TransposedAxis], to: str) -> str:
    scales = graph.constant(np.array([1, 1, *(axis.stride for axis in axes)], np.float32))
    return graph.node(
        "Resize", (x, "", scales), to, mode="linear", coordinate_transformation_mode="half_pixel"
    )


def _times_border(
    layer: Layer, graph: GraphBuilder, x: str, axes: Sequence[TransposedAxis], to: str
) -> str:
    out = graph.shape(layer.outputs[0])[2:]
    borders = [
        _border(graph, axis, size, len(axes) - 1 - at)
        for at, (axis, size) in enumerate(zip(axes, out, strict=True))
        if axis.stride > 1
    ]
    result = _resize(graph, x, axes, "" if borders else to)
    if not borders:
        return result
    product = borders[0]
    for border in borders[1:]:
        product = graph.node("Mul", (product, border))
    return graph.node("Mul", (result, product), to)


def _border(graph: GraphBuilder, axis: TransposedAxis, out: Size, behind: int) -> str:
    """What the weights of each output pixel of an axis sum up to, (out, 1...) with an axis of 1 for
    each of the `behind` axes after it: 1 but near its ends."""
    if isinstance(out, int):
        return graph.constant(border_line(axis.stride, out).reshape(-1, *(1,) * behind))
    sums = border_sums(axis.stride)
    inside = graph.size_vector([out - 2 * len(sums)])
    ones = graph.node("Expand", (graph.number(1.0), inside))
    ends = graph.constant(sums), graph.constant(sums[::-1])
    line = graph.node("Concat", (ends[0], ones, ends[1]), axis=0)
    if not behind:
        return line
    return graph.node("Unsqueeze", (line, graph.ints(range(1, behind + 1))))


def _cut_out(
    layer: Layer, graph: GraphBuilder, x: str, axes: Sequence[TransposedAxis], to: str
) -> str:
    """Of the image with a border of zeros, enlarged, the part that the pads leave."""
    before = [1 for _ in axes]
    behind = [_zeros_behind(axis) for axis in axes]
    framed = graph.node("Pad", (x, graph.ints([0, 0, *before, 0, 0, *behind])))
    whole = _resize(graph, framed, axes, "")
    starts = [axis.pad_begin + (axis.stride + 1) // 2 for axis in axes]
    out = graph.shape(layer.outputs[0])[2:]
    ends = [start + size for start, size in zip(starts, out, strict=True)]
    return cut(graph, whole, starts, ends, range(2, 2 + len(axes)), to)


def _zeros_behind(axis: TransposedAxis) -> int:
    """How many zeros an axis needs at its end: one, or as many as its output padding reaches."""
    factor = axis.stride
    reached = axis.kernel - axis.pad_end + axis.output_padding + (factor + 1) // 2 - 2 * factor
    return max(1, -(-reached // factor))
