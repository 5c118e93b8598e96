"""Convolutions and poolings (convolution-inl.h, deconvolution-inl.h, pooling.cc)."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Final, Literal

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import ceil_div, is_constant
from upconv.converters.ir.geometry import full_size
from upconv.converters.ir.operators import Operator
from upconv.converters.readers.assembly.adaptive import adapted, whole_windows
from upconv.converters.readers.assembly.reducing import reduced
from upconv.converters.readers.mxnet.layers_normalization import bias
from upconv.converters.readers.mxnet.lowering import Call, Made, lowers

_LAYOUTS: Final = ("NCW", "NCHW", "NCDHW")


@dataclass(frozen=True, slots=True)
class Window:
    """A window's numbers, one per spatial axis."""

    kernel: ops.Ints
    stride: ops.Ints
    dilate: ops.Ints
    pad: ops.Ints


def window_of(call: Call) -> Window:
    """Kernel, stride, dilate and pad, which must be of one length."""
    if call.ask.word("layout", "NCHW") not in _LAYOUTS:
        what = "a layout with channels last, which MXNet runs on GPUs"
        raise call.ask.unsupported(what, "layout")
    kernel = call.ask.ints("kernel")
    axes = len(kernel)
    found = {"kernel": kernel}
    for name, least in (("kernel", 1), ("stride", 1), ("dilate", 1), ("pad", 0)):
        numbers = found[name] = call.ask.ints(name, *(least,) * axes)
        if not 1 <= axes <= 3 or len(numbers) != axes or min(numbers) < least:
            raise call.ask.invalid(f"{name} is {numbers} for a kernel of {kernel}", name)
    return Window(**found)


def _filters(call: Call) -> tuple[int, int]:
    filters, groups = call.ask.positive("num_filter"), call.ask.positive("num_group", 1)
    if filters % groups:
        raise call.ask.invalid(f"{filters} filters in {groups} groups", "num_group")
    return filters, groups


@lowers("Convolution Convolution_v1 _npx_convolution")
def _convolution(call: Call) -> Made:
    """Weight (num_filter, C_in/num_group, k...)."""
    w, (filters, groups), channels = window_of(call), _filters(call), call.size(1)
    inner = channels // groups if isinstance(channels, int) else None
    weight = call.weight(1, "weight", (filters, inner, *w.kernel))
    operator = ops.Conv(filters, w.kernel, w.stride, w.dilate, w.pad, w.pad, groups)
    return call.emit(operator, [call.x], {"weight": weight, **bias(call, filters, absent=False)})


