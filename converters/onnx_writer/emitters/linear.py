"""Inner products, products of two computed matrices, and stored tensors."""

from __future__ import annotations

from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer
from upconv.converters.ir.shapes import normalized_axis
from upconv.converters.onnx_writer.graph import GraphBuilder
from upconv.converters.onnx_writer.table import EMITTERS


@EMITTERS.register(ops.Linear)
def _linear(op: ops.Linear, layer: Layer, graph: GraphBuilder) -> str:
    """Flatten and Gemm; the stored weight (out, in) is read transposed, not rewritten."""
    before, after = graph.shape(layer.inputs[0]), graph.shape(layer.outputs[0])
    axis = normalized_axis(op.axis, len(before))
    x, steps = graph.tensor(layer.inputs[0]), ["Gemm"]
    if (len(before), axis) != (2, 1):
        x = graph.node("Flatten", (x,), axis=axis)
        steps.insert(0, "Flatten")
    reshaped = axis != 1
    inputs = (x, graph.weight("weight"), *graph.optional_weight("bias"))
    to = "" if reshaped else layer.outputs[0]
    product = graph.node("Gemm", inputs, to, transB=0 if op.transposed else 1)
    if reshaped:
        graph.reshape(product, None, after, layer.outputs[0])
        steps.append("Reshape")
    return "+".join(steps)


@EMITTERS.register(ops.MatMul)
def _matmul(op: ops.MatMul, layer: Layer, graph: GraphBuilder) -> str:
    graph.node("MatMul", tuple(map(graph.tensor, layer.inputs)), layer.outputs[0])
    return "MatMul"


@EMITTERS.register(ops.Constant)
def _constant(op: ops.Constant, layer: Layer, graph: GraphBuilder) -> str:
    """The stored tensor under the value's name."""
    graph.node("Identity", (graph.weight("value"),), layer.outputs[0])
    return "Identity"
