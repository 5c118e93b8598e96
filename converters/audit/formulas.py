"""Sizes as people check them by hand: `pool3: ceil((75-2)/2)+1 = 38`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Like, Size, leaves, substitute, symbol
from upconv.converters.ir.model import Layer
from upconv.converters.ir.operators import targets
from upconv.converters.ir.records import record
from upconv.converters.ir.registry import OperatorTable


@record(frozen=True, slots=True)
class Axis:
    """One spatial axis of one layer: its index among the spatial axes, and the sizes there."""

    index: int
    before: Size
    after: Size


FORMULAS: OperatorTable[Callable[[Any, Axis], str]] = OperatorTable("arithmetic")
"""How an operator computes a size from the size before it; others keep it."""


def formula(layer: Layer, axis: Axis) -> str:
    """`name: formula = size` for one axis of a layer; a size taken from elsewhere says whence."""
    like = next((leaf for s in targets(layer.operator) for leaf in leaves(s)), None)
    if isinstance(like, Like) and type(layer.operator) in (ops.Crop, ops.Resize, ops.Unpool):
        written = _written(layer, axis) or f"the size of {like.tensor}"
        return f"{layer.name}: {written} = {axis.after}"
    if type(layer.operator) not in FORMULAS:
        return f"{layer.name}: {axis.after}"
    return f"{layer.name}: {FORMULAS[type(layer.operator)](layer.operator, axis)} = {axis.after}"


def _written(layer: Layer, axis: Axis) -> str:
    """A size that is worked out of the size before it, with that size in its place."""
    op = layer.operator
    sizes = op.size or () if isinstance(op, ops.Resize | ops.Unpool) else ()
    size = sizes[axis.index] if axis.index < len(sizes) else 0
    if isinstance(size, int) or leaves(size) != {Like(layer.inputs[0], axis.index + 2)}:
        return ""
    return str(substitute(size, lambda leaf: symbol(_in(axis.before))))


def _in(size: Size) -> str:
    """A size inside of a larger formula."""
    text = str(size)
    return text if text.isalnum() else f"({text})"


def _pads(begin: int, end: int, sign: str) -> str:
    """`+2*1`, nothing for 0, and both amounts where they differ."""
    if begin == end:
        return f"{sign}2*{begin}" if begin else ""
    return f"{sign}{begin}{sign}{end}"


def _extent(kernel: int, dilation: int) -> str:
    return str(kernel) if dilation == 1 or kernel == 1 else f"({dilation}*({kernel}-1)+1)"


def _window(op: ops.Conv | ops.Pool, axis: Axis, rounding: str) -> str:
    """round((in + pads - ke)/s) + 1."""
    at = axis.index
    span = _in(axis.before) + _pads(op.pads_begin[at], op.pads_end[at], "+")
    span += f"-{_extent(op.kernel[at], op.dilation[at])}"
    return f"{span}+1" if op.stride[at] == 1 else f"{rounding}(({span})/{op.stride[at]})+1"


@FORMULAS.register(ops.Conv)
def _conv(op: ops.Conv, axis: Axis) -> str:
    return _window(op, axis, "floor")


@FORMULAS.register(ops.Pool)
def _pool(op: ops.Pool, axis: Axis) -> str:
    from upconv.converters.ir.geometry import pool_size

    at = axis.index
    text = _window(op, axis, op.rounding)
    whole = pool_size(
        axis.before,
        op.kernel[at],
        op.stride[at],
        op.dilation[at],
        op.pads_begin[at],
        op.pads_end[at],
        rounding=op.rounding,
        clip=False,
    )
    clipped = isinstance(whole, int) and whole != axis.after
    return f"{text}-1 (clipped to the padded input)" if clipped else text


@FORMULAS.register(ops.ConvTranspose)
def _conv_transpose(op: ops.ConvTranspose, axis: Axis) -> str:
    at = axis.index
    if op.target is not None:
        return str(op.target[at])
    text = f"{op.stride[at]}*({axis.before}-1)" if op.stride[at] != 1 else f"{axis.before}-1"
    text += f"+{_extent(op.kernel[at], op.dilation[at])}"
    text += _pads(op.pads_begin[at], op.pads_end[at], "-")
    return text + (f"+{op.output_padding[at]}" if op.output_padding[at] else "")


@FORMULAS.register(ops.Resize)
def _resize(op: ops.Resize, axis: Axis) -> str:
    return f"{op.factor[axis.index]}*{_in(axis.before)}" if op.factor else "a given size"


@FORMULAS.register(ops.DepthToSpace)
def _depth_to_space(op: ops.DepthToSpace, axis: Axis) -> str:
    return f"{op.block}*{_in(axis.before)}"


@FORMULAS.register(ops.SpaceToDepth)
def _space_to_depth(op: ops.SpaceToDepth, axis: Axis) -> str:
    return f"{_in(axis.before)}/{op.block}"


@FORMULAS.register(ops.GlobalPool)
def _global_pool(op: ops.GlobalPool, axis: Axis) -> str:
    return "pooled over everything"


@FORMULAS.register(ops.Pad)
def _pad(op: ops.Pad, axis: Axis) -> str:
    at = axis.index + 2
    return f"{axis.before}+{op.begin[at]}+{op.end[at]}"
