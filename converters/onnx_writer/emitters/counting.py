"""Sizes as values: Range over a size, and a size itself."""

from __future__ import annotations

from onnx import TensorProto

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size
from upconv.converters.ir.model import Layer
from upconv.converters.onnx_writer.emitters.whole_numbers import write_indices
from upconv.converters.onnx_writer.graph import GraphBuilder
from upconv.converters.onnx_writer.table import EMITTERS


def counted(graph: GraphBuilder, size: Size, start: int = 0, step: int = 1) -> str:
    """The int64 tensor of start, start + step, ..., `size` of them."""
    limit = graph.node("Squeeze", (graph.size(start + size * step),))
    return graph.node("Range", (graph.index(start), limit, graph.index(step)))


@EMITTERS.register(ops.Arange)
def _arange(op: ops.Arange, layer: Layer, graph: GraphBuilder) -> str:
    """Whole numbers are counted: onnxruntime's Range of floats adds up its rounding errors."""
    if op.start % 1 == 0 and op.step % 1 == 0 and op.step:
        whole = counted(graph, op.size, int(op.start), int(op.step))
        write_indices(graph, whole, layer.outputs[0])
        return "Range"
    places = graph.cast(counted(graph, op.size), TensorProto.FLOAT)
    scaled = graph.node("Mul", (places, graph.number(op.step)))
    graph.node("Add", (scaled, graph.number(op.start)), layer.outputs[0])
    return "Range+Mul+Add"


@EMITTERS.register(ops.SizeOf)
def _size_of(op: ops.SizeOf, layer: Layer, graph: GraphBuilder) -> str:
    graph.cast(graph.node("Squeeze", (graph.size(op.size),)), TensorProto.FLOAT, layer.outputs[0])
    return "Shape"
