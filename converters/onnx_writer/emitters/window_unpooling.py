"""Unpooling without indices: each input fills its window, said as a transposed convolution."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, like
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.geometry import cells_inside
from upconv.converters.ir.model import Layer
from upconv.converters.onnx_writer.emitters.transposed import transposed
from upconv.converters.onnx_writer.emitters.transposed_axes import plan_axis
from upconv.converters.onnx_writer.graph import GraphBuilder
from upconv.converters.onnx_writer.table import EMITTERS


@EMITTERS.register(ops.WindowUnpool)
def _window_unpool(op: ops.WindowUnpool, layer: Layer, graph: GraphBuilder) -> str:
    """A grouped ConvTranspose with a kernel of ones; "corner" has the first cell only, a kernel
    of 1; "average" divides each input by the cells it fills first."""
    _, channels, *sizes = graph.shape(layer.inputs[0])
    if not isinstance(channels, int):
        raise UnsupportedError("its number of channels is dynamic, which ONNX's groups cannot be")
    kernel = (1,) * len(op.kernel) if op.kind == "corner" else op.kernel
    axes = [
        plan_axis(size, k, stride, 1, (begin, 0), 0, target=graph.known(target))
        for size, k, stride, begin, target in zip(
            sizes, kernel, op.stride, op.pads_begin, op.size, strict=True
        )
    ]
    ones = graph.constant(np.ones((channels, 1, *kernel), np.float32))
    x = graph.tensor(layer.inputs[0])
    if op.kind == "average":
        x = _divided(op, layer, graph, x)
    form = transposed(graph, x, ones, (), axes, channels, layer.outputs[0])
    return f"Div+{form}" if op.kind == "average" else form


def _divided(op: ops.WindowUnpool, layer: Layer, graph: GraphBuilder, x: str) -> str:
    """x over the number of cells of each window inside the output, axis by axis."""
    settings = zip(op.kernel, op.stride, op.pads_begin, op.size, strict=True)
    cells = ""
    for axis, (kernel, stride, begin, target) in enumerate(settings, start=2):
        count = like(layer.inputs[0], axis)
        lengths = _lengths(graph, count, kernel, stride, begin, target)
        behind = range(1, len(op.kernel) + 2 - axis)
        aligned = graph.node("Unsqueeze", (lengths, graph.ints(behind))) if behind else lengths
        cells = graph.node("Mul", (cells, aligned)) if cells else aligned
    return graph.node("Div", (x, cells))


def _lengths(
    graph: GraphBuilder, count: Size, kernel: int, stride: int, begin: int, target: Size
) -> str:
    """max(min(start + kernel, target) - max(start, 0), 1) for start = stride*i - begin, as
    float32 of shape (count); a window with no cell inside is cropped, whatever it is divided by."""
    known = (graph.known(count), graph.known(target))
    if isinstance(known[0], int) and isinstance(known[1], int):
        cells = cells_inside(known[0], kernel, stride, begin, known[1])
        return graph.constant(np.array(cells, np.float32))
    limit = graph.node("Squeeze", (graph.size(count * stride - begin),))
    first = graph.node("Range", (graph.index(-begin), limit, graph.index(stride)))
    ends = graph.node("Add", (first, graph.ints((kernel,))))
    inside = graph.node("Min", (ends, graph.size(target)))
    lengths = graph.node("Sub", (inside, graph.node("Max", (first, graph.ints((0,))))))
    return graph.cast(graph.node("Max", (lengths, graph.ints((1,)))), TensorProto.FLOAT)
