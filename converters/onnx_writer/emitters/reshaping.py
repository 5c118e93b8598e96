"""The same values in other shapes and orders: Reshape, Flatten, Permute, Tile, Expand."""

from __future__ import annotations

from typing import Any

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size
from upconv.converters.ir.model import Layer
from upconv.converters.ir.shapes import normalized_axis
from upconv.converters.onnx_writer.graph import GraphBuilder
from upconv.converters.onnx_writer.table import EMITTERS


@EMITTERS.register(ops.Reshape, ops.Flatten)
def _reshape(op: Any, layer: Layer, graph: GraphBuilder) -> str:
    """The inferred shape as target: what stays in place is copied, one dynamic axis inferred.

    (ONNX Flatten makes two axes of any input, so it is not what a partial flatten needs.)
    """
    before, after = graph.shape(layer.inputs[0]), graph.shape(layer.outputs[0])
    graph.reshape(graph.tensor(layer.inputs[0]), before, after, layer.outputs[0])
    return "Reshape"


@EMITTERS.register(ops.Permute)
def _permute(op: ops.Permute, layer: Layer, graph: GraphBuilder) -> str:
    x = graph.tensor(layer.inputs[0])
    if not op.order:
        graph.node("Identity", (x,), layer.outputs[0])
        return "Identity"
    graph.node("Transpose", (x,), layer.outputs[0], perm=op.order)
    return "Transpose"


@EMITTERS.register(ops.Tile)
def _tile(op: ops.Tile, layer: Layer, graph: GraphBuilder) -> str:
    rank = len(graph.shape(layer.inputs[0]))
    repeats: list[Size] = [1] * rank
    repeats[normalized_axis(op.axis, rank)] = op.tiles
    x = graph.tensor(layer.inputs[0])
    graph.node("Tile", (x, graph.size_vector(repeats)), layer.outputs[0])
    return "Tile"


@EMITTERS.register(ops.Expand)
def _expand(op: ops.Expand, layer: Layer, graph: GraphBuilder) -> str:
    graph.node(
        "Expand", (graph.tensor(layer.inputs[0]), graph.size_vector(op.sizes)), layer.outputs[0]
    )
    return "Expand"
