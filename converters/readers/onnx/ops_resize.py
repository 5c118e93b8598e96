"""Resize and Upsample in the words of every opset.

Interpolation is separable: axes with other coordinates than the rest become a Resize of their own.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import cache
from math import floor, prod
from typing import Final, Literal, TypeAlias

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.records import record
from upconv.converters.readers.onnx.entries import Entry
from upconv.converters.readers.onnx.lowering import Call, lowers
from upconv.converters.readers.onnx.refusals import NoisyScaleError, OutsideCountedError

Coordinates: TypeAlias = Literal["half_pixel", "asymmetric", "align_corners"]
Nearest: TypeAlias = Literal["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"]

SIMPLE: Final = 1000
"""Denominators of factors that people write."""
_PLAIN, _NEAR = 32, 1e-5
"""Denominators of scales that are written, and how near to such a scale one is meant to be it."""
LONGEST: Final = 1 << 14
"""Sizes up to here are tried where a size is open and the factor no whole number."""
MODES: Final[dict[str, Literal["nearest", "linear", "cubic"]]] = {
    **{"nearest": "nearest", "linear": "linear", "bilinear": "linear"},
    **{"cubic": "cubic", "bicubic": "cubic"},
}


@record(frozen=True, slots=True)
class Way:
    """How an axis gets from its size to another: the size, the factor in its coordinates where
    that is not their ratio, and the conventions."""

    axis: int
    size: Size
    scale: float | None
    coordinates: Coordinates
    nearest: Nearest = "floor"


@record(frozen=True, slots=True)
class Kernel:
    """What all axes share."""

    mode: Literal["nearest", "linear", "cubic"]
    cubic_a: float = -0.75
    antialias: bool = False
    exclude_outside: bool = False


# Factors and sizes


def _factor(call: Call, scale: float) -> Fraction:
    """The factor that a float32 number is meant to be: 6/5 for 1.2000000476."""
    if not 0 < scale < LONGEST:
        raise call.invalid(f"the scale {scale}")
    simple = Fraction(scale).limit_denominator(SIMPLE)
    return simple if float32(float(simple)) == float32(scale) else Fraction(scale)


def float32(number: float) -> float:
    """The float32 number next to one, as `scaled_sizes` has it."""
    return array("f", (number,))[0]


def shortest(number: float) -> str:
    """The fewest digits that are this float32 number.

    >>> shortest(float32(1.9999999))
    '1.9999999'
    """
    texts = (f"{number:.{digits}g}" for digits in range(1, 10))
    return next(text for text in texts if float32(float(text)) == float32(number))


def scaled_sizes(sizes: Iterable[int], scale: float) -> list[int]:
    """floor(size * scale) of sizes below 2^24, as float32 rounds it: the product of two float32
    numbers is exact in Python's floats.

    >>> scaled_sizes((10, 49), 0.1)
    [1, 4]
    """
    factor = float32(scale)
    return [int(product) for product in array("f", [size * factor for size in sizes])]


@cache
def _noise(scale: float, size: Size) -> str:
    """What is wrong with a scale that is nearly a ratio of small numbers, and gives another size
    than that ratio would: of this size, or of any where it is open. "" where nothing is."""
    meant = Fraction(scale).limit_denominator(_PLAIN)
    if not 0 < abs(float(meant) / scale - 1) < _NEAR:
        return ""
    sizes = (size,) if isinstance(size, int) else range(1, LONGEST)
    for n, out in zip(sizes, scaled_sizes(sizes, scale), strict=True):
        right = n * meant.numerator // meant.denominator
        if out != right:
            shown = shortest(scale)
            return f"the scale {shown} is not quite {meant}: {n} become {out}, and not {right}"
    return ""


def _scaled(call: Call, name: str, axis: int, scale: float) -> tuple[Size, float | None]:
    """(size, scale of the coordinates or None for the ratio of sizes) of an axis.

    floor(size * scale) in float32, which for an open size must be a formula.
    """
    factor, size = _factor(call, scale), call.shape(name)[axis]
    noise = _noise(scale, call.work.known(size))
    if isinstance(size, int):
        (out,) = scaled_sizes((size,), scale)
        if noise:
            call.note("noisy-scale", noise)
        if out < 1:
            raise call.invalid(f"a size of {out}")
        return out, None if size * factor == out else float(factor)
    if factor.denominator == 1:
        return size * factor.numerator, None
    sizes = range(1, LONGEST)
    if scaled_sizes(sizes, scale) != [n * factor.numerator // factor.denominator for n in sizes]:
        raise call.unsupported(
            noise or f"the scale {scale!r} gives sizes that no formula of whole numbers says",
            "give the sizes, or fixed ones with --input",
            NoisyScaleError if noise else UnsupportedError,
        )
    if noise:
        call.note("noisy-scale", noise)
    return size * factor.numerator // factor.denominator, float(factor)


# Upsample, and Resize before it had coordinates


@lowers("Upsample")
def _upsample_experimental(call: Call) -> Entry:
    scales = (call.number("height_scale", 1.0), call.number("width_scale", 1.0))
    return _plain(call, (1.0, 1.0, *scales))


@lowers("Upsample", since=7)
def _upsample_by_attribute(call: Call) -> Entry:
    found = call.node.attributes.get("scales")
    if found is None:
        raise call.invalid("Upsample without its scales")
    return _plain(call, found.floats("floats"))


@lowers("Upsample", since=9)
@lowers("Resize", since=10)
def _by_scales(call: Call) -> Entry:
    return _plain(call, call.array(1, "scales").reshape(-1).tolist())


def _plain(call: Call, scales: Sequence[float]) -> Entry:
    """Coordinates i / scale. Resize of opset 10 takes the next pixel upwards where it makes an
    axis shorter (its own test, and onnxruntime)."""
    x = call.value()
    _require_count(call, scales, call.rank(x))
    ways = []
    for axis, scale in enumerate(scales):
        if call.node.op == "Upsample" and scale < 1:
            raise call.invalid(f"Upsample by {scale}")
        size, own = _scaled(call, x, axis, scale)
        ways.append(Way(axis, size, own, "asymmetric", "ceil" if scale < 1 else "floor"))
    mode = MODES[call.word("mode", "nearest", "linear", "bilinear")]
    return resized(call, x, ways, Kernel(mode))


def _require_count(call: Call, given: Sequence[object], axes: int) -> None:
    if len(given) != axes:
        raise call.invalid(f"{len(given)} scales or sizes for {axes} axes")


# Resize


@lowers("Resize", since=11)
def _resize(call: Call) -> Entry:
    x = call.value()
    rank = call.rank(x)
    named = call.ints("axes")
    axes = call.axes(named, rank) if named is not None else tuple(range(rank))
    kernel = _kernel(call)
    targets, keeps = _targets(call, x, axes)
    ways = [
        _way(call, kernel, axis, target, keeps) for axis, target in zip(axes, targets, strict=True)
    ]
    if kernel.antialias:
        kernel = _filter(call, kernel, x, ways)
    return resized(call, x, ways, kernel)


def _kernel(call: Call) -> Kernel:
    return Kernel(
        MODES[call.word("mode", "nearest", "linear", "cubic")],
        call.number("cubic_coeff_a", -0.75),
        call.flag("antialias"),
        call.flag("exclude_outside"),
    )


Target: TypeAlias = tuple[Size, float | None]


def _targets(call: Call, x: str, axes: Sequence[int]) -> tuple[list[Target], bool]:
    """(size, scale) of each axis, and whether these come from scales."""
    scales = call.array(2, "scales").reshape(-1).tolist() if call.has(2) else []
    if scales:
        _require_count(call, scales, len(axes))
        return [_scaled(call, x, axis, s) for axis, s in zip(axes, scales, strict=True)], True
    if not call.has(3):
        raise call.invalid("Resize without scales and without sizes")
    sizes = call.sizes(3, "sizes")
    _require_count(call, sizes, len(axes))
    policy = call.word("keep_aspect_ratio_policy", "stretch", "not_larger", "not_smaller")
    if policy == "stretch":
        return [(size, None) for size in sizes], False
    return _keeping_ratio(call, x, axes, sizes, policy), True


def _keeping_ratio(
    call: Call, x: str, axes: Sequence[int], sizes: Sequence[Size], policy: str
) -> list[Target]:
    """One scale for all axes, the smallest or largest that is asked for; sizes are rounded, halves
    up."""
    before = [call.shape(x)[axis] for axis in axes]
    pairs = [(n, m) for n, m in zip(before, sizes, strict=True)
             if isinstance(n, int) and isinstance(m, int)]  # fmt: skip
    if len(pairs) < len(axes):
        raise call.unsupported(f"{policy} with an open size", "give fixed sizes with --input")
    if any(n == 0 for n, _ in pairs):
        raise call.invalid(f"{policy} of an axis of no pixels")
    choose = min if policy == "not_larger" else max
    scale = choose(Fraction(m, n) for n, m in pairs)
    made = [floor(scale * n + Fraction(1, 2)) for n, _ in pairs]
    return [
        (out, None if n * scale == out else float(scale))
        for (n, _), out in zip(pairs, made, strict=True)
    ]


def _way(call: Call, kernel: Kernel, axis: int, target: Target, has_scales: bool) -> Way:
    """An axis's coordinates in the representation's three ways."""
    size, scale = target
    word = call.word(
        "coordinate_transformation_mode",
        "half_pixel",
        *("asymmetric", "align_corners", "pytorch_half_pixel", "tf_crop_and_resize"),
        *(("tf_half_pixel_for_nn",) if call.opset < 13 else ()),
        *(("half_pixel_symmetric",) if call.opset >= 18 else ()),
    )
    nearest: Nearest = _ROUNDINGS[call.word("nearest_mode", *_ROUNDINGS)]
    coordinates: Coordinates = "asymmetric" if word == "asymmetric" else "half_pixel"
    if word == "align_corners":
        if has_scales and scale is not None:
            raise call.unsupported("align_corners with a scale that gives no whole size")
        coordinates, scale = "align_corners", None
    elif word == "pytorch_half_pixel" and call.work.known(size) == 1:
        coordinates = "asymmetric"
    elif word == "half_pixel_symmetric" and scale is not None:
        raise call.unsupported("half_pixel_symmetric with a scale that gives no whole size")
    elif word == "tf_half_pixel_for_nn":
        if kernel.mode != "nearest" or nearest != "floor":
            raise call.unsupported("tf_half_pixel_for_nn with another rounding than floor")
        nearest = "round_prefer_ceil"
    elif word == "tf_crop_and_resize":
        _require_whole(call, axis)
        coordinates, scale = "align_corners", None
        if call.work.known(size) == 1:
            raise call.unsupported("tf_crop_and_resize to one pixel, the middle one")
    return Way(axis, size, scale, coordinates, nearest)


_ROUNDINGS: Final[dict[str, Nearest]] = {
    "round_prefer_floor": "round_prefer_floor",
    "round_prefer_ceil": "round_prefer_ceil",
    "floor": "floor",
    "ceil": "ceil",
}


def _require_whole(call: Call, axis: int) -> None:
    """Raise where a part of the input is taken only."""
    region = call.array(1, "roi").reshape(-1).tolist()
    named = call.ints("axes")
    half = len(region) // 2
    at = axis if named is None else [n % (half + 64) for n in named].index(axis)
    if half == 0 or at >= half or (region[at], region[at + half]) != (0.0, 1.0):
        raise call.unsupported("tf_crop_and_resize of a part of its input")


def _filter(call: Call, kernel: Kernel, x: str, ways: Sequence[Way]) -> Kernel:
    """Antialiasing changes what becomes smaller; pixels outside are left out of its means, or the
    representation cannot say it."""
    before = call.shape(x)
    pairs = [(before[way.axis], way.size) for way in ways]
    fixed = all(isinstance(n, int) and isinstance(m, int) for n, m in pairs)
    grows = fixed and all(m >= n for n, m in pairs)  # type: ignore[operator]
    if grows and not any(way.scale is not None and way.scale < 1 for way in ways):
        return Kernel(kernel.mode, kernel.cubic_a, False, kernel.exclude_outside)
    if kernel.mode != "nearest" and not kernel.exclude_outside:
        raise call.unsupported(
            "antialiasing that counts pixels outside of the input (exclude_outside 0)",
            kind=OutsideCountedError,
        )
    return kernel


# Layers


def resized(call: Call, x: str, ways: Sequence[Way], kernel: Kernel) -> Entry:
    """The interpolation of the axes that change."""
    own = call.shape(x)
    changed = [way for way in ways if not _stays(call, own[way.axis], way)]
    if not changed:
        return call.emit(ops.Identity(), [x])
    rank = len(own)
    axes = [way.axis for way in changed]
    if rank < 3 or min(axes) < 2 or rank > 5:
        return _moved(call, x, changed, kernel)
    return _emitted(call, x, changed, kernel)


def _stays(call: Call, size: Size, way: Way) -> bool:
    """Whether an axis keeps its size and its pixels."""
    return call.work.known(size - way.size) == 0 and way.scale is None


def _emitted(call: Call, x: str, ways: Sequence[Way], kernel: Kernel) -> Entry:
    """A Resize for all axes with the same conventions, the last of them the node's own."""
    groups: dict[object, list[Way]] = {}
    for way in ways:
        key = (way.coordinates, way.nearest if kernel.mode == "nearest" else "")
        groups.setdefault(key, []).append(way)
    listed = list(groups.values())
    for index, group in enumerate(listed[:-1]):
        x = call.step(_record(call, x, group, kernel), [x], f"axes{index}")
    return call.emit(_record(call, x, listed[-1], kernel), [x])


