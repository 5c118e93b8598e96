"""Interpolation in all of torch's modes (aten/src/ATen/native/UpSample.h).

A size given alone, or with align_corners, is the ratio of sizes. A scale factor without
recompute_scale_factor stays in the coordinate map, while the size is floor(in * factor): then
the record has both. An integer factor is both at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.readers.assembly.adaptive import along_axis
from upconv.converters.readers.torch.aten.filters import antialias_matrix
from upconv.converters.readers.torch.aten.lowering import AtenCall, lowers, require_makeable
from upconv.converters.readers.torch.aten.ratios import exact_factor

LARGEST: Final = 1 << 32
"""No scale factor of a network is near it; products with sizes stay numbers."""
CUBIC: Final = -0.75
CUBIC_ANTIALIASED: Final = -0.5


@dataclass(frozen=True, slots=True)
class Mode:
    """One of torch's modes in the words of the Resize record."""

    mode: Literal["nearest", "linear", "cubic"]
    exact: bool = False
    antialias: bool = False
    cubic_a: float = CUBIC


MODES: Final = {
    **{f"upsample_nearest{n}d": Mode("nearest") for n in (1, 2, 3)},
    **{f"_upsample_nearest_exact{n}d": Mode("nearest", exact=True) for n in (1, 2, 3)},
    "upsample_linear1d": Mode("linear"),
    "upsample_bilinear2d": Mode("linear"),
    "upsample_trilinear3d": Mode("linear"),
    "upsample_bicubic2d": Mode("cubic"),
    "_upsample_bilinear2d_aa": Mode("linear", antialias=True),
    "_upsample_bicubic2d_aa": Mode("cubic", antialias=True, cubic_a=CUBIC_ANTIALIASED),
}
OVERLOADS: Final = ("vec", "default")


@lowers(*(f"{name}.{overload}" for name in MODES for overload in OVERLOADS))
def _upsample(call: AtenCall) -> None:
    name = call.node.target.split(".")[1]
    mode, axes = MODES[name], int(name.partition("d")[0][-1])
    source = "input" if call.get("input") is not None else "self"
    x, shape = call.value(source), call.shape(source, axes + 2, axes + 2)
    aligned = call.get("align_corners", False)
    record = _resize(mode, aligned, shape[2:], _target(call, axes), _scales(call, axes))
    if mode.antialias and not _resizable(record, aligned, shape[2:]):
        _by_matrices(call, mode, aligned, record, x, shape)
    else:
        call.emit(record, [x])


def _resizable(record: ops.Resize, aligned: bool, spatial: Sequence[Size]) -> bool:
    """Whether an antialiased interpolation is what Resize means: sizes and scales belong together,
    and corners are not aligned, which torch's filters take for another scale alone."""
    if aligned:
        return False
    if record.scale is None or record.size is None:
        return True
    rows = zip(spatial, record.scale, record.size, strict=True)
    return all(not isinstance(n, int) or int(n * scale) == out for n, scale, out in rows)


def _by_matrices(
    call: AtenCall,
    mode: Mode,
    aligned: bool,
    record: ops.Resize,
    value: str,
    shape: Sequence[Size],
) -> None:
    """One matrix of filter weights per axis, at fixed sizes."""
    sizes = record.size or tuple(n * f for n, f in zip(shape[2:], record.factor or (), strict=True))
    for axis, (before, after) in enumerate(zip(shape[2:], sizes, strict=True)):
        if not isinstance(before, int) or not isinstance(after, int):
            raise UnsupportedError(
                "antialiasing with aligned corners, or a scale of its own, has no Resize mode",
                hint="export it with fixed sizes",
            )
        require_makeable((before, after))
        step = before / after
        if aligned:
            step = (before - 1) / (after - 1) if after > 1 else 0.0
        elif record.scale is not None:
            step = 1 / record.scale[axis]
        matrix = antialias_matrix(mode.mode, before, after, step, mode.cubic_a)
        value = along_axis(call.step, value, axis + 2, len(shape), matrix)
    call.emit(ops.Identity(), [value])


def _target(call: AtenCall, axes: int) -> tuple[Size, ...] | None:
    """The sizes that are asked for; None where only factors are."""
    if not call.get("output_size"):
        return None
    sizes = call.sizes("output_size", axes)
    if any(isinstance(size, int) and size < 1 for size in sizes):
        raise UnsupportedError(f"its output_size is {', '.join(map(str, sizes))}")
    return sizes


