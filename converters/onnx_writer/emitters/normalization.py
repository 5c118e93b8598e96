"""Normalisations over neighbourhoods, channels and images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from converters import operators as ops
from converters.errors import UnsupportedError
from converters.ir import Layer
from converters.onnx_writer.emitters.reductions import reduce
from converters.onnx_writer.graph import GraphBuilder
from converters.onnx_writer.table import EMITTERS


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
