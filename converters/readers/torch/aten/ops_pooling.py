"""Pooling and unpooling, adaptive pooling where its windows are regular or its sizes fixed."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Literal

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.readers.assembly.adaptive import adapted, whole_windows
from upconv.converters.readers.torch.aten.lowering import AtenCall, lowers

Kind = Literal["max", "average"]


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
    regular = whole_windows(kind, spatial, wanted)
    if regular is not None:
        _windowed(call, regular, axes)
        return
    if len(call.used_outputs()) > 1:
        raise UnsupportedError("the indices of adaptive pooling with irregular windows are used")
    value, single = call.value("self"), call.rank() == axes + 1
    if single:
        value = call.step(ops.Reshape((1,), 0, 0), [value], "batch")
    value = adapted(call.step, value, kind, spatial, wanted)
    last = ops.Reshape((), 0, 1) if single else ops.Identity()
    call.emit(last, [value], outputs=call.node.outputs[:1])


def _wanted(call: AtenCall, spatial: Sequence[Size]) -> tuple[Size, ...]:
    values = call.sizes("output_size", len(spatial))
    if any(isinstance(value, int) and value < 1 for value in values):
        raise UnsupportedError(f"its output_size is {', '.join(map(str, values))}")
    return values