def _scales(call: AtenCall, axes: int) -> tuple[float, ...] | None:
    """The factors that stand in the coordinate map; None where none is given.

    The `default` overloads name them scales or scales_d, scales_h, scales_w.
    """
    given = call.get("scale_factors")
    if given is None:
        names = ("scales_d", "scales_h", "scales_w")[-axes:] if axes > 1 else ("scales",)
        given = [call.get(name) for name in names]
        if all(one is None for one in given):
            return None
    if len(given) != axes or any(one is None for one in given):
        raise UnsupportedError(f"it has not {axes} scale factors")
    if not all(0 < one < LARGEST for one in given):
        raise UnsupportedError(f"its scale factors are {', '.join(map(str, given))}")
    return tuple(float(one) for one in given)


def _resize(
    mode: Mode,
    aligned: bool,
    spatial: Sequence[Size],
    size: tuple[Size, ...] | None,
    scales: tuple[float, ...] | None,
) -> ops.Resize:
    coordinates, rounding = _conventions(mode, aligned)
    factor = None if scales is None or aligned else _integers(scales)
    target = None
    if factor is None:
        target = size if size is not None else _scaled(spatial, scales)
        scales = None if scales is None or aligned else _used_scales(mode, spatial, target, scales)
    return ops.Resize(
        mode.mode,
        coordinates,
        size=target,
        factor=factor,
        nearest_mode=rounding,
        cubic_a=mode.cubic_a,
        antialias=mode.antialias,
        scale=None if aligned or factor is not None or _all_one(scales) else scales,
    )


def _all_one(scales: tuple[float, ...] | None) -> bool:
    return scales is not None and all(scale == 1.0 for scale in scales)


def _used_scales(
    mode: Mode, spatial: Sequence[Size], target: Sequence[Size], scales: tuple[float, ...]
) -> tuple[float, ...]:
    """The scales that torch's kernels really use. Linear and antialiased ones copy an axis whose
    size stays; nearest ones for small images also halve the index where it doubles (UpSample.h,
    compute_source_index_and_lambda and nearest_idx).
    """
    copies = mode.mode == "linear" or mode.antialias
    doubles = mode.mode == "nearest" and not mode.exact and _is_small_image(target)
    factors = [factor for factor, used in ((1, copies or doubles), (2, doubles)) if used]
    rows = zip(spatial, target, scales, strict=True)
    return tuple(_used_scale(*row, factors) for row in rows)


SMALL_IMAGE: Final = 128


def _is_small_image(target: Sequence[Size]) -> bool:
    """Whether torch takes its kernel for small images (UpSampleKernel.cpp,
    _use_vectorized_kernel_cond_2d, measured with torch 2.13 on contiguous tensors): two axes whose
    sizes sum up to at most 128. Images of open sizes may be small."""
    total = sum(size for size in target if isinstance(size, int))
    return len(target) == 2 and total <= SMALL_IMAGE


def _used_scale(before: Size, after: Size, scale: float, factors: Sequence[int]) -> float:
    for factor in factors:
        if isinstance(before, int):
            if after == before * factor:
                return float(factor)
        elif factor < scale < factor + 0.5:
            raise UnsupportedError(
                f"at the scale {scale!r} torch interpolates short axes as if it were {factor}",
                hint="export it with fixed sizes, or with recompute_scale_factor=True",
            )
    return scale


_Coordinates = Literal["half_pixel", "asymmetric", "align_corners"]
_Rounding = Literal["floor", "round_prefer_ceil"]


def _conventions(mode: Mode, aligned: bool) -> tuple[_Coordinates, _Rounding]:
    """nearest is asymmetric and floored; nearest-exact rounds pixel centres, halves up."""
    if mode.mode == "nearest":
        return ("half_pixel", "round_prefer_ceil") if mode.exact else ("asymmetric", "floor")
    return ("align_corners" if aligned else "half_pixel"), "floor"


def _integers(scales: tuple[float, ...]) -> ops.Ints | None:
    """The factors as integers of at least 1; None where one is none."""
    whole = tuple(int(scale) for scale in scales if scale >= 1 and scale == int(scale))
    return whole if len(whole) == len(scales) else None


def _scaled(spatial: Sequence[Size], scales: Sequence[float] | None) -> tuple[Size, ...]:
    """floor(size * scale) in double precision (torch/nn/functional.py, interpolate)."""
    if scales is None:
        raise UnsupportedError("it has neither a size nor scale factors")
    return tuple(_scaled_size(*pair) for pair in zip(spatial, scales, strict=True))


def _scaled_size(size: Size, scale: float) -> Size:
    if isinstance(size, int):
        return int(size * scale)
    fraction = exact_factor(scale)
    if fraction is None:
        raise UnsupportedError(f"its scale factor {scale!r} makes sizes that no integers say")
    return size * fraction.numerator // fraction.denominator
