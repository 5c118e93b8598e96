"""Convolutions and transposed convolutions, linear layers."""

from __future__ import annotations

from collections.abc import Sequence

from upconv.converters.ir import geometry
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.tensors import Weight
from upconv.converters.readers.torch.aten.lowering import AtenCall, lowers


@lowers(
    "conv1d.default",
    "conv2d.default",
    "conv3d.default",
    "conv1d.padding",
    "conv2d.padding",
    "conv3d.padding",
)
def _conv(call: AtenCall) -> None:
    convolve(call, transposed=False)


@lowers("conv_transpose1d.default", "conv_transpose2d.input", "conv_transpose3d.input")
def _conv_transpose(call: AtenCall) -> None:
    convolve(call, transposed=True)


@lowers("convolution.default", "_convolution.default")
def _convolution(call: AtenCall) -> None:
    convolve(call, transposed=bool(call.get("transposed", False)))


def convolve(call: AtenCall, transposed: bool) -> None:
    """A convolution, over a batch or over one sample without a batch axis."""
    weight = call.weight("weight")
    axes = len(weight.shape or ()) - 2
    if axes < 1:
        raise UnsupportedError("its weight has no spatial axes")
    x = call.value("input")
    single = call.rank("input") == axes + 1
    if single:
        x = call.step(ops.Reshape((1,), 0, 0), [x], "batch")
    weights = {"weight": weight, **call.weights(bias="bias")}
    operator = (_transposed if transposed else _plain)(call, weight, axes)
    if single:
        y = call.step(operator, [x], "convolution", weights)
        call.emit(ops.Reshape((), 0, 1), [y])
    else:
        call.emit(operator, [x], weights)


def _plain(call: AtenCall, weight: Weight, axes: int) -> ops.Operator:
    out, _, *kernel = weight.shape or ()
    stride, dilation = call.ints("stride", axes, 1), call.ints("dilation", axes, 1)
    begin, end = _padding(call, kernel, dilation, axes)
    groups = call.fixed("groups", 1)
    return ops.Conv(out, tuple(kernel), stride, dilation, begin, end, groups)


def _padding(
    call: AtenCall, kernel: Sequence[int], dilation: Sequence[int], axes: int
) -> tuple[ops.Ints, ops.Ints]:
    """Amounts, or "same" and "valid"; the odd pixel of "same" is at the end (torch
    aten/src/ATen/native/Convolution.cpp, _convolution_same)."""
    padding = call.get("padding", 0)
    if padding == "valid":
        padding = 0
    if padding == "same":
        total = [geometry.effective_kernel(k, d) - 1 for k, d in zip(kernel, dilation, strict=True)]
        return tuple(n // 2 for n in total), tuple(n - n // 2 for n in total)
    if isinstance(padding, str):
        raise UnsupportedError(f"its padding is '{padding}'")
    amounts = call.ints("padding", axes, 0) if padding else (0,) * axes
    return amounts, amounts


def _transposed(call: AtenCall, weight: Weight, axes: int) -> ops.Operator:
    """An output_padding that changes with the input's sizes becomes a target."""
    _, per_group, *kernel = weight.shape or ()
    groups = call.fixed("groups", 1)
    stride, dilation = call.ints("stride", axes, 1), call.ints("dilation", axes, 1)
    pads = call.ints("padding", axes, 0)
    extra = call.sizes("output_padding", axes, 0)
    settings = (tuple(kernel), stride, dilation, pads)
    known = tuple(n for n in extra if isinstance(n, int))
    if len(known) == axes:
        return ops.ConvTranspose(per_group * groups, *settings, pads, known, groups)
    target = _target(call, settings, extra)
    nothing = (0,) * axes
    return ops.ConvTranspose(per_group * groups, *settings, pads, nothing, groups, target)


def _target(
    call: AtenCall, settings: tuple[ops.Ints, ...], extra: Sequence[Size]
) -> tuple[Size, ...]:
    spatial = call.shape("input", len(extra))[-len(extra) :]
    rows = zip(spatial, *settings, extra, strict=True)
    return tuple(geometry.conv_transpose_size(n, k, s, d, p, p, e) for n, k, s, d, p, e in rows)


@lowers("linear.default")
def _linear(call: AtenCall) -> None:
    """x @ weight^T + bias over the last axis."""
    weight = call.weight("weight")
    if len(weight.shape or ()) != 2:
        raise UnsupportedError("its weight has not two axes")
    assert weight.shape is not None
    weights = {"weight": weight, **call.weights(bias="bias")}
    call.emit(ops.Linear(weight.shape[0], -1), [call.value("input")], weights)
