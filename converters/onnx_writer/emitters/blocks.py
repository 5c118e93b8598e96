"""Channels into space and back: shuffles, SpaceToDepth and DepthToSpace in their modes."""

from __future__ import annotations

from collections.abc import Sequence

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, multiply
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.model import Layer, Shape
from upconv.converters.onnx_writer.graph import GraphBuilder
from upconv.converters.onnx_writer.table import EMITTERS


def rearrange(
    graph: GraphBuilder,
    layer: Layer,
    split: Sequence[Size],
    order: Sequence[int],
    joined: Shape,
) -> str:
    """Reshape to `split`, transpose, reshape to `joined`: the general form of every shuffle."""
    x = layer.inputs[0]
    apart = graph.reshape(graph.tensor(x), graph.shape(x), tuple(split))
    permuted = graph.node("Transpose", (apart,), perm=list(order))
    between = tuple(split[axis] for axis in order)
    graph.reshape(permuted, between, joined, layer.outputs[0])
    return "Reshape+Transpose+Reshape"


@EMITTERS.register(ops.ChannelShuffle)
def _shuffle(op: ops.ChannelShuffle, layer: Layer, graph: GraphBuilder) -> str:
    batch, channels, *space = graph.shape(layer.inputs[0])
    pixels = multiply(space)
    split = (batch, op.groups, channels // op.groups, pixels)
    return rearrange(graph, layer, split, (0, 2, 1, 3), (batch, channels, *space))


@EMITTERS.register(ops.SpaceToDepth)
def _space_to_depth(op: ops.SpaceToDepth, layer: Layer, graph: GraphBuilder) -> str:
    x = graph.shape(layer.inputs[0])
    flat = len(x) == 4
    if op.mode == "darknet":
        return _darknet(op.block, layer, graph, "SpaceToDepth")
    if op.mode == "DCR" and flat:
        source = graph.tensor(layer.inputs[0])
        graph.node("SpaceToDepth", (source,), layer.outputs[0], blocksize=op.block)
        return "SpaceToDepth"
    axes = len(x) - 2
    rows = [part for size in x[2:] for part in (size // op.block, op.block)]
    outer, inner = [2 + 2 * i for i in range(axes)], [3 + 2 * i for i in range(axes)]
    front = (*inner, 1) if op.mode == "DCR" else (1, *inner)
    out = graph.shape(layer.outputs[0])
    return rearrange(graph, layer, (*x[:2], *rows), (0, *front, *outer), out)


@EMITTERS.register(ops.DepthToSpace)
def _depth_to_space(op: ops.DepthToSpace, layer: Layer, graph: GraphBuilder) -> str:
    x = graph.shape(layer.inputs[0])
    if op.mode == "darknet":
        return _darknet(op.block, layer, graph, "DepthToSpace")
    if len(x) == 4:
        source = graph.tensor(layer.inputs[0])
        attributes = {"blocksize": op.block, "mode": op.mode}
        graph.node("DepthToSpace", (source,), layer.outputs[0], **attributes)
        return "DepthToSpace"
    axes = len(x) - 2
    blocks = (op.block,) * axes
    channels = x[1] // op.block**axes
    first = 1 if op.mode == "DCR" else 2
    split = (*blocks, channels) if op.mode == "DCR" else (channels, *blocks)
    pairs = [axis for i in range(axes) for axis in (2 + axes + i, first + i)]
    front = 1 + axes if op.mode == "DCR" else 1
    out = graph.shape(layer.outputs[0])
    return rearrange(graph, layer, (x[0], *split, *x[2:]), (0, front, *pairs), out)


def _darknet(block: int, layer: Layer, graph: GraphBuilder, operator: str) -> str:
    """YOLO's reorg (darknet blas.c, reorg_cpu): the memory of (C, H, W) is read as
    (C/b^2, H*b, W*b), moved by SpaceToDepth, and read as (C*b^2, H/b, W/b)."""
    x, out = graph.shape(layer.inputs[0]), graph.shape(layer.outputs[0])
    deep, wide = (out, x) if operator == "SpaceToDepth" else (x, out)
    if len(x) != 4 or not isinstance(wide[1], int) or wide[1] % block**2:
        raise UnsupportedError(
            f"reorg by {block} needs 4 axes and a multiple of {block**2} channels, not {wide[1]}"
        )
    large = (wide[0], wide[1] // block**2, wide[2] * block, wide[3] * block)
    seen = large if operator == "SpaceToDepth" else wide
    view = graph.reshape(graph.tensor(layer.inputs[0]), x, seen)
    moved = graph.node(operator, (view,), blocksize=block)
    between = wide if operator == "SpaceToDepth" else large
    graph.reshape(moved, between, deep if operator == "SpaceToDepth" else out, layer.outputs[0])
    return f"Reshape+{operator}+Reshape"
