"""Operators on each element alone, and Identity."""

from __future__ import annotations

from math import log, pi, sqrt
from typing import Any

from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer
from upconv.converters.onnx_writer.graph import GraphBuilder
from upconv.converters.onnx_writer.table import EMITTERS


@EMITTERS.register(ops.Identity)
def _identity(op: ops.Identity, layer: Layer, graph: GraphBuilder) -> str:
    """No node, unless the graph itself must give out the value under this name."""
    for value in layer.outputs:
        if graph.is_output(value):
            graph.node("Identity", (graph.tensor(layer.inputs[0]),), value)
        else:
            graph.alias(value, layer.inputs[0])
    return "Identity" if any(map(graph.is_output, layer.outputs)) else "elided"


NAMES = {
    ops.Sigmoid: "Sigmoid",
    ops.Tanh: "Tanh",
    ops.Abs: "Abs",
    ops.Erf: "Erf",
    ops.Sin: "Sin",
    ops.Cos: "Cos",
    ops.Round: "Round",
    ops.Floor: "Floor",
    ops.Ceil: "Ceil",
    ops.Sign: "Sign",
    ops.Softplus: "Softplus",
}


@EMITTERS.register(*NAMES)
def _same_name(op: Any, layer: Layer, graph: GraphBuilder) -> str:
    graph.node(NAMES[type(op)], (graph.tensor(layer.inputs[0]),), layer.outputs[0])
    return NAMES[type(op)]


@EMITTERS.register(ops.Relu)
def _relu(op: ops.Relu, layer: Layer, graph: GraphBuilder) -> str:
    x = graph.tensor(layer.inputs[0])
    if op.slope:
        graph.node("LeakyRelu", (x,), layer.outputs[0], alpha=op.slope)
        return "LeakyRelu"
    graph.node("Relu", (x,), layer.outputs[0])
    return "Relu"


@EMITTERS.register(ops.PRelu)
def _prelu(op: ops.PRelu, layer: Layer, graph: GraphBuilder) -> str:
    """The slope, (C) or (1), as (C, 1, ...) so that it meets the channels."""
    rank = len(graph.shape(layer.inputs[0]))
    slope = layer.weights["slope"]
    dims = (slope.size, *(1 for _ in range(rank - 2)))
    x = graph.tensor(layer.inputs[0])
    graph.node("PRelu", (x, graph.weight("slope", dims)), layer.outputs[0])
    return "PRelu"


@EMITTERS.register(ops.Elu)
def _elu(op: ops.Elu, layer: Layer, graph: GraphBuilder) -> str:
    graph.node("Elu", (graph.tensor(layer.inputs[0]),), layer.outputs[0], alpha=op.alpha)
    return "Elu"


def affine(graph: GraphBuilder, x: str, scale: float, shift: float) -> str:
    """shift + scale * x, without the steps that change nothing."""
    if scale != 1.0:
        x = graph.node("Mul", (x, graph.number(scale)))
    if shift != 0.0:
        x = graph.node("Add", (x, graph.number(shift)))
    return x


@EMITTERS.register(ops.Power)
def _power(op: ops.Power, layer: Layer, graph: GraphBuilder) -> str:
    """Mul, Add and Pow, each where it does something; the last one gives the output."""
    steps = [("Mul", op.scale, 1.0), ("Add", op.shift, 0.0), ("Pow", op.power, 1.0)]
    needed = [(name, value) for name, value, neutral in steps if value != neutral]
    x = graph.tensor(layer.inputs[0])
    for index, (name, value) in enumerate(needed):
        last = index == len(needed) - 1
        x = graph.node(name, (x, graph.number(value)), layer.outputs[0] if last else "")
    if not needed:
        graph.node("Identity", (x,), layer.outputs[0])
    return "+".join(name for name, _ in needed) or "Identity"


@EMITTERS.register(ops.Exp)
def _exp(op: ops.Exp, layer: Layer, graph: GraphBuilder) -> str:
    """base^(shift + scale x) = e^(ln(base) (shift + scale x))."""
    rate = 1.0 if op.base is None else log(op.base)
    x = affine(graph, graph.tensor(layer.inputs[0]), rate * op.scale, rate * op.shift)
    graph.node("Exp", (x,), layer.outputs[0])
    return "Exp"


@EMITTERS.register(ops.Log)
def _log(op: ops.Log, layer: Layer, graph: GraphBuilder) -> str:
    """log_base(y) = ln(y) / ln(base)."""
    x = affine(graph, graph.tensor(layer.inputs[0]), op.scale, op.shift)
    if op.base is None:
        graph.node("Log", (x,), layer.outputs[0])
        return "Log"
    natural = graph.node("Log", (x,))
    graph.node("Div", (natural, graph.number(log(op.base))), layer.outputs[0])
    return "Log+Div"


@EMITTERS.register(ops.Clip)
def _clip(op: ops.Clip, layer: Layer, graph: GraphBuilder) -> str:
    x = graph.tensor(layer.inputs[0])
    graph.node("Clip", (x, graph.number(op.low), graph.number(op.high)), layer.outputs[0])
    return "Clip"


@EMITTERS.register(ops.Gelu)
def _gelu(op: ops.Gelu, layer: Layer, graph: GraphBuilder) -> str:
    """x * (1 + gate(x)) / 2 of operators that every opset here has."""
    x = graph.tensor(layer.inputs[0])
    if op.tanh:
        cube = graph.node("Mul", (graph.node("Mul", (x, x)), x))
        inner = graph.node("Add", (x, affine(graph, cube, 0.044715, 0.0)))
        gate = graph.node("Tanh", (affine(graph, inner, sqrt(2 / pi), 0.0),))
    else:
        gate = graph.node("Erf", (affine(graph, x, 1 / sqrt(2), 0.0),))
    half = affine(graph, x, 0.5, 0.0)
    graph.node("Mul", (half, affine(graph, gate, 1.0, 1.0)), layer.outputs[0])
    return "Tanh+Mul" if op.tanh else "Erf+Mul"


@EMITTERS.register(ops.Swish)
def _swish(op: ops.Swish, layer: Layer, graph: GraphBuilder) -> str:
    x = graph.tensor(layer.inputs[0])
    gate = graph.node("Sigmoid", (affine(graph, x, op.beta, 0.0),))
    graph.node("Mul", (x, gate), layer.outputs[0])
    return "Sigmoid+Mul"
