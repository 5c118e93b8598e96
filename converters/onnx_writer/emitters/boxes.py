"""Boxes of tensors: Crop, StridedSlice, Pad, Concat and Slice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.geometry import segments
from upconv.converters.ir.model import Layer
from upconv.converters.ir.shapes import normalized_axis
from upconv.converters.onnx_writer.emitters.counting import counted
from upconv.converters.onnx_writer.graph import GraphBuilder
from upconv.converters.onnx_writer.table import EMITTERS


def cut(
    graph: GraphBuilder,
    x: str,
    starts: Sequence[Size],
    ends: Sequence[Size],
    axes: Sequence[int],
    to: str = "",
    step: int = 1,
) -> str:
    """x[starts:ends:step] along `axes`."""
    bounds: tuple[str, ...] = (graph.size_vector(starts), graph.size_vector(ends), graph.ints(axes))
    if step != 1:
        bounds = (*bounds, graph.ints([step] * len(axes)))
    return graph.node("Slice", (x, *bounds), to)


@EMITTERS.register(ops.Crop)
def _crop(op: ops.Crop, layer: Layer, graph: GraphBuilder) -> str:
    """One Slice over the axes that lose something, following the reference where it is dynamic."""
    before = graph.shape(layer.inputs[0])
    first = normalized_axis(op.axis, len(before))
    boxes = [
        (axis, offset, size)
        for axis, (offset, size) in enumerate(zip(op.offsets, op.sizes, strict=True), start=first)
        if not (graph.known(offset) == 0 and graph.known(size) == graph.known(before[axis]))
    ]
    x = graph.tensor(layer.inputs[0])
    if not boxes:
        graph.node("Identity", (x,), layer.outputs[0])
        return "Identity"
    starts = [offset for _, offset, _ in boxes]
    ends = [offset + size for _, offset, size in boxes]
    cut(graph, x, starts, ends, [axis for axis, _, _ in boxes], layer.outputs[0])
    return "Slice"


LAST: Final = -1
BEFORE_THE_FIRST: Final = -(1 << 63)
"""As the end of a backward Slice: past the first element."""


@EMITTERS.register(ops.StridedSlice)
def _strided(op: ops.StridedSlice, layer: Layer, graph: GraphBuilder) -> str:
    """One Slice with a step. Backwards, an end before the first entry would be read from the back:
    the axis is cut to its last entry first, where it does not end there, and then turned."""
    x = graph.tensor(layer.inputs[0])
    before = graph.shape(layer.inputs[0])
    axis = normalized_axis(op.axis, len(before))
    if op.step > 0:
        end = op.start + op.size * op.step
        cut(graph, x, [op.start], [end], [axis], layer.outputs[0], op.step)
        return "Slice"
    span = (op.size - 1) * -op.step + 1
    steps = ["Slice"]
    if graph.known(span) != before[axis]:
        x = cut(graph, x, [op.start + 1 - span], [op.start + 1], [axis])
        steps.append("Slice")
    cut(graph, x, [LAST], [BEFORE_THE_FIRST], [axis], layer.outputs[0], op.step)
    return "+".join(steps)


@EMITTERS.register(ops.Concat)
def _concat(op: ops.Concat, layer: Layer, graph: GraphBuilder) -> str:
    axis = normalized_axis(op.axis, len(graph.shape(layer.inputs[0])))
    parts = [graph.tensor(value) for value in layer.inputs]
    graph.node("Concat", parts, layer.outputs[0], axis=axis)
    return "Concat"


@EMITTERS.register(ops.Slice)
def _slice(op: ops.Slice, layer: Layer, graph: GraphBuilder) -> str:
    before = graph.shape(layer.inputs[0])
    axis = normalized_axis(op.axis, len(before))
    x = graph.tensor(layer.inputs[0])
    if len(layer.outputs) == 1:
        graph.node("Identity", (x,), layer.outputs[0])
        return "Identity"
    sizes = graph.size_vector(segments(before[axis], op.points, len(layer.outputs)))
    graph.nodes_of("Split", (x, sizes), layer.outputs, axis=axis)
    return "Split"


@EMITTERS.register(ops.Pad)
def _pad(op: ops.Pad, layer: Layer, graph: GraphBuilder) -> str:
    """Negative amounts crop first, so that every runtime agrees on what they mean; amounts that
    are not known here may be negative too, which Pad itself then crops."""
    amounts = [graph.known(amount) for amount in op.begin + op.end]
    known = [amount for amount in amounts if isinstance(amount, int)]
    if len(known) < len(amounts):
        return _pad_dynamic(op, layer, graph)
    before = graph.shape(layer.inputs[0])
    pairs = list(zip(known[: len(before)], known[len(before) :], strict=True))
    steps = []
    if min(known, default=0) < 0:
        steps.append("Slice")
    grows = max(known, default=0) > 0
    if grows:
        steps.append("Gather" if op.mode == "symmetric" else "Pad")
    x = graph.tensor(layer.inputs[0])
    if "Slice" in steps:
        x = _cropped(pairs, before, x, graph, "" if grows else layer.outputs[0])
    if "Pad" in steps:
        _padded(op, graph.ints([max(amount, 0) for amount in known]), x, layer.outputs[0], graph)
    if "Gather" in steps:
        _mirrored(pairs, before, x, layer.outputs[0], graph)
    if not steps:
        graph.node("Identity", (x,), layer.outputs[0])
    return "+".join(steps) or "Identity"


def _pad_dynamic(op: ops.Pad, layer: Layer, graph: GraphBuilder) -> str:
    if op.mode == "symmetric":
        raise UnsupportedError("a symmetric padding by amounts that change", hint="fix the sizes")
    amounts = graph.size_vector(op.begin + op.end)
    _padded(op, amounts, graph.tensor(layer.inputs[0]), layer.outputs[0], graph)
    return "Pad"


Pairs: TypeAlias = Sequence[tuple[int, int]]
"""The amounts (begin, end) of every axis."""


def _cropped(pairs: Pairs, before: Sequence[Size], x: str, graph: GraphBuilder, to: str) -> str:
    axes = [axis for axis, pair in enumerate(pairs) if min(pair) < 0]
    starts = [max(-pairs[axis][0], 0) for axis in axes]
    ends = [before[axis] + min(pairs[axis][1], 0) for axis in axes]
    return cut(graph, x, starts, ends, axes, to)


PAD_AXES_SINCE: Final = 18


def _padded(op: ops.Pad, amounts: str, x: str, to: str, graph: GraphBuilder) -> None:
    """onnxruntime (1.31 too) folds a Pad of zeros into the max pooling that reads it, whose own
    pads never win: negative borders come out where zeros are due. It leaves a Pad with axes, or
    one that something stands behind."""
    value = (graph.number(op.value),) if op.mode == "constant" else ()
    inputs = (x, amounts, *value)
    if not _is_folded(op, graph):
        graph.node("Pad", inputs, to, mode=op.mode)
    elif graph.opset >= PAD_AXES_SINCE:
        graph.node("Pad", (*inputs, graph.ints(range(len(op.begin)))), to, mode=op.mode)
    else:
        rank = len(op.begin)
        further = graph.ints([0] * (2 * rank - 1) + [1])
        wider = graph.node("Pad", (x, graph.node("Add", (amounts, further)), *value), mode=op.mode)
        graph.node("Slice", (wider, *map(graph.ints, ([0], [-1], [rank - 1]))), to)


def _is_folded(op: ops.Pad, graph: GraphBuilder) -> bool:
    """Whether onnxruntime would fold the layer's Pad into a max pooling."""
    zeros = op.mode == "constant" and op.value == 0
    return zeros and _is_max_pooled(graph.layer.outputs[0], graph)


