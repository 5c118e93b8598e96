"""Values picked by number: Gather."""

from __future__ import annotations

import numpy as np

from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer
from upconv.converters.ir.shapes import normalized_axis
from upconv.converters.onnx_writer.emitters.whole_numbers import integer_indices
from upconv.converters.onnx_writer.graph import GraphBuilder
from upconv.converters.onnx_writer.table import EMITTERS


@EMITTERS.register(ops.Gather)
def _gather(op: ops.Gather, layer: Layer, graph: GraphBuilder) -> str:
    axis = normalized_axis(op.axis, len(graph.shape(layer.inputs[0])))
    if op.indices is None:
        index = integer_indices(graph, layer.inputs[1])
    else:
        index = graph.constant(np.array(op.indices, np.int64))
    graph.node("Gather", (graph.tensor(layer.inputs[0]), index), layer.outputs[0], axis=axis)
    return "Gather"


@EMITTERS.register(ops.Embedding)
def _embedding(op: ops.Embedding, layer: Layer, graph: GraphBuilder) -> str:
    index = integer_indices(graph, layer.inputs[0])
    graph.node("Gather", (graph.weight("table"), index), layer.outputs[0], axis=0)
    return "Gather"
