"""Pooling of regions: MaxRoiPool."""

from __future__ import annotations

from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer
from upconv.converters.onnx_writer.graph import GraphBuilder
from upconv.converters.onnx_writer.table import EMITTERS


@EMITTERS.register(ops.RoiMaxPool)
def _roi_max_pool(op: ops.RoiMaxPool, layer: Layer, graph: GraphBuilder) -> str:
    inputs = tuple(map(graph.tensor, layer.inputs[:2]))
    settings = {"pooled_shape": list(op.size), "spatial_scale": op.scale}
    graph.node("MaxRoiPool", inputs, layer.outputs[0], **settings)
    return "MaxRoiPool"
