"""Pooling, over windows and over whole axes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, Literal

from upconv.converters.ir import operators as ops
from upconv.converters.readers.assembly.axes import Axes, Copies, Value, layout
from upconv.converters.readers.assembly.compositions import pool
from upconv.converters.readers.assembly.same_padding import average_inside
from upconv.converters.readers.tensorflow.lowering import Call, lowers
from upconv.converters.readers.tensorflow.ops_shape import counted, without_axes
from upconv.converters.readers.tensorflow.values import Argmax, Entry, Places
from upconv.converters.readers.tensorflow.windows import (
    Window,
    checked_part,
    is_channels_last,
    padded,
    spatial_part,
    window_of,
)

_AXES: Final = {"MaxPool3D": 3, "AvgPool3D": 3}


def _kind(operation: str) -> Literal["max", "average"]:
    return "max" if operation.startswith("Max") else "average"


@lowers("MaxPool", "AvgPool", "MaxPool3D", "AvgPool3D")
def _pool(call: Call) -> Entry:
    axes = _AXES.get(call.node.op, 2)
    last = is_channels_last(call)
    kernel = spatial_part(call, "ksize", axes, last=last)
    return _pooled(call, window_of(call, kernel, last=last), last=last)


@lowers("MaxPoolWithArgmax")
def _pool_with_indices(call: Call) -> Entry | tuple[Entry, ...]:
    """The maxima, and where somebody reads them the indices: for an unpooling of the user's own
    making."""
    kernel = spatial_part(call, "ksize", 2, last=True)
    window = window_of(call, kernel, last=True)
    if not call.last:
        return _pooled(call, window, last=True)
    x = call.spatial(0, 4, last=True)
    y, begin, end = padded(call, x, window, float("-inf"))
    if y != x:
        raise call.unsupported("indices of an open size with padding SAME", "give --input")
    operator = pool("max", window.kernel, window.stride, pads=(begin, end))
    best, index = call.emit_many(operator, [x], 2)
    sizes = Value(x, layout(4, last=True)).sizes
    overlap = any(k > s for k, s in zip(window.kernel, window.stride, strict=True))
    source = Argmax(index, sizes, call.node.flag("include_batch_in_index"), overlap)
    return Value(best, layout(4, last=True)), Places(source)


@lowers("MaxPoolV2")
def _pool_v2(call: Call) -> Entry:
    """Its window and stride are inputs."""
    last = is_channels_last(call)
    kernel, stride = (
        checked_part(call, call.ints(index, what), what, 2, last=last)
        for index, what in ((1, "window"), (2, "stride"))
    )
    window = replace(window_of(call, kernel, last=last), stride=stride)
    return _pooled(call, window, last=last)


def _pooled(call: Call, window: Window, *, last: bool) -> Value:
    """SAME leaves padding out of an average."""
    rank = len(window.kernel) + 2
    kind = _kind(call.node.op)
    x = call.spatial(0, rank, last=last)
    if kind == "average" and window.padding == "SAME":
        sizes = call.shape(x, rank)[2:]
        name = average_inside(
            call.step,
            x,
            sizes,
            window.settings,
            lambda *pads: pool("average", window.kernel, window.stride, pads=pads),
        )
        return Value(name, layout(rank, last=last))
    x, begin, end = padded(call, x, window, float("-inf"))
    operator = pool(kind, window.kernel, window.stride, pads=(begin, end))
    return Value(call.emit(operator, [x]), layout(rank, last=last))


_REDUCTIONS: Final[Mapping[str, Literal["sum", "mean", "max", "min"]]] = {
    "Mean": "mean",
    "Sum": "sum",
    "Max": "max",
    "Min": "min",
}
_GLOBAL: Final[Mapping[str, Literal["max", "average"]]] = {"Mean": "average", "Max": "max"}


@lowers(*_REDUCTIONS)
def _reduce(call: Call) -> Entry:
    """Over the spatial axes of a feature map, global pooling; else those axes last, reduced."""
    value = call.real(call.value())
    axes = call.ranked(value)
    over = counted(call, call.ints(1, "axes"), len(axes))
    if not over:
        return value
    keeps = call.node.flag("keep_dims")
    if call.node.op in _GLOBAL and _is_spatial(axes, over):
        return _global_pool(call, value, over, keeps=keeps)
    kept = [axis for axis in range(len(axes)) if axis not in over]
    order = sorted(kept, key=lambda axis: _place(axes, axis)) + over
    wanted: Axes = tuple(order.index(axis) for axis in range(len(axes)))
    x = call.arranged(value, wanted)
    name = call.emit(ops.Reduce(_REDUCTIONS[call.node.op], len(kept)), [x])
    places = {axis: order.index(axis) for axis in kept}
    left = range(len(axes)) if keeps else kept
    return Value(name, tuple(places.get(axis, Copies()) for axis in left))


def _place(axes: Axes, axis: int) -> int:
    place = axes[axis]
    assert isinstance(place, int), "all axes are there"
    return place


def _is_spatial(axes: Axes, over: list[int]) -> bool:
    places = sorted(_place(axes, axis) for axis in over)
    return len(axes) > 2 and places == list(range(2, len(axes)))


def _global_pool(call: Call, value: Value, over: list[int], *, keeps: bool) -> Value:
    operator = ops.GlobalPool(_GLOBAL[call.node.op])
    if keeps:
        return call.unary(operator, value)
    pooled = call.unary(operator, value, "pooled")
    return without_axes(call, pooled, over)
