"""What makes feature maps larger or cuts them (upsampling-inl.h, bilinear_resize-inl.h)."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, ceil_div
from upconv.converters.ir.geometry import bilinear_kernel_size, bilinear_pad
from upconv.converters.readers.assembly.compositions import repeated
from upconv.converters.readers.mxnet.lowering import GIVE_SIZE, Call, Made, lowers

_LONGEST: Final = 1 << 14
"""Sizes of images, all of which a formula is tried on."""


@lowers("UpSampling")
def _upsampling(call: Call) -> Made:
    """Each pixel repeated, of further inputs until they are as large as the first is then."""
    scale, filters = call.ask.positive("scale"), call.ask.integer("num_filter", 0)
    mode = call.ask.word("multi_input_mode", "concat", "sum")
    if call.ask.word("sample_type", "nearest", "bilinear") == "bilinear":
        return _bilinear(call, scale, filters)
    values, more = call.values(), repeated((scale, scale))
    if len(values) == 1:
        return more
    size = tuple(length * scale for length in call.shape()[2:])
    resize = ops.Resize("nearest", "asymmetric", size, nearest_mode="floor")
    grown = [call.step(resize if at else more, [x], f"grown{at}") for at, x in enumerate(values)]
    return call.emit(ops.Concat(1) if mode == "concat" else ops.Eltwise("sum"), grown)


def _bilinear(call: Call, scale: int, filters: int) -> Made:
    """A transposed convolution, channel by channel, whose weight is an ordinary parameter."""
    channels = call.size(1)
    filters = filters or (channels if isinstance(channels, int) else 0)
    if filters < 1:
        raise call.ask.unsupported("its num_filter is not given", "num_filter")
    kernel, pad = (bilinear_kernel_size(scale),) * 2, (bilinear_pad(scale),) * 2
    weights = {"weight": call.weight(1, "weight", (filters, 1, *kernel))}
    operator = ops.ConvTranspose(filters, kernel, (scale, scale), (1, 1), pad, pad, (0, 0), filters)
    return call.emit(operator, [call.x], weights)


@lowers("_contrib_BilinearResize2D")
def _bilinear_resize(call: Call) -> Made:
    """With corners aligned unless it says otherwise; else half-pixel, where an output of one pixel
    is the first one, not the middle."""
    aligned, size = call.ask.flag("align_corners", True), _resized(call)
    single = [axis for axis, n in enumerate(size, start=2) if call.work.known(n) == 1]
    first = [ops.Crop(axis, (0,), (1,)) for axis in single if not aligned]
    return [*first, ops.Resize("linear", "align_corners" if aligned else "half_pixel", size)]


_NEAREST_SIZES: Final = {
    "to_even_down": lambda n: n // 2 * 2,
    "to_even_up": lambda n: ceil_div(n, 2) * 2,
    "to_odd_down": lambda n: (n - 1) // 2 * 2 + 1,
    "to_odd_up": lambda n: n // 2 * 2 + 1,
}
"""Mode -> the even or odd size that is nearest below or above."""


def _resized(call: Call) -> tuple[Size, ...]:
    mode = call.ask.word("mode", "size", "like", "odd_scale", *_NEAREST_SIZES)
    wanted = tuple(call.ask.positive(name, 1) for name in ("height", "width"))
    scales = tuple(call.ask.number(name, 0.0) for name in ("scale_height", "scale_width"))
    shape = call.shape()[2:]
    if len(shape) != 2 or min(scales) < 0 or (scales[0] > 0) != (scales[1] > 0):
        raise call.ask.invalid("a resize of no image, or by one scale alone", "scale_height")
    if mode == "like":
        return call.shape(1)[2:]
    if mode in _NEAREST_SIZES:
        return tuple(_NEAREST_SIZES[mode](n) for n in shape)
    pairs = zip(shape, scales, strict=True)
    return tuple(_scaled(call, *one, mode) for one in pairs) if scales[0] else wanted


def _scaled(call: Call, size: Size, scale: float, mode: str) -> Size:
    """trunc(scale * size) in float32; for odd_scale and an odd size trunc((size-1) * scale) + 1.
    Of an open size it is said with the fraction that is meant, where both agree on every size."""
    import numpy as np

    known = call.work.known(size)
    odd = mode == "odd_scale"
    if isinstance(known, int):
        one = int(odd and known % 2)
        return int(np.float32(scale) * np.float32(known - one)) + one
    exact = Fraction(scale).limit_denominator(1000)
    sizes = np.arange(_LONGEST + 1)
    rounded = (sizes.astype(np.float32) * np.float32(scale)).astype(np.int64)
    if not np.array_equal(rounded, sizes * exact.numerator // exact.denominator):
        what = f"an open size times {scale}, which float32 rounds"
        raise call.ask.unsupported(what, "", GIVE_SIZE)
    rest: Size = size - size // 2 * 2 if odd else 0
    return (size - rest) * exact.numerator // exact.denominator + rest


@lowers("Crop")
def _crop(call: Call) -> Made:
    """To h_w, or to the size of a second input; from an offset, or from the middle."""
    offset, wanted = call.ask.ints("offset", 0, 0), call.ask.ints("h_w")
    asked: Sequence[Size] = call.shape(1)[2:] if len(call.entries) > 1 else wanted
    if len(asked) != 2 or len(offset) != 2 or min(offset) < 0:
        raise call.ask.invalid(f"a Crop to {len(asked)} sizes from {offset}", "h_w")
    offsets: tuple[Size, ...] = offset
    if call.ask.flag("center_crop"):
        pairs = zip(call.shape()[2:], asked, strict=True)
        offsets = tuple((n - size) // 2 for n, size in pairs)
    return call.emit(ops.Crop(2, offsets, tuple(asked)), [call.x])
