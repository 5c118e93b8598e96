"""Normalisation by the values' own mean and variance: groups, layers, instances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from converters import operators as ops
from converters.errors import UnsupportedError
from converters.ir import Layer
from converters.onnx_writer.emitters.reductions import reduce
from converters.onnx_writer.graph import GraphBuilder
from converters.onnx_writer.table import EMITTERS
from converters.shapes import normalized_axis

LAYER_NORMALIZATION_SINCE: Final = 17


@EMITTERS.register(ops.GroupNorm)
def _group_norm(op: ops.GroupNorm, layer: Layer, graph: GraphBuilder) -> str:
    """InstanceNormalization of (N, groups, everything else), which every opset has; the scale
    and bias of channels come after. As many groups as channels is that node itself."""
    shape = graph.shape(layer.inputs[0])
    if shape[1] == op.groups and len(shape) > 2:
        _instance_norm(op, layer, graph)
        return "InstanceNormalization"
    ones, zeros = (graph.constant(np.full(op.groups, v, np.float32)) for v in (1, 0))
    x = graph.tensor(layer.inputs[0])
    grouped = graph.node("Reshape", (x, graph.ints((0, op.groups, -1))))
    inputs = (grouped, ones, zeros)
    result = graph.node("InstanceNormalization", inputs, epsilon=op.epsilon)
    steps = [name for name in ("scale", "bias") if name in layer.weights]
    result = graph.reshape(result, shape[:1], shape, "" if steps else layer.outputs[0])
    behind = (1,) * (len(shape) - 2)
    _scaled(layer, graph, result, steps, behind)
    return "InstanceNormalization" + "".join(f"+{_OPERATORS[step]}" for step in steps)


_OPERATORS: Final = {"scale": "Mul", "bias": "Add"}


def _scaled(
    layer: Layer, graph: GraphBuilder, x: str, steps: Sequence[str], behind: tuple[int, ...]
) -> None:
    """Times the scale, plus the bias, each seen with the axes `behind` its own."""
    for step in steps:
        dims = (*(layer.weights[step].shape or ()), *behind)
        to = layer.outputs[0] if step == steps[-1] else ""
        x = graph.node(_OPERATORS[step], (x, graph.weight(step, dims)), to)


def _instance_norm(op: ops.GroupNorm, layer: Layer, graph: GraphBuilder) -> None:
    scale = graph.optional_weight("scale")
    scale = scale or (graph.constant(np.ones(op.groups, np.float32)),)
    bias = graph.optional_weight("bias")
    bias = bias or (graph.constant(np.zeros(op.groups, np.float32)),)
    inputs = (graph.tensor(layer.inputs[0]), *scale, *bias)
    graph.node("InstanceNormalization", inputs, layer.outputs[0], epsilon=op.epsilon)


@EMITTERS.register(ops.LayerNorm)
def _layer_norm(op: ops.LayerNorm, layer: Layer, graph: GraphBuilder) -> str:
    """LayerNormalization where the opset has it, else (x - mean) / sqrt(variance + epsilon)."""
    shape = graph.shape(layer.inputs[0])
    axis = normalized_axis(op.axis, len(shape))
    if graph.opset < LAYER_NORMALIZATION_SINCE:
        return _step_by_step(op, layer, graph, range(axis, len(shape)))
    scale = graph.optional_weight("scale") or (_ones(shape[axis:], graph),)
    inputs = (graph.tensor(layer.inputs[0]), *scale, *graph.optional_weight("bias"))
    graph.node("LayerNormalization", inputs, layer.outputs[0], axis=axis, epsilon=op.epsilon)
    return "LayerNormalization"


def _ones(shape: Sequence[object], graph: GraphBuilder) -> str:
    sizes = [size for size in shape if isinstance(size, int)]
    if len(sizes) < len(shape):
        raise UnsupportedError(
            "a LayerNormalization without a scale needs fixed sizes",
            hint="give fixed input sizes, or an opset below 17",
        )
    return graph.constant(np.ones(sizes, np.float32))


def _step_by_step(op: ops.LayerNorm, layer: Layer, graph: GraphBuilder, axes: Sequence[int]) -> str:
    x = graph.tensor(layer.inputs[0])
    centred = graph.node("Sub", (x, reduce(graph, "ReduceMean", x, axes, keep=True)))
    squares = graph.node("Mul", (centred, centred))
    variance = reduce(graph, "ReduceMean", squares, axes, keep=True)
    raised = graph.node("Add", (variance, graph.number(op.epsilon)))
    steps = [name for name in ("scale", "bias") if name in layer.weights]
    deviation = graph.node("Sqrt", (raised,))
    to = "" if steps else layer.outputs[0]
    result = graph.node("Div", (centred, deviation), to)
    _scaled(layer, graph, result, steps, ())
    return "ReduceMean+Sub+Div" + "".join(f"+{_OPERATORS[step]}" for step in steps)
