"""Blocks of columns put back into an image."""

from __future__ import annotations

from math import prod
from typing import Final

from upconv.converters.ir import geometry
from upconv.converters.ir import operators as ops
from upconv.converters.ir.tensors import FloatArray, weight_of
from upconv.converters.readers.onnx.entries import Entry
from upconv.converters.readers.onnx.lowering import Call, lowers

MOST_WEIGHTS: Final = 1 << 22
"""Rows times places of a block."""


@lowers("Col2Im", since=18)
def _blocks_put_back(call: Call) -> Entry:
    """Columns (N, C*block, cells), added where blocks overlap: a transposed convolution whose
    kernel of ones lays row k of each channel on place k of its blocks."""
    x = call.value()
    image = tuple(map(int, call.array(1, "image_shape").reshape(-1).tolist()))
    block = tuple(map(int, call.array(2, "block_shape").reshape(-1).tolist()))
    axes = len(block)
    if not 1 <= axes <= 3 or len(image) != axes or min(*image, *block) < 1:
        raise call.invalid(f"blocks of {block} in an image of {image}")
    stride, dilation = call.per_axis("strides", axes, 1), call.per_axis("dilations", axes, 1)
    pads = call.per_axis("pads", 2 * axes, 0)
    if min(*stride, *dilation) < 1:
        raise call.invalid(f"strides {stride}, dilations {dilation}")
    windows = list(zip(image, block, stride, dilation, pads[:axes], pads[axes:], strict=True))
    cells = tuple(geometry.conv_size(*window) for window in windows)
    batch, rows, columns = call.shape(x)
    if not isinstance(rows, int) or rows % prod(block) or columns != prod(cells) or min(cells) < 1:
        raise call.invalid(f"columns of {rows} x {columns} for {cells} blocks of {block}")
    if rows * prod(block) > MOST_WEIGHTS:
        raise call.unsupported(f"{rows} rows of blocks of {block}")
    laid = call.step(ops.Reshape((batch, rows, *cells)), [x], "cells")
    rest = tuple(
        n - geometry.conv_transpose_size(count, *window)
        for count, (n, *window) in zip(cells, windows, strict=True)
    )
    channels = rows // prod(block)
    operator = ops.ConvTranspose(
        channels, block, stride, dilation, pads[:axes], pads[axes:], rest, channels
    )
    return call.emit(operator, [laid], {"weight": weight_of(_places(channels, block))})


def _places(channels: int, block: tuple[int, ...]) -> FloatArray:
    """(channels * places of a block, 1, *block): a 1 for each row at its own place."""
    import numpy as np

    one = np.eye(prod(block), dtype=np.float32).reshape(prod(block), 1, *block)
    return np.tile(one, (channels, *(1 for _ in one.shape[1:])))
