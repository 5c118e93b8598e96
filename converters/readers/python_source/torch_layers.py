"""Operators of PyTorch's upsampling calls (torch/nn/modules and torch/nn/functional.py)."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final, Literal, TypeAlias

from upconv.converters.ir import geometry
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import like, symbol
from upconv.converters.readers.python_source.call import OPEN_SIZE, Call
from upconv.converters.readers.python_source.made import (
    AXES,
    Made,
    Place,
    open_shape,
    unknown_weights,
)

Maker: TypeAlias = Callable[[Call, Place], Made]

IMAGE_AXES: Final = 2
"""What a nearest resize of one factor is taken to work on, where nothing says it."""

MODES: Final[dict[str, tuple[Literal["nearest", "linear", "cubic"], int | None]]] = {
    "nearest": ("nearest", None),
    "nearest-exact": ("nearest", None),
    "linear": ("linear", 1),
    "bilinear": ("linear", 2),
    "bicubic": ("cubic", 2),
    "trilinear": ("linear", 3),
}
"""Mode -> the record's mode, and its number of spatial axes."""


def conv_transpose(call: Call, place: Place) -> Made:
    """nn.ConvTransposeNd; weight (C_in, C_out/groups, k...)."""
    axes = int(call.name[-2])
    kernel = call.integers("kernel_size", axes, 1)
    settings = (
        call.integers("stride", axes, 1),
        call.integers("dilation", axes, 1),
        call.integers("padding", axes),
        call.integers("padding", axes),
        call.integers("output_padding", axes),
    )
    inputs, outputs = call.literal_int("in_channels"), call.literal_int("out_channels")
    groups = call.literal_int("groups")
    bias = call.probably("bias", True) is not False
    _require_accepted(call, inputs, outputs, groups)
    if not (inputs and outputs and groups):
        operator = ops.ConvTranspose(outputs or 1, kernel, *settings)
        shape = open_shape(None, axes)
        return Made(operator, unknown_weights(None, bias, 0), shape, final=True)
    operator = ops.ConvTranspose(outputs, kernel, *settings, groups)
    weights = unknown_weights((inputs, outputs // groups, *kernel), bias, outputs)
    return Made(operator, weights, open_shape(inputs, axes))


def _require_accepted(
    call: Call, inputs: int | None, outputs: int | None, groups: int | None
) -> None:
    """Raise for what nn.ConvTransposeNd refuses at once (torch/nn/modules/conv.py)."""
    if call.probably("padding_mode", "zeros") != "zeros":
        raise call.refused(f"padding_mode is {call.value('padding_mode')!r}, not 'zeros'")
    if groups == 0:
        raise call.refused("groups is 0")
    for name, channels in (("in_channels", inputs), ("out_channels", outputs)):
        if groups and channels is not None and channels % groups:
            raise call.refused(f"groups {groups} does not divide {name} {channels}")


def functional_conv_transpose(call: Call, place: Place) -> Made:
    """F.conv_transposeNd: the kernel's size is that of the weight, a tensor."""
    axes = int(call.name[-2])
    names = ("output_padding", "stride", "dilation")
    if all(call.known(name) for name in names):
        extras, strides, dilations = (call.integers(name, axes) for name in names)
        for extra, *larger in zip(extras, strides, dilations, strict=True):
            if extra >= max(larger):
                raise call.refused(
                    f"output_padding {extra} is not smaller than max(stride {larger[0]}, "
                    f"dilation {larger[1]})"
                )
    raise call.not_provable("the kernel's size is the weight's")


def resize(call: Call, place: Place) -> Made:
    """nn.Upsample and F.interpolate, and their deprecated kin."""
    mode = _mode(call)
    if mode == "area":
        raise call.no_operator("mode 'area' pools, it does not resize")
    if mode not in MODES:
        raise call.no_operator(f"there is no mode {mode!r}")
    kind, fixed = MODES[mode]
    aligned = _aligned(call, mode)
    coordinates, rounding = _conventions(mode, aligned)
    antialias = bool(call.value("antialias")) if "antialias" in call.defaults else False
    if call.is_open("size") and call.value("scale_factor") is None:
        raise call.no_operator(OPEN_SIZE)
    size, scale = call.value("size"), call.value("scale_factor")
    if (size is None) == (scale is None):
        raise call.no_operator("size and scale_factor are both given, or neither")
    axes = _axes(call, size if scale is None else scale, fixed, place)
    settings: dict[str, Any] = {
        "nearest_mode": rounding,
        "antialias": antialias,
        "cubic_a": -0.5 if antialias else -0.75,
    }
    if size is not None:
        target = call.integers("size", axes, 1)
        operator = ops.Resize(kind, coordinates, size=target, **settings)
    else:
        settings |= _scaled(call, scale, axes, place, aligned)
        operator = ops.Resize(kind, coordinates, **settings)
    return Made(operator, shape=open_shape(None, axes))


def _mode(call: Call) -> str:
    fixed = {"UpsamplingBilinear2d": "bilinear", "upsample_bilinear": "bilinear"}
    if "mode" not in call.defaults:
        return fixed.get(call.name, "nearest")
    return str(call.value("mode"))


def _aligned(call: Call, mode: str) -> bool:
    """The deprecated bilinear forms always align corners (torch/nn/modules/upsampling.py)."""
    if "align_corners" not in call.defaults:
        return mode == "bilinear"
    return bool(call.value("align_corners"))


def _conventions(
    mode: str, aligned: bool
) -> tuple[
    Literal["half_pixel", "asymmetric", "align_corners"], Literal["floor", "round_prefer_ceil"]
]:
    if mode == "nearest":
        return "asymmetric", "floor"
    if mode == "nearest-exact":
        return "half_pixel", "round_prefer_ceil"
    return ("align_corners" if aligned else "half_pixel"), "floor"


def _axes(call: Call, given: Any, fixed: int | None, place: Place) -> int:
    if fixed is not None:
        return fixed
    axes = len(given) if isinstance(given, tuple) else place.axes or IMAGE_AXES
    if axes not in AXES:
        raise call.refused(f"it is resized along {axes} axes, not 1 to {max(AXES)}")
    return axes


def _scaled(
    call: Call, scale: Any, axes: int, place: Place, aligned: bool
) -> dict[str, ops.Ints | tuple[Any, ...]]:
    """The record's words for a scale_factor: the size is floor(in * factor)."""
    items = scale if isinstance(scale, tuple) else (scale,) * axes
    numbers = all(isinstance(one, int | float) for one in items)
    if not numbers or not all(0 < one < 1 << 20 for one in items):
        raise call.refused(f"scale_factor is {scale!r}")
    if len(items) != axes:
        raise call.refused(f"scale_factor has {len(items)} numbers for {axes} axes")
    if all(one == int(one) for one in items):
        return {"factor": tuple(int(one) for one in items)}
    fractions = [Fraction(one).limit_denominator(1 << 12) for one in items]
    if any(float(exact) != one for exact, one in zip(fractions, items, strict=True)):
        raise call.not_provable(f"scale_factor {scale!r} makes sizes that no integers say")
    size = tuple(
        like(place.x, axis + 2) * exact.numerator // exact.denominator
        for axis, exact in enumerate(fractions)
    )
    recomputed = aligned or bool(call.probably("recompute_scale_factor"))
    return {"size": size} if recomputed else {"size": size, "scale": tuple(map(float, items))}


def pixel_shuffle(call: Call, place: Place) -> Made:
    """nn.PixelShuffle: channel c*r^2 + y*r + x goes to pixel (y, x) of channel c."""
    factor = call.integer("upscale_factor", 1)
    channels = symbol("C") * factor**2
    return Made(ops.DepthToSpace(factor, "CRD"), shape=open_shape(channels, IMAGE_AXES))


def max_unpool(call: Call, place: Place) -> Made:
    """(in-1)*stride - 2*padding + kernel, where output_size does not say another."""
    axes = int(call.name[-2])
    if call.given("output_size"):
        raise call.no_operator(OPEN_SIZE)
    kernel = call.integers("kernel_size", axes, 1)
    given = call.value("stride") is not None
    stride = call.integers("stride", axes, 1) if given else kernel
    padding = call.integers("padding", axes)
    size = tuple(
        geometry.conv_transpose_size(like(place.x, axis + 2), k, s, 1, pad, pad)
        for axis, (k, s, pad) in enumerate(zip(kernel, stride, padding, strict=True))
    )
    return Made(ops.Unpool(size), shape=open_shape(None, axes), inputs=2)


MAKERS: Final[dict[str, Maker]] = {
    **{f"torch.nn.ConvTranspose{n}d": conv_transpose for n in (1, 2, 3)},
    **{f"torch.nn.LazyConvTranspose{n}d": conv_transpose for n in (1, 2, 3)},
    **{f"torch.nn.functional.conv_transpose{n}d": functional_conv_transpose for n in (1, 2, 3)},
    **{f"torch.nn.MaxUnpool{n}d": max_unpool for n in (1, 2, 3)},
    **{f"torch.nn.functional.max_unpool{n}d": max_unpool for n in (1, 2, 3)},
    "torch.nn.Upsample": resize,
    "torch.nn.UpsamplingNearest2d": resize,
    "torch.nn.UpsamplingBilinear2d": resize,
    "torch.nn.functional.interpolate": resize,
    "torch.nn.functional.upsample": resize,
    "torch.nn.functional.upsample_nearest": resize,
    "torch.nn.functional.upsample_bilinear": resize,
    "torch.nn.PixelShuffle": pixel_shuffle,
    "torch.nn.functional.pixel_shuffle": pixel_shuffle,
}
