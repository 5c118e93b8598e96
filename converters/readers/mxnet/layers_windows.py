"""Convolutions and poolings (convolution-inl.h, deconvolution-inl.h, pooling.cc)."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Final, Literal

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, ceil_div, is_constant
from upconv.converters.ir.geometry import full_size
from upconv.converters.ir.tensors import Weight
from upconv.converters.readers.assembly.reducing import reduced
from upconv.converters.readers.mxnet.lowering import Call, lowers

_LAYOUTS: Final = ("NCW", "NCHW", "NCDHW")


@dataclass(frozen=True, slots=True)
class Window:
    """A window's numbers, one per spatial axis."""

    kernel: ops.Ints
    stride: ops.Ints
    dilation: ops.Ints
    pad: ops.Ints


def window_of(call: Call) -> Window:
    """Kernel, stride, dilate and pad, which must be of one length."""
    ask = call.attributes
    kernel = ask.ints("kernel")
    if call.attributes.word("layout", "NCHW") not in _LAYOUTS:
        raise call.unsupported("a layout with channels last, which MXNet runs on GPUs", "layout")
    ones, none = (1,) * len(kernel), (0,) * len(kernel)
    window = Window(
        kernel, ask.ints("stride") or ones, ask.ints("dilate") or ones, ask.ints("pad") or none
    )
    for name, numbers, least in (
        ("kernel", kernel, 1),
        ("stride", window.stride, 1),
        ("dilate", window.dilation, 1),
        ("pad", window.pad, 0),
    ):
        if not 1 <= len(kernel) <= 3 or len(numbers) != len(kernel) or min(numbers) < least:
            raise call.invalid(f"{name} is {numbers} for a kernel of {kernel}", name)
    return window


@lowers("Convolution Convolution_v1 _npx_convolution")
def _convolution(call: Call) -> str:
    """Weight (num_filter, C_in/num_group, k...)."""
    window = window_of(call)
    filters, groups = _filters(call)
    x = call.value()
    channels = call.work.size(x, 1)
    inner = channels // groups if isinstance(channels, int) else None
    weights = {"weight": call.weight(1, "weight", (filters, inner, *window.kernel))}
    operator = ops.Conv(
        filters, window.kernel, window.stride, window.dilation, window.pad, window.pad, groups
    )
    return call.emit(operator, [x], weights | _bias(call, filters, absent=False))


def _filters(call: Call) -> tuple[int, int]:
    filters, groups = (
        call.attributes.positive("num_filter"),
        call.attributes.positive("num_group", 1),
    )
    if filters % groups:
        raise call.invalid(f"{filters} filters in {groups} groups", "num_group")
    return filters, groups


def _bias(call: Call, size: int, *, absent: bool) -> dict[str, Weight]:
    if call.attributes.flag("no_bias", absent):
        return {}
    return {"bias": call.weight(2, "bias", (size,))}