@lowers("Deconvolution _npx_deconvolution")
def _deconvolution(call: Call) -> Made:
    """Weight (C_in, num_filter/num_group, k...); adj is output padding. A target_shape counts in
    its place, and in that of pad."""
    w, (filters, groups) = window_of(call), _filters(call)
    expected = (call.size(1), filters // groups, *w.kernel)
    weights = {"weight": call.weight(1, "weight", expected), **bias(call, filters, absent=True)}
    none = (0,) * len(w.kernel)
    adj, target = call.ask.ints("adj", *none), call.ask.ints("target_shape")

    def transposed(begin: ops.Ints, end: ops.Ints, more: ops.Ints) -> Operator:
        settings = (filters, w.kernel, w.stride, w.dilate, begin, end, more, groups)
        return ops.ConvTranspose(*settings)

    if any(target):
        front, back, crop = _targeted(call, w, target)
        operator = transposed(front or none, back or none, none)
        if crop is None:
            return call.emit(operator, [call.x], weights)
        return call.emit(crop, [call.step(operator, [call.x], "full", weights)])
    if len(adj) != len(none) or any(not 0 <= a < s for a, s in zip(adj, w.stride, strict=True)):
        raise call.ask.invalid(f"adj is {adj} for a stride of {w.stride}", "adj")
    return call.emit(transposed(w.pad, w.pad, adj), [call.x], weights)


def _targeted(
    call: Call, w: Window, target: ops.Ints
) -> tuple[ops.Ints, ops.Ints, ops.Crop | None]:
    """t = full - target is cut, ceil(t/2) of it at the begin (DeconvolutionParam::InferPad: pad is
    ceil(t/2) and adj t % 2). Of an open size the begin changes with it: everything, and the box."""
    name = "target_shape"
    if len(target) != len(w.kernel) or min(target) < 1:
        raise call.ask.invalid(f"{name} is {target} for a kernel of {w.kernel}", name)
    settings = zip(w.kernel, w.stride, w.dilate, strict=True)
    full = [full_size(n, *one) for n, one in zip(call.shape()[2:], settings, strict=True)]
    cut = [call.work.known(size) - wanted for size, wanted in zip(full, target, strict=True)]
    if any(isinstance(t, int) and t < 0 for t in cut):
        raise call.ask.invalid(f"{name} is {target}, larger than what the kernel reaches", name)
    if is_constant(*cut):
        numbers = [t for t in cut if isinstance(t, int)]
        return tuple(-(-t // 2) for t in numbers), tuple(t // 2 for t in numbers), None
    begin = (ceil_div(size - wanted, 2) for size, wanted in zip(full, target, strict=True))
    return (), (), ops.Crop(2, tuple(begin), target)


@lowers("Pooling Pooling_v1 _npx_pooling")
def _pooling(call: Call) -> Made:
    """The convention "full" rounds up and drops no window; a mean divides by the window that lies
    in input and padding, or with count_include_pad False by its pixels."""
    kind = call.ask.word("pool_type", "max", "avg", "sum", "lp")
    p = call.ask.integer("p_value", 2) * (kind == "lp")
    x = call.step(ops.Power(float(p)), [call.x], "power") if p else call.x
    sums = kind in ("sum", "lp")
    if call.ask.flag("global_pool"):
        call.ask.asked.update(_OF_WINDOWS)
        if not sums:
            return call.emit(ops.GlobalPool("max" if kind == "max" else "average"), [x])
        total = reduced(call.step, x, call.rank(), "sum", range(2, call.rank()), keep=True)
    else:
        operator = _windows(call, kind, sums)
        if not sums:
            return call.emit(operator, [x])
        scale = ops.Power(scale=float(prod(operator.kernel)))
        total = call.step(scale, [call.step(operator, [x], "mean")], "sum")
    return call.emit(ops.Power(1 / p) if p else ops.Identity(), [total])


_OF_WINDOWS = ("pooling_convention", "count_include_pad", "kernel", "stride", "pad", "layout")
"""What a pooling of everything does not look at."""


def _windows(call: Call, kind: str, sums: bool) -> ops.Pool:
    convention = call.ask.word("pooling_convention", "valid", "full", "same")
    counts, w = call.ask.flag("count_include_pad", True), window_of(call)
    if convention == "same" or (convention == "full" and sums):
        raise call.ask.unsupported(f"a pooling of {kind}, {convention}", "pooling_convention")
    rounding: Literal["floor", "ceil"] = "ceil" if convention == "full" else "floor"
    pools: Literal["max", "average"] = "max" if kind == "max" else "average"
    counted = pools == "average" and (counts or sums)
    shared = (w.kernel, w.stride, w.dilate, w.pad, w.pad, rounding)
    return ops.Pool(pools, *shared, "never", counted)


@lowers("_contrib_AdaptiveAvgPooling2D")
def _adaptive(call: Call) -> Made:
    """The mean of as many windows as the output has pixels, which overlap where they do not
    divide (adaptive_avg_pooling.cc)."""
    sizes = call.ask.ints("output_size", 1)
    wanted, spatial = sizes * (2 // len(sizes)), call.shape()[2:]
    if len(wanted) != 2 or len(spatial) != 2 or min(wanted) < 1:
        raise call.ask.invalid(f"an adaptive pooling to {sizes}", "output_size")
    before = tuple(map(call.work.known, spatial))
    operator = whole_windows("average", before, wanted)
    if operator is not None:
        return operator
    known = before if is_constant(*before) else spatial
    return call.emit(ops.Identity(), [adapted(call.step, call.x, "average", known, wanted)])
