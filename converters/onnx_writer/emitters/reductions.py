"""Softmax, ArgMax and sums over axes."""

from __future__ import annotations

from collections.abc import Sequence

from onnx import TensorProto

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import like, multiply
from upconv.converters.ir.model import Layer
from upconv.converters.ir.shapes import normalized_axis
from upconv.converters.onnx_writer.emitters.boxes import BEFORE_THE_FIRST, LAST, cut
from upconv.converters.onnx_writer.graph import GraphBuilder
from upconv.converters.onnx_writer.table import EMITTERS

REDUCTIONS = {
    "sum": "ReduceSum",
    "abs_sum": "ReduceL1",
    "square_sum": "ReduceSumSquare",
    "mean": "ReduceMean",
    "max": "ReduceMax",
    "min": "ReduceMin",
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
    operator = "LogSoftmax" if op.log else "Softmax"
    graph.node(operator, (graph.tensor(layer.inputs[0]),), layer.outputs[0], axis=axis)
    return operator


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
    """ArgMax where k is 1, else TopK; of equals the last wins or the first, as `ties` says."""
    if op.axis is None:
        return _over_all(op, layer, graph)
    axis = normalized_axis(op.axis, len(graph.shape(layer.inputs[0])))
    x = graph.tensor(layer.inputs[0])
    if op.output == "indices" and op.top_k == 1:
        last = int(op.ties == "last")
        index = graph.node("ArgMax", (x,), axis=axis, keepdims=1, select_last_index=last)
        graph.cast(index, TensorProto.FLOAT, layer.outputs[0])
        return "ArgMax"
    if op.output == "indices":
        _top_indices(op, graph, _top(op, graph, x, axis)[1], axis, layer.outputs[0])
    else:
        _top(op, graph, x, axis, layer.outputs[0])
    return "TopK"


def _over_all(op: ops.ArgMax, layer: Layer, graph: GraphBuilder) -> str:
    """Over all axes but the first: (N, 1, k), or (N, 2, k) with the values behind the indices."""
    flat = graph.node("Flatten", (graph.tensor(layer.inputs[0]),), axis=1)
    values, indices = _top(op, graph, flat, 1)
    found = [_top_indices(op, graph, indices, 1)] if op.output != "values" else []
    found += [values] if op.output != "indices" else []
    rows = [graph.node("Unsqueeze", (row, graph.ints((1,)))) for row in found]
    joined = rows[0] if len(rows) == 1 else graph.node("Concat", rows, axis=1)
    after = graph.shape(layer.outputs[0])
    graph.reshape(joined, after[:1], after, layer.outputs[0])
    return "TopK"


def _top(
    op: ops.ArgMax, graph: GraphBuilder, x: str, axis: int, values_to: str = ""
) -> tuple[str, ...]:
    """(values, indices): of equals TopK takes the lower index, so where the last is to win the
    axis is reversed first, and indices count from its end."""
    k = graph.ints((op.top_k,))
    if op.ties == "first":
        return graph.nodes_of("TopK", (x, k), (values_to, ""), axis=axis, largest=1, sorted=1)
    backwards = cut(graph, x, [LAST], [BEFORE_THE_FIRST], [axis], step=-1)
    return graph.nodes_of("TopK", (backwards, k), (values_to, ""), axis=axis, largest=1, sorted=1)


def _top_indices(op: ops.ArgMax, graph: GraphBuilder, places: str, axis: int, to: str = "") -> str:
    """Indices counted from the front, as floats."""
    if op.ties == "first":
        return graph.cast(places, TensorProto.FLOAT, to)
    value = graph.layer.inputs[0]
    axes = range(1, len(graph.shape(value))) if op.axis is None else (axis,)
    size = multiply(like(value, place) for place in axes)
    found = graph.node("Sub", (graph.size(size - 1), places))
    return graph.cast(found, TensorProto.FLOAT, to)


@EMITTERS.register(ops.CumSum)
def _cum_sum(op: ops.CumSum, layer: Layer, graph: GraphBuilder) -> str:
    axis = normalized_axis(op.axis, len(graph.shape(layer.inputs[0])))
    graph.node(
        "CumSum",
        (graph.tensor(layer.inputs[0]), graph.index(axis)),
        layer.outputs[0],
        exclusive=int(op.exclusive),
        reverse=int(op.reverse),
    )
    return "CumSum"