def _record(call: Call, x: str, ways: Sequence[Way], kernel: Kernel) -> ops.Resize:
    own = call.shape(x)
    by_axis = {way.axis: way for way in ways}
    sizes = tuple(
        by_axis[axis].size if axis in by_axis else own[axis] for axis in range(2, len(own))
    )
    scales = None
    if any(way.scale is not None for way in ways):
        scales = tuple(_scale(call, own[axis], by_axis.get(axis)) for axis in range(2, len(own)))
    factor = _factors(call, own, sizes) if scales is None else None
    return ops.Resize(
        kernel.mode,
        ways[0].coordinates,
        size=None if factor else sizes,
        factor=factor,
        nearest_mode=ways[0].nearest if kernel.mode == "nearest" else "floor",
        cubic_a=kernel.cubic_a if kernel.mode == "cubic" else -0.75,
        antialias=kernel.antialias,
        scale=scales,
        exclude_outside=kernel.exclude_outside and not kernel.antialias,
    )


def _scale(call: Call, size: Size, way: Way | None) -> float:
    if way is None:
        return 1.0
    if way.scale is not None:
        return way.scale
    ratio = [call.work.known(n) for n in (way.size, size)]
    if not all(isinstance(n, int) for n in ratio):
        whole = ratio[0] // ratio[1]
        if isinstance(whole, int):
            return float(whole)
        raise call.unsupported("a scale beside a size that is open", "give --input")
    return ratio[0] / ratio[1]  # type: ignore[operator]


