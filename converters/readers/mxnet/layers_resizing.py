"""What makes feature maps larger or samples them (upsampling-inl.h, bilinear_resize-inl.h)."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, ceil_div
from upconv.converters.ir.geometry import bilinear_kernel_size, bilinear_pad
from upconv.converters.readers.assembly.compositions import pool, repeated
from upconv.converters.readers.mxnet.lowering import Call, lowers

_LONGEST: Final = 1 << 14
"""Sizes of images, all of which a formula is tried on."""


@lowers("UpSampling")
def _upsampling(call: Call) -> str:
    ask = call.attributes
    scale, kind = ask.positive("scale"), ask.word("sample_type", "nearest")
    filters = ask.integer("num_filter", 0)
    mode = ask.word("multi_input_mode", "concat")
    ask.text("num_args")
    if kind == "bilinear":
        return _bilinear(call, scale, filters)
    if kind != "nearest" or mode not in ("concat", "sum"):
        raise call.invalid(f"an UpSampling of {kind}, {mode}", "sample_type")
    values = call.values()
    if len(values) == 1:
        return call.emit(repeated((scale, scale)), values)
    first = call.shape(values[0])
    size = tuple(length * scale for length in first[2:])
    grown = [call.step(repeated((scale, scale)), values[:1], "grown0")]
    for index, x in enumerate(values[1:], start=1):
        resize = ops.Resize("nearest", "asymmetric", size, nearest_mode="floor")
        grown.append(call.step(resize, [x], f"grown{index}"))
    return call.emit(ops.Concat(1) if mode == "concat" else ops.Eltwise("sum"), grown)


def _bilinear(call: Call, scale: int, filters: int) -> str:
    """A transposed convolution, channel by channel, whose weight is an ordinary parameter."""
    x = call.value()
    channels = call.work.size(x, 1)
    filters = filters or (channels if isinstance(channels, int) else 0)
    if filters < 1:
        raise call.unsupported("its num_filter is not given", "num_filter")
    kernel, pad = (bilinear_kernel_size(scale),) * 2, (bilinear_pad(scale),) * 2
    weights = {"weight": call.weight(1, "weight", (filters, 1, *kernel))}
    operator = ops.ConvTranspose(filters, kernel, (scale, scale), (1, 1), pad, pad, (0, 0), filters)
    return call.emit(operator, [x], weights)


@lowers("_contrib_BilinearResize2D")
def _bilinear_resize(call: Call) -> str:
    """With corners aligned unless it says otherwise; else half-pixel, where an output of one pixel
    is the first one, not the middle."""
    x = call.value()
    aligned = call.attributes.flag("align_corners", True)
    size = _resized(call, x)
    for axis, length in enumerate(() if aligned else size, start=2):
        if call.work.known(length) == 1:
            x = call.step(ops.Crop(axis, (0,), (1,)), [x], f"first{axis}")
    resize = ops.Resize("linear", "align_corners" if aligned else "half_pixel", size)
    return call.emit(resize, [x])


def _resized(call: Call, x: str) -> tuple[Size, ...]:
    ask = call.attributes
    mode = ask.word("mode", "size")
    wanted = tuple(ask.positive(name, 1) for name in ("height", "width"))
    scales = tuple(ask.number(name, 0.0) for name in ("scale_height", "scale_width"))
    shape = call.shape(x)[2:]
    if len(shape) != 2 or min(scales) < 0 or (scales[0] > 0) != (scales[1] > 0):
        raise call.invalid("a resize of no image, or by one scale alone", "scale_height")
    if mode == "like":
        return call.shape(call.value(1))[2:]
    if mode in _NEAREST_SIZES:
        return tuple(_NEAREST_SIZES[mode](n) for n in shape)
    if mode not in ("size", "odd_scale"):
        raise call.invalid(f"a resize of the mode {mode!r}", "mode")
    if not scales[0]:
        return wanted
    return tuple(_scaled(call, n, s, mode) for n, s in zip(shape, scales, strict=True))


_NEAREST_SIZES: Final = {
    "to_even_down": lambda n: n // 2 * 2,
    "to_even_up": lambda n: ceil_div(n, 2) * 2,
    "to_odd_down": lambda n: (n - 1) // 2 * 2 + 1,
    "to_odd_up": lambda n: n // 2 * 2 + 1,
}
"""Mode -> the even or odd size that is nearest below or above."""


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
        hint = "give the input's size with --input"
        raise call.unsupported(f"an open size times {scale}, which float32 rounds", "", hint)
    rest: Size = size - size // 2 * 2 if odd else 0
    return (size - rest) * exact.numerator // exact.denominator + rest


@lowers("_contrib_AdaptiveAvgPooling2D")
def _adaptive(call: Call) -> str:
    """The mean of the whole map, or of as many parts of one size as the output has pixels; else
    every pixel has a window of its own."""
    sizes, x = call.attributes.ints("output_size") or (1,), call.value()
    wanted = sizes * (2 // len(sizes))
    if wanted == (1, 1):
        return call.emit(ops.GlobalPool("average"), [x])
    before = tuple(map(call.work.known, call.shape(x)[2:]))
    pairs = zip(before, wanted, strict=True)
    kernel = tuple(n // out for n, out in pairs if isinstance(n, int) and out > 0 and n % out == 0)
    if len(kernel) < 2:
        what = f"an adaptive pooling of {'x'.join(map(str, before))} to {sizes}"
        raise call.unsupported(what, "output_size", "give a multiple of it with --input")
    return call.emit(pool("average", kernel, kernel), [x])


@lowers("depth_to_space space_to_depth")
def _blocks(call: Call) -> str:
    block = call.attributes.positive("block_size")
    deep = call.node.op == "depth_to_space"
    return call.emit(ops.DepthToSpace(block) if deep else ops.SpaceToDepth(block), [call.value()])


@lowers("Crop")
def _crop(call: Call) -> str:
    """To h_w, or to the size of a second input; from an offset, or from the middle."""
    ask, x = call.attributes, call.value()
    ask.text("num_args")
    offset, wanted = ask.ints("offset") or (0, 0), ask.ints("h_w")
    centred = ask.flag("center_crop")
    asked: Sequence[Size] = call.shape(call.value(1))[2:] if len(call.entries) > 1 else wanted
    if len(asked) != 2 or len(offset) != 2 or min(offset) < 0:
        raise call.invalid(f"a Crop to {len(asked)} sizes from {offset}", "h_w")
    offsets: tuple[Size, ...] = offset
    if centred:
        shape = call.shape(x)[2:]
        offsets = tuple((n - size) // 2 for n, size in zip(shape, asked, strict=True))
    return call.emit(ops.Crop(2, offsets, tuple(asked)), [x])
