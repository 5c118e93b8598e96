"""Normalisations over neighbourhoods, channels and images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from upconv.converters.ir import operators as ops
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.model import Layer
from upconv.converters.onnx_writer.emitters.reductions import reduce
from upconv.converters.onnx_writer.graph import GraphBuilder
from upconv.converters.onnx_writer.table import EMITTERS


@EMITTERS.register(ops.Lrn)
def _lrn(op: ops.Lrn, layer: Layer, graph: GraphBuilder) -> str:
    if op.size % 2 == 0:
        raise UnsupportedError(f"a normalisation over {op.size} neighbours has no centre")
    return _within(op, layer, graph) if op.region == "within" else _across(op, layer, graph)


def _across(op: ops.Lrn, layer: Layer, graph: GraphBuilder) -> str:
    """ONNX LRN divides alpha by the size too. Runtimes take 4 axes: others are folded."""
    shape = graph.shape(layer.inputs[0])
    x = graph.tensor(layer.inputs[0])
    settings: dict[str, Any] = {"size": op.size, "alpha": op.alpha, "beta": op.beta, "bias": op.k}
    if len(shape) == 4:
        graph.node("LRN", (x,), layer.outputs[0], **settings)
        return "LRN"
    folded = graph.node("Reshape", (x, graph.ints((0, 0, -1, 1))))
    normalized = graph.node("LRN", (folded,), **settings)
    graph.reshape(normalized, shape[:2], shape, layer.outputs[0])
    return "Reshape+LRN+Reshape"


def _within(op: ops.Lrn, layer: Layer, graph: GraphBuilder) -> str:
    """x / (k + alpha * mean of squares)^beta, the mean over a zero-padded window."""
    axes = len(graph.shape(layer.inputs[0])) - 2
    x = graph.tensor(layer.inputs[0])
    mean = graph.node(
        "AveragePool",
        (graph.node("Mul", (x, x)),),
        kernel_shape=(op.size,) * axes,
        pads=(op.size // 2,) * (2 * axes),
        count_include_pad=1,
    )
    raised = graph.node(
        "Add", (graph.node("Mul", (mean, graph.number(op.alpha))), graph.number(op.k))
    )
    divisor = graph.node("Pow", (raised, graph.number(op.beta)))
    graph.node("Div", (x, divisor), layer.outputs[0])
    return "AveragePool+Pow+Div"


@EMITTERS.register(ops.MeanVarianceNorm)
def _mean_variance(op: ops.MeanVarianceNorm, layer: Layer, graph: GraphBuilder) -> str:
    """(x - mean) / (sqrt(mean of (x - mean)^2) + epsilon)."""
    rank = len(graph.shape(layer.inputs[0]))
    axes = range(1 if op.across_channels else 2, rank)
    x = graph.tensor(layer.inputs[0])
    mean = reduce(graph, "ReduceMean", x, axes, keep=True)
    if not op.normalize_variance:
        graph.node("Sub", (x, mean), layer.outputs[0])
        return "ReduceMean+Sub"
    centred = graph.node("Sub", (x, mean))
    squares = graph.node("Mul", (centred, centred))
    deviation = graph.node("Sqrt", (reduce(graph, "ReduceMean", squares, axes, keep=True),))
    divisor = graph.node("Add", (deviation, graph.number(op.epsilon)))
    graph.node("Div", (centred, divisor), layer.outputs[0])
    return "ReduceMean+Sub+Div"


@EMITTERS.register(ops.GroupNorm)
def _group_norm(op: ops.GroupNorm, layer: Layer, graph: GraphBuilder) -> str:
    """InstanceNormalization of (N, groups, everything else), then the channels' own scale and
    bias: one node where each channel is a group. GroupNormalization changed its meaning between
    opset 18 and 21, so it is not used."""
    shape = graph.shape(layer.inputs[0])
    x = graph.tensor(layer.inputs[0])
    ones = graph.constant(np.ones(op.groups, np.float32))
    zeros = graph.constant(np.zeros(op.groups, np.float32))
    if len(shape) > 2 and shape[1] == op.groups:
        scale = graph.weight("scale") if "scale" in layer.weights else ones
        bias = graph.weight("bias") if "bias" in layer.weights else zeros
        inputs = (x, scale, bias)
        graph.node("InstanceNormalization", inputs, layer.outputs[0], epsilon=op.epsilon)
        return "InstanceNormalization"
    x = graph.node("Reshape", (x, graph.ints((0, op.groups, -1))))
    x = graph.node("InstanceNormalization", (x, ones, zeros), epsilon=op.epsilon)
    channels = max((weight.size for weight in layer.weights.values()), default=1)
    steps = _affine_steps(layer, graph, (channels, *(1 for _ in shape[2:])))
    x = graph.reshape(x, None, shape, "" if steps else layer.outputs[0])
    _apply(steps, x, layer, graph)
    return "+".join(["InstanceNormalization", *(name for name, _ in steps)])


@EMITTERS.register(ops.LayerNorm)
def _layer_norm(op: ops.LayerNorm, layer: Layer, graph: GraphBuilder) -> str:
    """(x - mean) / sqrt(mean of (x - mean)^2 + epsilon), then scale and bias."""
    rank = len(graph.shape(layer.inputs[0]))
    first = op.axis % rank
    axes = range(first, rank if op.num_axes == -1 else first + op.num_axes)
    x = graph.tensor(layer.inputs[0])
    centred = graph.node("Sub", (x, reduce(graph, "ReduceMean", x, axes, keep=True)))
    squares = graph.node("Mul", (centred, centred))
    variance = reduce(graph, "ReduceMean", squares, axes, keep=True)
    divisor = graph.node("Sqrt", (graph.node("Add", (variance, graph.number(op.epsilon))),))
    stored = next((w.shape for w in layer.weights.values()), None) or ()
    steps = _affine_steps(layer, graph, (*stored, *(1 for _ in range(axes.stop, rank))))
    x = graph.node("Div", (centred, divisor), "" if steps else layer.outputs[0])
    _apply(steps, x, layer, graph)
    return "+".join(["ReduceMean", "Div", *(name for name, _ in steps)])


def _affine_steps(
    layer: Layer, graph: GraphBuilder, dims: Sequence[int] | None
) -> list[tuple[str, str]]:
    """(operator, operand) for the scale and the bias that the layer has, seen in `dims`."""
    named = [("Mul", "scale"), ("Add", "bias")]
    return [(step, graph.weight(name, dims)) for step, name in named if name in layer.weights]


def _apply(steps: Sequence[tuple[str, str]], x: str, layer: Layer, graph: GraphBuilder) -> None:
    for index, (operator, operand) in enumerate(steps, start=1):
        x = graph.node(operator, (x, operand), layer.outputs[0] if index == len(steps) else "")


@EMITTERS.register(ops.L2Normalize)
def _l2(op: ops.L2Normalize, layer: Layer, graph: GraphBuilder) -> str:
    """x / sqrt(sum of squares + epsilon), then times the scale, (C) or (1), where there is one."""
    rank = len(graph.shape(layer.inputs[0]))
    axes: Sequence[int] = range(1, rank) if op.across_spatial else (1,)
    x = graph.tensor(layer.inputs[0])
    total = reduce(graph, "ReduceSum", graph.node("Mul", (x, x)), axes, keep=True)
    norm = graph.node("Sqrt", (graph.node("Add", (total, graph.number(op.epsilon))),))
    if "scale" not in layer.weights:
        graph.node("Div", (x, norm), layer.outputs[0])
        return "ReduceSum+Div"
    dims = (layer.weights["scale"].size, *(1 for _ in range(rank - 2)))
    unit = graph.node("Div", (x, norm))
    graph.node("Mul", (unit, graph.weight("scale", dims)), layer.outputs[0])
    return "ReduceSum+Div+Mul"
