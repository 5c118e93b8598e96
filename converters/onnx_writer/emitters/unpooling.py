"""Unpooling by indices."""

from __future__ import annotations

from onnx import TensorProto, helper

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import like, multiply
from upconv.converters.ir.model import Layer
from upconv.converters.onnx_writer.emitters.whole_numbers import integer_indices
from upconv.converters.onnx_writer.graph import GraphBuilder
from upconv.converters.onnx_writer.table import EMITTERS


@EMITTERS.register(ops.Unpool)
def _unpool(op: ops.Unpool, layer: Layer, graph: GraphBuilder) -> str:
    """ScatterElements into zeros, plane by plane.

    ONNX MaxUnpool is no alternative: onnxruntime's reading of output_shape moves values, and
    without it the size is bound to kernel and stride. Where indices repeat, ONNX leaves the winner
    open; onnxruntime's CPU provider writes in order, so the last one wins as in Caffe.
    """
    value = layer.inputs[0]
    x = graph.shape(value)
    flat = graph.ints((0, 0, -1))
    batch, channels = like(value, 0), like(value, 1)
    planes = graph.size_vector((batch, channels, multiply(op.size)))
    zero = helper.make_tensor("value", TensorProto.FLOAT, (1,), (0.0,))
    canvas = graph.node("ConstantOfShape", (planes,), value=zero)
    indices, values = integer_indices(graph, layer.inputs[1]), graph.tensor(value)
    if len(x) == 3:  # a plane is a row already
        graph.node("ScatterElements", (canvas, indices, values), layer.outputs[0], axis=2)
        return "ScatterElements"
    indices, values = (graph.node("Reshape", (one, flat)) for one in (indices, values))
    filled = graph.node("ScatterElements", (canvas, indices, values), axis=2)
    after = (*x[:2], *op.size)
    graph.reshape(filled, x[:2], after, layer.outputs[0])
    return "ScatterElements"