@lowers("Deconvolution _npx_deconvolution")
def _deconvolution(call: Call) -> str:
    """Weight (C_in, num_filter/num_group, k...); adj is output padding. A target_shape counts in
    its place, and in that of pad."""
    window = window_of(call)
    filters, groups = _filters(call)
    x = call.value()
    expected = (call.work.size(x, 1), filters // groups, *window.kernel)
    weights = {"weight": call.weight(1, "weight", expected)} | _bias(call, filters, absent=True)
    adj = call.attributes.ints("adj") or (0,) * len(window.kernel)
    target = call.attributes.ints("target_shape")
    if any(target):
        return _targeted(call, x, window, (filters, groups), weights, target)
    fits = len(adj) == len(window.kernel)
    if not fits or any(not 0 <= a < s for a, s in zip(adj, window.stride, strict=True)):
        raise call.invalid(f"adj is {adj} for a stride of {window.stride}", "adj")
    operator = ops.ConvTranspose(
        filters, window.kernel, window.stride, window.dilation, window.pad, window.pad, adj, groups
    )
    return call.emit(operator, [x], weights)


def _targeted(
    call: Call,
    x: str,
    window: Window,
    channels: tuple[int, int],
    weights: dict[str, Weight],
    target: ops.Ints,
) -> str:
    """t = full - target is cut, ceil(t/2) of it at the begin (DeconvolutionParam::InferPad: pad is
    ceil(t/2) and adj t % 2). Of an open size the begin changes with it: everything, and the box."""
    if len(target) != len(window.kernel) or min(target) < 1:
        raise call.invalid(
            f"target_shape is {target} for a kernel of {window.kernel}", "target_shape"
        )
    settings = zip(window.kernel, window.stride, window.dilation, strict=True)
    full = [full_size(n, *one) for n, one in zip(call.shape(x)[2:], settings, strict=True)]
    cut = [call.work.known(size) - wanted for size, wanted in zip(full, target, strict=True)]
    if any(isinstance(t, int) and t < 0 for t in cut):
        raise call.invalid(
            f"target_shape is {target}, larger than what the kernel reaches", "target_shape"
        )
    fixed = is_constant(*cut)
    none = (0,) * len(target)
    numbers = [(-(-t // 2), t // 2) for t in cut if isinstance(t, int)]
    front, back = zip(*numbers, strict=True) if fixed else (none, none)
    operator = ops.ConvTranspose(
        channels[0], window.kernel, window.stride, window.dilation, front, back, none, channels[1]
    )
    if fixed:
        return call.emit(operator, [x], weights)
    offsets: tuple[Size, ...] = tuple(
        ceil_div(size - wanted, 2) for size, wanted in zip(full, target, strict=True)
    )
    whole = call.step(operator, [x], "full", weights)
    return call.emit(ops.Crop(2, offsets, target), [whole])


@lowers("Pooling Pooling_v1 _npx_pooling")
def _pooling(call: Call) -> str:
    """The convention "full" rounds up and drops no window; a mean divides by the window that lies
    in input and padding, or with count_include_pad False by its pixels."""
    ask = call.attributes
    kind = ask.word("pool_type", "max")
    convention = ask.word("pooling_convention", "valid")
    counts = ask.flag("count_include_pad", True)
    p = ask.integer("p_value", 2) * (kind == "lp")
    if kind not in ("max", "avg", "sum", "lp") or convention not in ("valid", "full", "same"):
        raise call.invalid(f"a pooling of {kind}, {convention}", "pool_type")
    x = call.value()
    if p:
        x = call.step(ops.Power(float(p)), [x], "power")
    if ask.flag("global_pool"):
        for name in ("kernel", "stride", "pad", "layout"):
            ask.text(name)
        made = _global(call, x, kind)
    else:
        made = _windows(call, x, kind, convention, counts)
    return (
        call.emit(ops.Power(1 / p) if p else ops.Identity(), [made])
        if kind in ("sum", "lp")
        else made
    )


def _global(call: Call, x: str, kind: str) -> str:
    if kind in ("sum", "lp"):
        rank = call.rank(x)
        return reduced(call.step, x, rank, "sum", range(2, rank), keep=True)
    return call.emit(ops.GlobalPool("max" if kind == "max" else "average"), [x])


def _windows(call: Call, x: str, kind: str, convention: str, counts: bool) -> str:
    window = window_of(call)
    if convention == "same" or (convention == "full" and kind in ("sum", "lp")):
        raise call.unsupported(f"a pooling of {kind}, {convention}", "pooling_convention")
    sums = kind in ("sum", "lp")
    rounding: Literal["floor", "ceil"] = "ceil" if convention == "full" else "floor"
    operator = ops.Pool(
        "max" if kind == "max" else "average",
        window.kernel,
        window.stride,
        window.dilation,
        window.pad,
        window.pad,
        rounding,
        "never",
        (counts or sums) and kind != "max",
    )
    if not sums:
        return call.emit(operator, [x])
    mean = call.step(operator, [x], "mean")
    return call.step(ops.Power(scale=float(prod(window.kernel))), [mean], "sum")
