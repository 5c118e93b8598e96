"""The forks' layers that resize by interpolation: Interp and Resample."""

from __future__ import annotations

from typing import Final

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size
from upconv.converters.ir.geometry import interp_size
from upconv.converters.readers.caffe.enums import RESAMPLES
from upconv.converters.readers.caffe.fields import choice
from upconv.converters.readers.caffe.forks import require_bottoms, require_fields, size_of
from upconv.converters.readers.caffe.lowering import CaffeLayer, Lowered, lowers
from upconv.converters.readers.caffe.spatial import positive
from upconv.converters.readers.files.prototxt import Message

Pair = tuple[Size, Size]

_INTERP_FIELDS: Final = (
    "height", "width", "zoom_factor", "shrink_factor", "pad_beg", "pad_end",
)  # fmt: skip


@lowers("Interp", "INTERP")
def _interp(layer: CaffeLayer) -> tuple[Lowered, ...]:
    """DeepLab, PSPNet, ICNet: bilinear with aligned corners, after a crop by the pads."""
    require_bottoms(layer, 1, 2)
    param = layer.field("interp_param")
    require_fields(layer, param, _INTERP_FIELDS, "DeepLab's Interp")
    source, *reference = layer.bottoms
    cropped = _interp_crop(layer, param)
    if cropped is not None and cropped.outputs:
        source = cropped.outputs[0]
    size = _interp_size(layer, param, source)
    resize = ops.Resize("linear", "align_corners", size=size)
    main = Lowered(resize, inputs=(source, *reference))
    return (main,) if cropped is None else (cropped, main)


def _interp_crop(layer: CaffeLayer, param: Message) -> Lowered | None:
    begin, end = param.int("pad_beg", 0), param.int("pad_end", 0)
    if begin > 0 or end > 0:
        raise layer.invalid(
            f"pad_beg is {begin} and pad_end {end}; Interp can only crop, with pads of at most 0"
        )
    if begin == end == 0:
        return None
    crop = ops.Pad((0, 0, begin, begin), (0, 0, end, end))
    outputs = (f"{layer.tops[0]}/cropped",)
    return Lowered(crop, inputs=layer.bottoms[:1], outputs=outputs, suffix="cropped")


def _interp_size(layer: CaffeLayer, param: Message, source: str) -> Pair:
    """interp_layer.cpp decides by which fields are present, not by their values."""
    has = param.has
    if len(layer.bottoms) == 2:
        if any(has(name) for name in _INTERP_FIELDS[:4]):
            raise layer.unsupported(
                "has a reference bottom and a size of its own, where forks disagree",
                "remove the one that does not count",
            )
        return size_of(layer.bottoms[1])
    shrink = positive(layer, param, "shrink_factor") if has("shrink_factor") else None
    zoom = positive(layer, param, "zoom_factor") if has("zoom_factor") else None
    given = has("height") and has("width")
    if given and (shrink is None) == (zoom is None):
        return positive(layer, param, "height"), positive(layer, param, "width")
    if shrink is None and zoom is None:
        raise layer.invalid(
            "gives no output size",
            "give height and width, zoom_factor or shrink_factor, or a second bottom",
        )
    height, width = size_of(source)
    return interp_size(height, shrink, zoom), interp_size(width, shrink, zoom)


@lowers("Resample")
def _resample(layer: CaffeLayer) -> Lowered:
    """FlowNet2: half-pixel resize to width x height, or to the size of bottom[1].

    Its kernel adds half the OTHER axis's factor to each coordinate, so it is a half-pixel resize
    only where both axes have one factor; else it is refused. Pixels outside of the input are left
    out and the weights renormalised: what `Resize.antialias` does, and for LINEAR also what
    clamping does. The fork's own `antialias` counts only where the size goes down.
    """
    param = layer.field("resample_param")
    kind = choice(layer, param, "type", RESAMPLES, "LINEAR")
    size = _resample_size(layer, param)
    _require_one_factor(layer, size)
    if kind == "NEAREST":
        nearest = ops.Resize("nearest", "half_pixel", size=size, nearest_mode="round_prefer_ceil")
        return Lowered(nearest)
    smooth = param.bool("antialias", True)
    if kind == "AREA" or (kind == "CUBIC" and not smooth):
        raise layer.unsupported(f"type {kind}{'' if smooth else ' without antialias'} has weights "
                                "that no Resize has")  # fmt: skip
    if kind == "CUBIC":
        cubic = ops.Resize("cubic", "half_pixel", size=size, cubic_a=-0.5, antialias=True)
        return Lowered(cubic)
    antialias = smooth and not _surely_grows(layer, size)
    return Lowered(ops.Resize("linear", "half_pixel", size=size, antialias=antialias))


def _surely_grows(layer: CaffeLayer, size: Pair) -> bool:
    source, target = _sizes(layer, size)
    return bool(source) and all(
        isinstance(gain, int) and gain >= 0
        for gain in (out - size for out, size in zip(target, source, strict=True))
    )


def _sizes(layer: CaffeLayer, size: Pair) -> tuple[tuple[Size, ...], tuple[Size, ...]]:
    """Source and target height and width as the bottoms' shapes say them, empty where unknown."""
    shapes = (*layer.shapes, None, None)
    source = (shapes[0] or ())[2:]
    target = size if len(layer.bottoms) == 1 else (shapes[1] or ())[2:]
    return (source, target) if len(source) == len(target) == 2 else ((), ())


def _resample_size(layer: CaffeLayer, param: Message) -> Pair:
    if len(layer.bottoms) == 2:
        return size_of(layer.bottoms[1])
    if param.has("factor") and not (param.has("height") or param.has("width")):
        raise layer.unsupported("gives a factor, whose rounding FlowNet2 does not define",
                                "give height and width")  # fmt: skip
    return positive(layer, param, "height"), positive(layer, param, "width")


def _require_one_factor(layer: CaffeLayer, size: Pair) -> None:
    source, target = _sizes(layer, size)
    if not source:
        return  # nothing can be computed without shapes, so nothing can come out wrong
    if source[0] * target[1] != source[1] * target[0]:
        raise layer.unsupported(
            f"resizes {source[0]}x{source[1]} to {target[0]}x{target[1]}, by factors that are not "
            "known to be equal: FlowNet2 then shifts each axis by the other's factor"
        )
