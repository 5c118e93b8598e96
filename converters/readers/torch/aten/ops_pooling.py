"""Pooling and unpooling, adaptive pooling where its windows are regular or its sizes fixed."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Final, Literal

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, ceil_div, is_constant
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.tensors import ArrayData, FloatArray
from upconv.converters.readers.torch.aten.lowering import AtenCall, lowers
from upconv.converters.readers.torch.aten.matrices import along_axis
from upconv.converters.readers.torch.aten.ops_reductions import reduction

Kind = Literal["max", "average"]

MAX_FOLLOWING: Final = 64
"""As many cells along an axis of open size: a handful of layers each."""
MAX_CELLS: Final = 512
"""Irregular adaptive max pooling is written cell by cell, up to so many along an axis."""


@lowers(
    *(f"max_pool{n}d.default" for n in (1, 2, 3)),
    *(f"max_pool{n}d_with_indices.default" for n in (1, 2, 3)),
)
def _max_pool(call: AtenCall) -> None:
    axes = int(call.node.target.split("pool")[1][0])
    operator = _pool(call, "max", axes, dilation=call.ints("dilation", axes, 1))
    _windowed(call, operator, axes)


@lowers(*(f"avg_pool{n}d.default" for n in (1, 2, 3)))
def _avg_pool(call: AtenCall) -> None:
    """divisor_override divides by a number of its own, where every window is whole."""
    axes = int(call.node.target.split("pool")[1][0])
    operator = _pool(call, "average", axes, dilation=(1,) * axes)
    divisor = call.get("divisor_override")
    if divisor is None:
        _windowed(call, operator, axes)
        return
    if operator.rounding == "ceil":
        raise UnsupportedError("its divisor_override meets windows that may be cut")
    whole = _pool(call, "average", axes, dilation=(1,) * axes, count_padding=True)
    mean = call.step(whole, [call.value("self")], "mean")
    scale = prod(operator.kernel) / call.divisor("divisor_override", 1)
    call.emit(ops.Power(scale=scale), [mean])


def _pool(
    call: AtenCall, kind: Kind, axes: int, dilation: ops.Ints, count_padding: bool | None = None
) -> ops.Pool:
    """Where torch rounds up, it drops a last window that starts outside of input and begin
    padding (aten/src/ATen/native/Pool.h)."""
    kernel = call.ints("kernel_size", axes)
    stride = call.ints("stride", axes) if call.get("stride") else kernel
    pads = call.ints("padding", axes, 0)
    counted = bool(call.get("count_include_pad", True)) if count_padding is None else count_padding
    return ops.Pool(
        kind,
        kernel,
        stride,
        dilation,
        pads,
        pads,
        *(("ceil", "always") if call.get("ceil_mode", False) else ("floor", "never")),
        counted,
    )


def _windowed(call: AtenCall, operator: ops.Operator, axes: int) -> None:
    """The pooling of a batch, or of one sample without a batch axis."""
    x = call.value("self")
    outputs = call.used_outputs()
    if call.rank() != axes + 1:
        call.emit(operator, [x], outputs=outputs)
        return
    x = call.step(ops.Reshape((1,), 0, 0), [x], "batch")
    first = call.step(operator, [x], "pool", outputs=len(outputs))
    values = call.state.work.layers[-1].outputs
    assert first == values[0]
    for output, value in zip(outputs, values, strict=True):
        call.emit(ops.Reshape((), 0, 1), [value], outputs=[output])


@lowers("max_unpool2d.default", "max_unpool3d.default")
def _max_unpool(call: AtenCall) -> None:
    axes = int(call.node.target.split("pool")[1][0])
    size = call.sizes("output_size", axes)
    x, indices = call.value("self"), call.value("indices")
    if call.rank() == axes + 1:
        x = call.step(ops.Reshape((1,), 0, 0), [x], "batch")
        indices = call.step(ops.Reshape((1,), 0, 0), [indices], "batch_indices")
        y = call.step(ops.Unpool(size), [x, indices], "unpool")
        call.emit(ops.Reshape((), 0, 1), [y])
        return
    call.emit(ops.Unpool(size), [x, indices])


@lowers(*(f"adaptive_avg_pool{n}d.default" for n in (1, 2, 3)), "_adaptive_avg_pool2d.default")
def _adaptive_average(call: AtenCall) -> None:
    """At fixed sizes any average of windows is a product of one matrix per axis."""
    _adaptive(call, "average")


@lowers(*(f"adaptive_max_pool{n}d.default" for n in (1, 2, 3)))
def _adaptive_maximum(call: AtenCall) -> None:
    _adaptive(call, "max")


def _adaptive(call: AtenCall, kind: Kind) -> None:
    axes = int(call.node.target.split("pool")[1][0])
    spatial = call.shape(least=axes + 1)[-axes:]
    wanted = _wanted(call, spatial)
    if all(size == 1 for size in wanted):
        _windowed(call, ops.GlobalPool(kind), axes)
    elif (regular := _regular(kind, spatial, wanted)) is not None:
        _windowed(call, regular, axes)
    elif is_constant(*spatial, *wanted):
        _irregular(call, kind, _fixed(spatial), _fixed(wanted))
    else:
        _following(call, kind, spatial, wanted)


def _wanted(call: AtenCall, spatial: Sequence[Size]) -> tuple[Size, ...]:
    values = call.sizes("output_size", len(spatial))
    if any(isinstance(value, int) and value < 1 for value in values):
        raise UnsupportedError(f"its output_size is {', '.join(map(str, values))}")
    return values


def _fixed(sizes: Sequence[Size]) -> tuple[int, ...]:
    known = tuple(size for size in sizes if isinstance(size, int))
    if len(known) < len(sizes):
        raise UnsupportedError("adaptive pooling has windows that follow the input's sizes")
    return known


def _regular(kind: Kind, spatial: Sequence[Size], wanted: Sequence[Size]) -> ops.Pool | None:
    """The pooling whose windows these are: all of one size, where it divides."""
    if not is_constant(*spatial, *wanted):
        return None
    pairs = list(zip(_fixed(spatial), _fixed(wanted), strict=True))
    if any(w < 1 or n % w for n, w in pairs):
        return None
    kernel = tuple(n // w for n, w in pairs)
    nothing, ones = (0,) * len(pairs), (1,) * len(pairs)
    return ops.Pool(kind, kernel, kernel, ones, nothing, nothing, "floor", "never", True)


def windows(size: int, cells: int) -> list[tuple[int, int]]:
    """[begin, end) of every window of an adaptive pooling (AdaptivePooling.h, start_index and
    end_index).

    >>> windows(5, 3)
    [(0, 2), (1, 4), (3, 5)]
    """
    return [(i * size // cells, int(ceil_div((i + 1) * size, cells))) for i in range(cells)]


def _irregular(call: AtenCall, kind: Kind, spatial: ops.Ints, wanted: ops.Ints) -> None:
    if len(call.used_outputs()) > 1:
        raise UnsupportedError("the indices of adaptive pooling with irregular windows are used")
    value, single = call.value("self"), call.rank() == len(spatial) + 1
    if single:
        value = call.step(ops.Reshape((1,), 0, 0), [value], "batch")
    axes = [axis for axis, (n, w) in enumerate(zip(spatial, wanted, strict=True)) if n != w]
    for axis in axes:
        if kind == "average":
            value = along_axis(
                call, value, axis + 2, len(spatial) + 2, _averages(spatial[axis], wanted[axis])
            )
        else:
            value = _maximum_axis(call, value, axis, spatial, wanted)
    last = ops.Reshape((), 0, 1) if single else ops.Identity()
    call.emit(last, [value], outputs=call.node.outputs[:1])


def _following(call: AtenCall, kind: Kind, spatial: Sequence[Size], wanted: Sequence[Size]) -> None:
    """Windows that follow the input's sizes: each cut out, reduced along its axis, and joined."""
    if len(call.used_outputs()) > 1:
        raise UnsupportedError("the indices of adaptive pooling with irregular windows are used")
    value, front = call.value("self"), call.rank() - len(spatial)
    for axis, (size, cells) in enumerate(zip(spatial, wanted, strict=True), start=front):
        if cells == size:
            continue
        if not isinstance(cells, int) or not 0 < cells <= MAX_FOLLOWING:
            raise UnsupportedError(f"adaptive pooling into {cells} cells of open sizes")
        rows = [
            _cell(
                call, value, kind, axis, (cell * size // cells, ceil_div((cell + 1) * size, cells))
            )
            for cell in range(cells)
        ]
        value = rows[0] if cells == 1 else call.step(ops.Concat(axis), rows, f"joined{axis}")
    call.emit(ops.Identity(), [value], outputs=call.node.outputs[:1])


def _cell(call: AtenCall, value: str, kind: Kind, axis: int, bounds: tuple[Size, Size]) -> str:
    """The mean or maximum from a place to another along an axis, which stays with size 1."""
    begin, end = bounds
    box = call.step(ops.Crop(axis, (begin,), (end - begin,)), [value], f"window{axis}")
    return reduction(call, box, "max" if kind == "max" else "mean", [axis], True)


def _averages(size: int, cells: int) -> ArrayData:
    """The matrix (cells, size) of one axis's averages."""

    def compute() -> FloatArray:
        import numpy as np

        matrix = np.zeros((cells, size), np.float32)
        for cell, (begin, end) in enumerate(windows(size, cells)):
            matrix[cell, begin:end] = 1 / (end - begin)
        return matrix

    return ArrayData((cells, size), compute)


def _maximum_axis(
    call: AtenCall, value: str, axis: int, spatial: ops.Ints, wanted: ops.Ints
) -> str:
    """Each window cut out, pooled to one cell along the axis, and the cells joined."""
    if wanted[axis] > MAX_CELLS:
        raise UnsupportedError(f"irregular adaptive max pooling into {wanted[axis]} cells")
    parts = []
    ones, nothing = (1,) * len(spatial), (0,) * len(spatial)
    for cell, (begin, end) in enumerate(windows(spatial[axis], wanted[axis])):
        box = ops.Crop(axis + 2, (begin,), (end - begin,))
        kernel = tuple(end - begin if a == axis else 1 for a in range(len(spatial)))
        pool = ops.Pool("max", kernel, ones, ones, nothing, nothing, "floor", "never", False)
        cut = call.step(box, [value], f"cut{axis}.{cell}")
        parts.append(call.step(pool, [cut], f"cell{axis}.{cell}"))
    return call.step(ops.Concat(axis + 2), parts, f"joined{axis}")
