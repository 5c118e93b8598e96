"""Channels into space and back as convolutions by ones and zeros, which every engine has."""

from __future__ import annotations

from collections.abc import Iterator

from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer, Shape
from upconv.converters.ir.tensors import FloatArray, weight_of
from upconv.converters.passes.portable.chain import chain


def depth_to_space(
    op: ops.DepthToSpace, layer: Layer, x: Shape, y: Shape
) -> Iterator[tuple[Layer, ...]]:
    """A transposed convolution with stride and kernel of the block, weight (C_in, C_out, b, b)."""
    channels = y[1]
    if op.mode == "darknet" or len(x) != 4 or not isinstance(channels, int):
        return
    block, zeros = (op.block, op.block), (0, 0)
    weights = {"weight": weight_of(_places(channels, op.block, op.mode))}
    spread = ops.ConvTranspose(channels, block, block, (1, 1), zeros, zeros, zeros)
    yield chain(layer, [("spread", spread, weights)])


def space_to_depth(
    op: ops.SpaceToDepth, layer: Layer, x: Shape, y: Shape
) -> Iterator[tuple[Layer, ...]]:
    """A convolution with stride and kernel of the block, weight (C_out, C_in, b, b)."""
    channels = x[1]
    if op.mode == "darknet" or len(x) != 4 or not isinstance(channels, int):
        return
    block, zeros = (op.block, op.block), (0, 0)
    weights = {"weight": weight_of(_places(channels, op.block, op.mode))}
    gather = ops.Conv(channels * op.block**2, block, block, (1, 1), zeros, zeros)
    yield chain(layer, [("gather", gather, weights)])


def _places(channels: int, block: int, mode: str) -> FloatArray:
    """(deep channels, channels, b, b): 1 where a deep channel holds that pixel of a block.

    DCR: deep channel (i*b + j)*C + c; CRD: c*b*b + i*b + j (ONNX DepthToSpace).
    """
    import numpy as np

    found = np.zeros((channels * block**2, channels, block, block), np.float32)
    for c in range(channels):
        for i in range(block):
            for j in range(block):
                pixel = i * block + j
                deep = pixel * channels + c if mode == "DCR" else c * block**2 + pixel
                found[deep, c, i, j] = 1
    return found
