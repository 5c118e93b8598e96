"""Comparisons and choices: truth values are booleans where they only decide, floats elsewhere."""

from __future__ import annotations

from typing import Final

from onnx import TensorProto

from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer
from upconv.converters.onnx_writer.graph import GraphBuilder
from upconv.converters.onnx_writer.table import EMITTERS

RELATIONS: Final = {
    "less": "Less",
    "less_equal": "LessOrEqual",
    "greater": "Greater",
    "greater_equal": "GreaterOrEqual",
    "equal": "Equal",
    "not_equal": "Equal",
}


@EMITTERS.register(ops.Compare)
def _compare(op: ops.Compare, layer: Layer, graph: GraphBuilder) -> str:
    """A node that gives booleans; a Cast where anybody reads them as numbers."""
    x = graph.tensor(layer.inputs[0])
    other = graph.tensor(layer.inputs[1]) if op.other is None else graph.number(op.other)
    value, steps = layer.outputs[0], [RELATIONS[op.kind]]
    if op.kind == "not_equal":
        steps.append("Not")
    truth, inputs = "", [x, other]
    for step in steps:
        last = step == steps[-1] and graph.only_decides(value)
        truth = graph.node(step, inputs, value if last else "")
        inputs = [truth]
    graph.truths[value] = truth
    if truth == value:
        return "+".join(steps)
    graph.cast(truth, TensorProto.FLOAT, value)
    return "+".join([*steps, "Cast"])


@EMITTERS.register(ops.Where)
def _where(op: ops.Where, layer: Layer, graph: GraphBuilder) -> str:
    values = iter(layer.inputs[1:])
    branches = [
        graph.tensor(next(values)) if number is None else graph.number(number)
        for number in (op.then, op.otherwise)
    ]
    condition = graph.tensor(layer.inputs[0])
    truth = graph.truths.get(condition) or graph.cast(condition, TensorProto.BOOL)
    graph.node("Where", (truth, *branches), layer.outputs[0])
    return "Where"
