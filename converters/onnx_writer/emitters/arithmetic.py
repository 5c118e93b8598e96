"""Element-wise arithmetic over several inputs, and per-channel scales."""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np

from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer
from upconv.converters.ir.shapes import normalized_axis
from upconv.converters.onnx_writer.graph import GraphBuilder
from upconv.converters.onnx_writer.table import EMITTERS

VARIADIC: Final = {"sum": "Sum", "max": "Max", "min": "Min"}
BINARY: Final = {
    "product": "Mul",
    "difference": "Sub",
    "quotient": "Div",
    "sum": "Add",
    "power": "Pow",
    "trunc_mod": "Mod",
    "floor_mod": "Mod+Where",
}


@EMITTERS.register(ops.Eltwise)
def _eltwise(op: ops.Eltwise, layer: Layer, graph: GraphBuilder) -> str:
    """Coefficients other than 1 multiply their input first."""
    terms = [graph.tensor(value) for value in layer.inputs]
    scaled = any(factor != 1.0 for factor in op.coefficients)
    for index, factor in enumerate(op.coefficients):
        if factor != 1.0:
            terms[index] = graph.node("Mul", (terms[index], graph.number(factor)))
    operator = _operator(op.kind, len(terms))
    if operator in VARIADIC.values() or len(terms) == 1:
        graph.node(operator, terms, layer.outputs[0])
    else:
        _chain(graph, operator, terms, layer.outputs[0])
    return f"Mul+{operator}" if scaled else operator


def _operator(kind: str, inputs: int) -> str:
    if inputs == 1:
        return "Identity"
    return BINARY[kind] if inputs == 2 and kind in BINARY else VARIADIC.get(kind) or BINARY[kind]


def _chain(graph: GraphBuilder, operator: str, terms: list[str], to: str) -> None:
    """((a op b) op c) ..., the last one under the name `to`."""
    join = _JOINS.get(operator, _joined)
    total = terms[0]
    for index, term in enumerate(terms[1:], start=2):
        total = join(graph, operator, (total, term), to if index == len(terms) else "")


Pair: TypeAlias = tuple[str, str]


def _joined(graph: GraphBuilder, operator: str, pair: Pair, to: str) -> str:
    return graph.node(operator, pair, to)


def _rest(graph: GraphBuilder, operator: str, pair: Pair, to: str) -> str:
    """The rest with the dividend's sign, the only one that ONNX has for floats."""
    return graph.node("Mod", pair, to, fmod=1)


def _rest_of_floor(graph: GraphBuilder, operator: str, pair: Pair, to: str) -> str:
    """r = fmod(a, b), and r + b where their signs differ (torch remainder_kernel)."""
    rest = _rest(graph, operator, pair, "")
    signs = [graph.node("Sign", (one,)) for one in (rest, pair[1])]
    differ = graph.node("Less", (graph.node("Mul", signs), graph.number(0.0)))
    return graph.node("Where", (differ, graph.node("Add", (rest, pair[1])), rest), to)


_JOINS: Final = {"Mod": _rest, "Mod+Where": _rest_of_floor}


@EMITTERS.register(ops.Scale)
def _scale(op: ops.Scale, layer: Layer, graph: GraphBuilder) -> str:
    """Mul and Add, each where there is something to multiply with or to add."""
    axis = normalized_axis(op.axis, len(graph.shape(layer.inputs[0])) or 1)
    operands = {
        "Mul": _operand("scale", op, axis, layer, graph),
        "Add": _operand("bias", op, axis, layer, graph),
    }
    steps = [(operator, operand) for operator, operand in operands.items() if operand]
    x = graph.tensor(layer.inputs[0])
    for index, (operator, operand) in enumerate(steps, start=1):
        x = graph.node(operator, (x, operand), layer.outputs[0] if index == len(steps) else "")
    if not steps:
        graph.node("Identity", (x,), layer.outputs[0])
    return "+".join(operator for operator, _ in steps) or "Identity"


def _operand(name: str, op: ops.Scale, axis: int, layer: Layer, graph: GraphBuilder) -> str:
    """A tensor that broadcasts over x from `axis` on; "" where there is none."""
    rank = len(graph.shape(layer.inputs[0]))
    if op.operand == name:
        covered = len(graph.shape(layer.inputs[1]))
        operand = graph.tensor(layer.inputs[1])
        behind = list(range(covered, rank - axis)) if covered else []
        if not behind:
            return operand
        return graph.node("Unsqueeze", (operand, graph.ints(behind)))
    if name not in layer.weights:
        return ""
    shape = layer.weights[name].shape or ()
    return graph.weight(name, (*shape, *(1 for _ in range(rank - axis - len(shape)))))


@EMITTERS.register(ops.BatchNorm)
def _batch_norm(op: ops.BatchNorm, layer: Layer, graph: GraphBuilder) -> str:
    """One BatchNormalization; a scale or bias the layer lacks is 1 or 0."""
    channels = layer.weights["mean"].size
    scale = graph.optional_weight("scale") or (graph.constant(np.ones(channels, np.float32)),)
    bias = graph.optional_weight("bias") or (graph.constant(np.zeros(channels, np.float32)),)
    moments = (graph.weight("mean"), graph.weight("variance"))
    x = graph.tensor(layer.inputs[0])
    graph.node(
        "BatchNormalization", (x, *scale, *bias, *moments), layer.outputs[0], epsilon=op.epsilon
    )
    return "BatchNormalization"