def _is_max_pooled(value: str, graph: GraphBuilder) -> bool:
    """Whether a max pooling reads a value, behind Identities (which runtimes drop) too."""
    for reader in graph.consumers.get(value, []):
        if isinstance(reader.operator, ops.Pool) and reader.operator.kind == "max":
            return True
        if isinstance(reader.operator, ops.Identity) and _is_max_pooled(reader.outputs[0], graph):
            return True
    return False


def _mirrored(pairs: Pairs, before: Sequence[Size], x: str, to: str, graph: GraphBuilder) -> None:
    """Symmetric padding, which ONNX lacks: along each axis, gather index min(m, 2n-1-m) with
    m = i mod 2n, for i from -begin to n + end."""
    axes = [axis for axis, pair in enumerate(pairs) if max(pair) > 0]
    for axis in axes:
        begin, end = pairs[axis]
        size = before[axis] + min(begin, 0) + min(end, 0)
        index = _mirror_index(size, max(begin, 0), max(end, 0), graph)
        x = graph.node("Gather", (x, index), to if axis == axes[-1] else "", axis=axis)


def _mirror_index(size: Size, begin: int, end: int, graph: GraphBuilder) -> str:
    if isinstance(size, int):
        places = np.arange(-begin, size + end) % (2 * size)
        return graph.constant(np.minimum(places, 2 * size - 1 - places).astype(np.int64))
    indices = counted(graph, size + end + begin, -begin)
    turn = graph.node("Mod", (indices, graph.size(2 * size)))
    back = graph.node("Sub", (graph.size(2 * size - 1), turn))
    return graph.node("Min", (turn, back))
