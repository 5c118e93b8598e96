"""Softmax, ArgMax and sums over axes."""

from __future__ import annotations

from collections.abc import Sequence

from onnx import TensorProto

from converters import operators as ops
from converters.ir import Layer
from converters.onnx_writer.graph import GraphBuilder
from converters.onnx_writer.table import EMITTERS
from converters.shapes import normalized_axis

REDUCTIONS = {
    "sum": "ReduceSum",
    "abs_sum": "ReduceL1",
    "square_sum": "ReduceSumSquare",
    "mean": "ReduceMean",
}
AXES_INPUT_SINCE = {"ReduceSum": 13}
"""From this opset on the axes are an input, before it an attribute; 18 for the others."""


def reduce(
    graph: GraphBuilder, operator: str, x: str, axes: Sequence[int], keep: bool, to: str = ""
) -> str:
    """A reduction over `axes`, in the words of the graph's opset."""
    if graph.opset >= AXES_INPUT_SINCE.get(operator, 18):
        return graph.node(operator, (x, graph.ints(axes)), to, keepdims=int(keep))
    return graph.node(operator, (x,), to, axes=list(axes), keepdims=int(keep))


@EMITTERS.register(ops.Softmax)
def _softmax(op: ops.Softmax, layer: Layer, graph: GraphBuilder) -> str:
    axis = normalized_axis(op.axis, len(graph.shape(layer.inputs[0])))
    graph.node("Softmax", (graph.tensor(layer.inputs[0]),), layer.outputs[0], axis=axis)
    return "Softmax"


@EMITTERS.register(ops.Reduce)
def _reduce(op: ops.Reduce, layer: Layer, graph: GraphBuilder) -> str:
    rank = len(graph.shape(layer.inputs[0]))
    axes = range(normalized_axis(op.axis, rank), rank)
    operator = REDUCTIONS[op.kind]
    x = graph.tensor(layer.inputs[0])
    if op.coefficient == 1.0:
        reduce(graph, operator, x, axes, False, layer.outputs[0])
        return operator
    total = reduce(graph, operator, x, axes, keep=False)
    graph.node("Mul", (total, graph.number(op.coefficient)), layer.outputs[0])
    return f"{operator}+Mul"


@EMITTERS.register(ops.ArgMax)
def _arg_max(op: ops.ArgMax, layer: Layer, graph: GraphBuilder) -> str:
    """TopK, in which the lower index wins among equals (ONNX TopK); ArgMax where k is 1."""
    if op.axis is None:
        return _over_all(op, layer, graph)
    axis = normalized_axis(op.axis, len(graph.shape(layer.inputs[0])))
    x = graph.tensor(layer.inputs[0])
    if op.output == "indices" and op.top_k == 1:
        index = graph.node("ArgMax", (x,), axis=axis, keepdims=1)
        _as_floats(graph, index, layer.outputs[0])
        return "ArgMax"
    if op.output == "indices":
        _, indices = _top(op, graph, x, axis)
        _as_floats(graph, indices, layer.outputs[0])
        return "TopK"
    _top(op, graph, x, axis, layer.outputs[0])
    return "TopK"


def _over_all(op: ops.ArgMax, layer: Layer, graph: GraphBuilder) -> str:
    """Over all axes but the first: (N, 1, k), or (N, 2, k) with the values behind the indices."""
    flat = graph.node("Flatten", (graph.tensor(layer.inputs[0]),), axis=1)
    values, indices = _top(op, graph, flat, 1)
    found = [_as_floats(graph, indices)] if op.output != "values" else []
    found += [values] if op.output != "indices" else []
    rows = [graph.node("Unsqueeze", (row, graph.ints((1,)))) for row in found]
    joined = rows[0] if len(rows) == 1 else graph.node("Concat", rows, axis=1)
    after = graph.shape(layer.outputs[0])
    graph.reshape(joined, after[:1], after, layer.outputs[0])
    return "TopK"


def _top(
    op: ops.ArgMax, graph: GraphBuilder, x: str, axis: int, values_to: str = ""
) -> tuple[str, ...]:
    k = graph.ints((op.top_k,))
    return graph.nodes_of("TopK", (x, k), (values_to, ""), axis=axis, largest=1, sorted=1)


def _as_floats(graph: GraphBuilder, indices: str, to: str = "") -> str:
    return graph.node("Cast", (indices,), to, to_type=TensorProto.FLOAT)
