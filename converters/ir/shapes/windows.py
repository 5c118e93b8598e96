"""Shapes of operators with windows; the formulas are those of `geometry`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from upconv.converters.ir import geometry
from upconv.converters.ir import operators as ops
from upconv.converters.ir.shapes.call import (
    SHAPES,
    InputShapes,
    Shape,
    require_axes,
    require_groups,
    require_same,
    require_spatial,
    with_spatial,
)


def _windows(
    op: ops.Conv | ops.ConvTranspose | ops.Pool, call: InputShapes, *more: ops.Ints
) -> Iterator[tuple[Any, ...]]:
    """For each spatial axis its size, and the settings of its window as `geometry` takes them."""
    settings = (op.kernel, op.stride, op.dilation, op.pads_begin, op.pads_end)
    return zip(call.x[2:], *settings, *more, strict=True)


@SHAPES.register(ops.Conv)
def _conv(op: ops.Conv, call: InputShapes) -> tuple[Shape, ...]:
    require_spatial(call.x, len(op.kernel))
    spatial = [geometry.conv_size(size, *settings) for size, *settings in _windows(op, call)]
    require_groups(call.x[1], op.groups, op.out_channels)
    return (with_spatial(call.x[0], op.out_channels, spatial, "the convolution"),)


@SHAPES.register(ops.ConvTranspose)
def _conv_transpose(op: ops.ConvTranspose, call: InputShapes) -> tuple[Shape, ...]:
    require_spatial(call.x, len(op.kernel))
    spatial = [
        geometry.conv_transpose_size(size, *settings)
        for size, *settings in _windows(op, call, op.output_padding)
    ]
    if op.target is not None:
        spatial = [call.resolve(size) for size in op.target]
    require_groups(call.x[1], op.groups, op.out_channels)
    return (with_spatial(call.x[0], op.out_channels, spatial, "the transposed convolution"),)


@SHAPES.register(ops.Pool)
def _pool(op: ops.Pool, call: InputShapes) -> tuple[Shape, ...]:
    require_spatial(call.x, len(op.kernel))
    clip = op.clip == "always" or (op.clip == "if_padded" and any(op.pads_begin + op.pads_end))
    spatial = [
        geometry.pool_size(size, *settings, rounding=op.rounding, clip=clip)
        for size, *settings in _windows(op, call)
    ]
    return (with_spatial(call.x[0], call.x[1], spatial, "the pooling"),) * call.outputs


@SHAPES.register(ops.GlobalPool)
def _global_pool(op: ops.GlobalPool, call: InputShapes) -> tuple[Shape, ...]:
    require_axes(call.x, 3)
    return ((*call.x[:2], *(1 for _ in call.x[2:])),) * call.outputs


@SHAPES.register(ops.Unpool, ops.WindowUnpool)
def _unpool(op: ops.Unpool | ops.WindowUnpool, call: InputShapes) -> tuple[Shape, ...]:
    require_spatial(call.x, len(op.size))
    spatial = tuple(call.resolve(size) for size in op.size)
    shape = with_spatial(call.x[0], call.x[1], spatial, "the unpooling")
    if isinstance(op, ops.Unpool):
        require_same(call.inputs[:2], ("data", "indices"), shape)
    return (shape,)
