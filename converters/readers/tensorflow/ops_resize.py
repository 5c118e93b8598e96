"""Interpolation of images, (N, H, W, C) always."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Literal, TypeAlias

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, like
from upconv.converters.ir.operators import Operator
from upconv.converters.readers.assembly.axes import Value, channels_last
from upconv.converters.readers.assembly.compositions import pool, repeated
from upconv.converters.readers.assembly.resampling import (
    KERNELS,
    MOST,
    Rows,
    area,
    bicubic,
    kernel,
    resampled,
)
from upconv.converters.readers.tensorflow.lowering import Call, lowers
from upconv.converters.readers.tensorflow.values import Entry

Mode: TypeAlias = Literal["half_pixel", "asymmetric", "align_corners"]


def _coordinates(call: Call) -> Mode:
    """How an output pixel is mapped (image_resizer_state.h); both flags at once are an error."""
    corners, halves = call.node.flag("align_corners"), call.node.flag("half_pixel_centers")
    if corners and halves:
        raise call.invalid("align_corners and half_pixel_centers at once")
    return "align_corners" if corners else "half_pixel" if halves else "asymmetric"


@lowers("ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic", "ResizeArea")
def _resize(call: Call) -> Entry:
    x = call.spatial(0, 4, last=True)
    sizes = call.size_list(1, "size")
    if len(sizes) != 2:
        raise call.invalid(f"{len(sizes)} sizes for an image")
    operator = _OPERATORS[call.node.op](call, x, sizes)
    made = operator if isinstance(operator, str) else call.emit(operator, [x])
    return Value(made, channels_last(4))


@lowers("ScaleAndTranslate")
def _scale_and_translate(call: Call) -> Entry:
    """What tf.image.resize makes of antialias and of the kernels that no other operation has."""
    x = call.spatial(0, 4, last=True)
    scales, shifts = call.numbers(2, "scale").tolist(), call.numbers(3, "translation").tolist()
    sizes = call.size_list(1, "size")
    kind = call.node.word("kernel_type", "lanczos3")
    if not len(scales) == len(shifts) == len(sizes) == 2 or min(scales) <= 0:
        raise call.invalid("its scale and translation are not two numbers each")
    if kind not in KERNELS:
        raise call.unsupported(
            f"the kernel '{kind}', which no Resize of ONNX has",
            "use bilinear, bicubic, lanczos3, lanczos5 or mitchellcubic",
        )
    wide = call.node.flag("antialias", True)
    rows = [kernel(kind, wide, *pair) for pair in zip(scales, shifts, strict=True)]
    return Value(_fixed(call, x, sizes, rows, f"the kernel {kind}"), channels_last(4))


def _fixed(call: Call, x: str, sizes: Sizes, rows: Sequence[Rows], what: str) -> str:
    """A resize as two products with constant matrices, for sizes that are known."""
    asked = [call.work.known(size) for size in (like(x, 2), like(x, 3), *sizes)]
    known = [size for size in asked if isinstance(size, int) and size > 0]
    if len(known) < 4:
        raise call.unsupported(
            f"{what}, which no Resize of ONNX has, of a size that is open",
            "give fixed sizes, as in --input NAME=1x224x224x3",
        )
    before, after = known[:2], known[2:]
    if any(one * other > MOST for one, other in zip(before, after, strict=True)):
        raise call.unsupported(f"{what}, which no Resize of ONNX has, of an image of this size")
    return resampled(call.emit, x, before, after, rows)


Sizes: TypeAlias = tuple[Size, ...]


def _factors(call: Call, x: str, sizes: Sizes) -> tuple[int, ...] | None:
    """The whole factors between input and output, None where there are none for all sizes."""
    found = []
    for axis, size in enumerate(sizes, start=2):
        own = like(x, axis)
        before, after = call.work.known(own), call.work.known(size)
        factor = _factor(before, after)
        if factor is None:
            return None
        found.append(factor)
    return tuple(found)


def _factor(before: Size, after: Size) -> int | None:
    if isinstance(before, int) and isinstance(after, int):
        return after // before if before > 0 and after > 0 and after % before == 0 else None
    if isinstance(before, int) or isinstance(after, int) or not after.terms:
        return None
    first = before.terms[0][1]
    factor = after.terms[0][1] // first if first else 0
    return factor if factor > 0 and before * factor == after else None


def _depends(call: Call, sizes: Sizes) -> bool:
    return not all(isinstance(size, int) for size in sizes)


def _scaled(call: Call, x: str, sizes: Sizes) -> tuple[Sizes | None, tuple[int, ...] | None]:
    """(size, factor) as Resize has them: a factor where the size is computed from the input's."""
    factors = _factors(call, x, sizes) if _depends(call, sizes) else None
    return (None, factors) if factors is not None else (sizes, None)