def _factors(call: Call, own: Sequence[Size], sizes: Sequence[Size]) -> ops.Ints | None:
    """The whole numbers that open sizes are multiplied with; None where sizes say it."""
    if all(isinstance(n, int) for n in own[2:]):
        return None
    found = []
    for before, after in zip(own[2:], sizes, strict=True):
        factor = after // before if isinstance(before, int) == isinstance(after, int) else 0
        if not isinstance(factor, int) or factor < 1 or factor * before != after:
            return None
        found.append(factor)
    return tuple(found)


def _moved(call: Call, x: str, ways: Sequence[Way], kernel: Kernel) -> Entry:
    """Where the batch or the channels are resized: these axes to the end, the others in front as
    two, and back."""
    own = call.shape(x)
    axes = sorted(way.axis for way in ways)
    others = [axis for axis in range(len(own)) if axis not in axes]
    if len(axes) > 3:
        raise call.unsupported(f"resizes {len(axes)} axes")
    order = (*others, *axes)
    turned = call.step(ops.Permute(order), [x], "order") if order != tuple(range(len(own))) else x
    front = [own[axis] for axis in others]
    joined: list[Size] = [1, 1]
    joined[0 : len(front[:1])] = front[:1]
    joined[1] = prod(front[1:]) if all(isinstance(n, int) for n in front) else -1
    if len(front) < 2:
        joined[1] = 1
    flat = call.step(ops.Reshape(tuple(joined), 0, len(others)), [turned], "front")
    placed = {axis: at for at, axis in enumerate(axes, start=2)}
    moved = [Way(placed[w.axis], w.size, w.scale, w.coordinates, w.nearest) for w in ways]
    inner = _emitted(call.renamed("resized"), flat, moved, kernel)
    name = call.operand(inner, "resized")
    if order == tuple(range(len(own))):
        return call.emit(ops.Reshape(tuple(front), 0, 2), [name])
    name = call.step(ops.Reshape(tuple(front), 0, 2), [name], "back")
    back = tuple(order.index(axis) for axis in range(len(own)))
    return call.emit(ops.Permute(back), [name])
