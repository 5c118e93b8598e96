"""Pooling, with the windows of the source framework exactly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import ceil_div, like, multiply
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.model import Layer
from upconv.converters.onnx_writer.emitters.boxes import cut
from upconv.converters.onnx_writer.emitters.pool_windows import WindowPlan, plan_windows
from upconv.converters.onnx_writer.emitters.whole_numbers import write_indices
from upconv.converters.onnx_writer.graph import GraphBuilder
from upconv.converters.onnx_writer.table import EMITTERS

LOWEST: Final = float(np.finfo(np.float32).min)
NODES: Final = {"max": "MaxPool", "average": "AveragePool"}
DILATED_AVERAGE_SINCE: Final = 19


@EMITTERS.register(ops.GlobalPool)
def _global_pool(op: ops.GlobalPool, layer: Layer, graph: GraphBuilder) -> str:
    operator = f"Global{NODES[op.kind]}"
    x = graph.tensor(layer.inputs[0])
    graph.node(operator, (x,), layer.outputs[0])
    if len(layer.outputs) == 1:
        return operator
    planes = graph.node("Reshape", (x, graph.ints((0, 0, -1))))
    place = graph.node("ArgMax", (planes,), axis=2, keepdims=1)
    after = graph.shape(layer.outputs[1])
    write_indices(graph, graph.reshape(place, after[:2], after), layer.outputs[1])
    return f"{operator}+ArgMax"


@EMITTERS.register(ops.Pool)
def _pool(op: ops.Pool, layer: Layer, graph: GraphBuilder) -> str:
    dilated = any(step != 1 for step in op.dilation)
    if op.kind == "average" and dilated and graph.opset < DILATED_AVERAGE_SINCE:
        raise UnsupportedError(
            f"dilated average pooling is not in opset {graph.opset}",
            hint=f"give --opset {DILATED_AVERAGE_SINCE} or higher",
        )
    before, after = graph.shape(layer.inputs[0])[2:], graph.shape(layer.outputs[0])[2:]
    plan = plan_windows(op, before, after)
    if plan.scaled or any(size != 0 for size in plan.outside):
        return _with_outside(op, layer, graph, plan)
    if plan.dropped:
        return _dropped(op, layer, graph, plan)
    if len(layer.outputs) == 1:
        _node(op, layer, graph, plan, (layer.outputs[0],))
        return NODES[op.kind]
    _, indices = _node(op, layer, graph, plan, (layer.outputs[0], ""))
    _within_planes(layer, graph, indices)
    return "MaxPool+Mod"


def _within_planes(layer: Layer, graph: GraphBuilder, indices: str) -> None:
    """ONNX counts indices over (N, C, plane), the model within each plane."""
    rank = len(graph.shape(layer.inputs[0]))
    plane = multiply(like(layer.inputs[0], axis) for axis in range(2, rank))
    write_indices(graph, graph.node("Mod", (indices, graph.size(plane))), layer.outputs[1])


def _dropped(op: ops.Pool, layer: Layer, graph: GraphBuilder, plan: WindowPlan) -> str:
    """The node, and a Slice to the sizes that are left, which no reader can get wrong."""
    results = _node(op, layer, graph, plan, ("",) * len(layer.outputs))
    after = graph.shape(layer.outputs[0])[2:]
    axes, none = range(2, 2 + len(after)), [0] * len(after)
    cut(graph, results[0], none, after, axes, layer.outputs[0])
    if len(results) == 1:
        return f"{NODES[op.kind]}+Slice"
    _within_planes(layer, graph, cut(graph, results[1], none, after, axes))
    return "MaxPool+Slice+Mod"


def _node(
    op: ops.Pool, layer: Layer, graph: GraphBuilder, plan: WindowPlan, to: Sequence[str]
) -> tuple[str, ...]:
    attributes: dict[str, Any] = {
        "kernel_shape": op.kernel,
        "strides": op.stride,
        "pads": (*op.pads_begin, *plan.pads_end),
        "ceil_mode": int(plan.ceil_mode),
    }
    if any(step != 1 for step in op.dilation):
        attributes["dilations"] = op.dilation
    if op.kind == "average":
        attributes["count_include_pad"] = int(op.count_padding)
    return graph.nodes_of(NODES[op.kind], (graph.tensor(layer.inputs[0]),), to, **attributes)


def _with_outside(op: ops.Pool, layer: Layer, graph: GraphBuilder, plan: WindowPlan) -> str:
    """Windows outside of the input are appended: their maximum is the lowest float32, where
    Caffe starts; their average is 0/0, which the factors of the divisors say."""
    if len(layer.outputs) > 1:
        raise UnsupportedError("a pooling window lies outside its input, so it has no index")
    factors = _divisor_factors(op, layer, graph) if op.kind == "average" else None
    (pooled,) = _node(op, layer, graph, plan, ("",))
    steps = [NODES[op.kind]]
    if plan.dropped:
        pooled = _inside(layer, graph, plan, pooled)
        steps.append("Slice")
    if any(size != 0 for size in plan.outside):
        none = [0] * len(op.kernel)
        amounts = graph.size_vector([0, 0, *none, 0, 0, *plan.outside])
        fill = graph.number(LOWEST if factors is None else 0.0)
        to = layer.outputs[0] if factors is None else ""
        pooled = graph.node("Pad", (pooled, amounts, fill), to)
        steps.append("Pad")
    if factors is not None:
        graph.node("Mul", (pooled, graph.constant(factors)), layer.outputs[0])
        steps.append("Mul")
    return "+".join(steps)


def _inside(layer: Layer, graph: GraphBuilder, plan: WindowPlan, pooled: str) -> str:
    """The windows that the node keeps, before others are appended."""
    after = graph.shape(layer.outputs[0])[2:]
    sizes = [size - more for size, more in zip(after, plan.outside, strict=True)]
    return cut(graph, pooled, [0] * len(sizes), sizes, range(2, 2 + len(sizes)))


def _divisor_factors(op: ops.Pool, layer: Layer, graph: GraphBuilder) -> NDArray[np.float32]:
    """kernel area over the source's own divisor, (out...): the window clipped to input plus end
    padding, which beyond them is 0 (0/0, so NaN) or negative, as in Caffe."""
    before, after = graph.shape(layer.inputs[0])[2:], graph.shape(layer.outputs[0])[2:]
    factors = np.ones((), np.float64)
    for axis, (size, out) in enumerate(zip(before, after, strict=True)):
        if not (isinstance(size, int) and isinstance(out, int) and op.count_padding):
            raise UnsupportedError(
                "an average pooling window may lie outside its input, where it is 0/0",
                hint="give fixed input sizes",
            )
        starts = np.arange(out) * op.stride[axis] - op.pads_begin[axis]
        room = size + op.pads_end[axis] - starts
        taps = np.minimum(ceil_div(room, op.dilation[axis]), op.kernel[axis])
        with np.errstate(divide="ignore"):
            ratio = np.where(taps == 0, np.nan, op.kernel[axis] / taps)
        factors = factors[..., None] * ratio
    return factors.astype(np.float32)