def _bilinear(call: Call, x: str, sizes: Sizes) -> Operator:
    size, factor = _scaled(call, x, sizes)
    return ops.Resize("linear", _coordinates(call), size, factor)


_NEAREST: Final[dict[Mode, Literal["floor", "round_prefer_ceil"]]] = {
    "asymmetric": "floor",
    "align_corners": "round_prefer_ceil",
    "half_pixel": "round_prefer_ceil",
}
"""How TensorFlow rounds (resize_nearest_neighbor_op.cc): floor((i + 1/2) * s) is the centre
(i + 1/2) * s - 1/2 rounded, halves up."""


def _nearest(call: Call, x: str, sizes: Sizes) -> Operator:
    """By whole factors every way but align_corners repeats pixels."""
    mode = _coordinates(call)
    size, factor = _scaled(call, x, sizes)
    if factor is not None and mode != "align_corners":
        return repeated(factor)
    return ops.Resize("nearest", mode, size, factor, nearest_mode=_NEAREST[mode])


def _bicubic(call: Call, x: str, sizes: Sizes) -> Operator | str:
    """Keys' kernel with a = -0.5 and weights of pixels inside alone, for half pixels; with
    a = -0.75 else (resize_bicubic_op.cc)."""
    mode = _coordinates(call)
    factors = _factors(call, x, sizes)
    powers = factors is not None and all(f & (f - 1) == 0 and f <= 512 for f in factors)
    if not powers or mode == "align_corners":
        what = "bicubic by a factor that is no power of two, or with aligned corners"
        return _fixed(call, x, sizes, (bicubic(mode),) * 2, what)
    size, factor = _scaled(call, x, sizes)
    if mode == "half_pixel":
        return ops.Resize("cubic", mode, size, factor, cubic_a=-0.5, exclude_outside=True)
    return ops.Resize("cubic", mode, size, factor, cubic_a=-0.75)


def _area(call: Call, x: str, sizes: Sizes) -> Operator | str:
    """Enlarged by whole factors, an area is a pixel repeated; reduced by them, an average."""
    factors = _factors(call, x, sizes)
    if factors is not None and not call.node.flag("align_corners"):
        return repeated(factors)
    before = [call.work.known(like(x, axis)) for axis in (2, 3)]
    after = [call.work.known(size) for size in sizes]
    shrink = [_factor(a, b) for a, b in zip(after, before, strict=True)]
    kernel = tuple(factor for factor in shrink if factor is not None)
    if len(kernel) != 2 or call.node.flag("align_corners"):
        return _fixed(call, x, sizes, (area(_coordinates(call)),) * 2, "interpolation by areas")
    return pool("average", kernel, kernel)


_OPERATORS: Final[dict[str, Callable[[Call, str, Sizes], Operator | str]]] = {
    "ResizeBilinear": _bilinear,
    "ResizeNearestNeighbor": _nearest,
    "ResizeBicubic": _bicubic,
    "ResizeArea": _area,
}
