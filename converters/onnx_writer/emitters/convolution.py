"""Convolution."""

from __future__ import annotations

from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer
from upconv.converters.onnx_writer.graph import GraphBuilder
from upconv.converters.onnx_writer.table import EMITTERS


@EMITTERS.register(ops.Conv)
def _conv(op: ops.Conv, layer: Layer, graph: GraphBuilder) -> str:
    """One Conv with explicit pads; negative pads crop the input first."""
    x = graph.tensor(layer.inputs[0])
    crops = [min(pad, 0) for pad in op.pads_begin + op.pads_end]
    form = "Conv"
    if any(crops):
        axes = len(op.kernel)
        amounts = [0, 0, *crops[:axes], 0, 0, *crops[axes:]]
        x = graph.node("Pad", (x, graph.ints(amounts)))
        form = "Pad+Conv"
    graph.node(
        "Conv",
        (x, graph.weight("weight"), *graph.optional_weight("bias")),
        layer.outputs[0],
        kernel_shape=op.kernel,
        strides=op.stride,
        dilations=op.dilation,
        pads=[max(pad, 0) for pad in op.pads_begin + op.pads_end],
        group=op.groups,
    )
    return form
