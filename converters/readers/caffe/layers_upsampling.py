"""The forks' layers that upsample: Upsample in its dialects, and Unpooling.

None is part of BVLC's Caffe; each docstring names the fork whose meaning it has. Sizes that follow
the input or a reference stay expressions of it.
"""

from __future__ import annotations

from typing import Final, Literal

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size
from upconv.converters.readers.caffe.enums import UNPOOLS
from upconv.converters.readers.caffe.fields import choice
from upconv.converters.readers.caffe.forks import require_bottoms, require_fields, size_of
from upconv.converters.readers.caffe.lowering import CaffeLayer, Lowered, lowers
from upconv.converters.readers.caffe.spatial import positive, uint
from upconv.converters.readers.files.prototxt import Message

Pair = tuple[Size, Size]

UPSAMPLE_FIELDS: Final = {
    "segnet": ["scale", "scale_h", "scale_w", "pad_out_h", "pad_out_w", "upsample_h", "upsample_w"],
    "yolo": ["scale"],
    "tiny-dsod": ["mode", "height", "width", "height_scale", "width_scale"],
}
"""All that each fork's upsample_param has."""

_WINDOW_KINDS: Final[dict[str, Literal["corner", "average", "tile"]]] = {
    "MAX": "corner",
    "AVE": "average",
    "TILE": "tile",
}


@lowers("Upsample", "UPSAMPLE", variant="segnet")
def _upsample_segnet(layer: CaffeLayer) -> Lowered:
    """SegNet: data scattered by the mask, to upsample_h x upsample_w or H*scale - pad_out."""
    require_bottoms(layer, 2)
    param = layer.field("upsample_param")
    require_fields(layer, param, UPSAMPLE_FIELDS["segnet"], "SegNet's Upsample")
    return Lowered(ops.Unpool(_segnet_size(layer, param)))


def _segnet_size(layer: CaffeLayer, param: Message) -> Pair:
    if param.has("upsample_h") and param.has("upsample_w"):
        return positive(layer, param, "upsample_h"), positive(layer, param, "upsample_w")
    scales = _segnet_scales(layer, param)
    pads = [int(param.bool(name, False)) for name in ("pad_out_h", "pad_out_w")]
    for name, pad, scale in zip(("pad_out_h", "pad_out_w"), pads, scales, strict=True):
        if pad and scale != 2:
            raise layer.invalid(f"{name} needs a scale of 2, but the scale is {scale}")
    height, width = size_of(layer.bottoms[0])
    return height * scales[0] - pads[0], width * scales[1] - pads[1]


def _segnet_scales(layer: CaffeLayer, param: Message) -> tuple[int, int]:
    split = [param.has(name) for name in ("scale_h", "scale_w")]
    if any(split) and (not all(split) or param.has("scale")):
        raise layer.invalid("gives a mix of scale, scale_h and scale_w",
                            "give scale, or both scale_h and scale_w")  # fmt: skip
    names = ("scale_h", "scale_w") if all(split) else ("scale", "scale")
    scales = tuple(uint(layer, param, name, 2) for name in names)
    if min(scales) < 2:
        raise layer.invalid(f"the scale is {scales[0]}x{scales[1]}; each must be at least 2")
    return scales[0], scales[1]


@lowers("Upsample", "UPSAMPLE", variant="yolo")
def _upsample_yolo(layer: CaffeLayer) -> Lowered:
    """The YOLO ports: one bottom, each pixel repeated scale x scale times."""
    require_bottoms(layer, 1)
    param = layer.field("upsample_param")
    require_fields(layer, param, UPSAMPLE_FIELDS["yolo"], "the YOLO ports' Upsample")
    scale = positive(layer, param, "scale", 1)
    return Lowered(ops.Resize("nearest", "asymmetric", factor=(scale, scale)))


@lowers("Upsample", "UPSAMPLE", variant="tiny-dsod")
def _upsample_tiny_dsod(layer: CaffeLayer) -> Lowered:
    """Tiny-DSOD: to the size of bottom[1], or given; bilinear with aligned corners, or nearest
    at floor(index * in / out)."""
    require_bottoms(layer, 1, 2)
    param = layer.field("upsample_param")
    require_fields(layer, param, UPSAMPLE_FIELDS["tiny-dsod"], "Tiny-DSOD's Upsample")
    size = _tiny_dsod_size(layer, param)
    mode = param.enum("mode", "BILINEAR")
    if mode == "BILINEAR":
        return Lowered(ops.Resize("linear", "align_corners", size=size))
    if mode == "NEAREST":
        return Lowered(ops.Resize("nearest", "asymmetric", size=size))
    raise layer.unsupported(f"mode is {mode}, which is neither BILINEAR nor NEAREST")


def _tiny_dsod_size(layer: CaffeLayer, param: Message) -> Pair:
    if len(layer.bottoms) == 2:
        return size_of(layer.bottoms[1])
    if param.has("height") and param.has("width"):
        return positive(layer, param, "height"), positive(layer, param, "width")
    height, width = size_of(layer.bottoms[0])
    return (
        height * positive(layer, param, "height_scale"),
        width * positive(layer, param, "width_scale"),
    )


@lowers("Unpooling", "UNPOOLING")
def _unpooling(layer: CaffeLayer) -> Lowered:
    """DeconvNet: MAX scatters by the mask, or to its window's top left without one; AVE and TILE
    fill the window and add where windows overlap. The output size is always given."""
    require_bottoms(layer, 1, 2)
    param = layer.field("unpooling_param")
    kind = choice(layer, param, "unpool", UNPOOLS, "MAX")
    size = _unpool_size(layer, param)
    kernel = _pair(layer, param, "kernel_size", "kernel", None)
    stride = _pair(layer, param, "stride", "stride", 1)
    if _pair(layer, param, "pad", "pad", 0) != (0, 0):
        raise layer.invalid("pad must be 0: Unpooling has no other")
    if kind == "MAX" and len(layer.bottoms) == 2:
        return Lowered(ops.Unpool(size))
    _require_inside(layer, stride, size)
    operator = ops.WindowUnpool(_WINDOW_KINDS[kind], kernel, stride, (0, 0), size)
    return Lowered(operator, inputs=layer.bottoms[:1])


def _unpool_size(layer: CaffeLayer, param: Message) -> tuple[int, int]:
    if not any(param.has(name) for name in ("unpool_size", "unpool_h", "unpool_w")):
        raise layer.unsupported(
            "gives neither unpool_size nor unpool_h and unpool_w, which DeconvNet requires: "
            "it is written for another fork",
            "write the output size as unpool_h and unpool_w",
        )
    return _pair(layer, param, "unpool_size", "unpool", None)


def _pair(
    layer: CaffeLayer, param: Message, whole: str, stem: str, default: int | None
) -> tuple[int, int]:
    """A size given once, or as both `stem`_h and `stem`_w; at least 1 where it has no default."""
    names = (f"{stem}_h", f"{stem}_w")
    split = [param.has(name) for name in names]
    if any(split) and (not all(split) or param.has(whole)):
        raise layer.invalid(f"gives a mix of {whole}, {names[0]} and {names[1]}",
                            f"give {whole}, or both {names[0]} and {names[1]}")  # fmt: skip
    fields = names if all(split) else (whole, whole)
    if default == 0:
        return uint(layer, param, fields[0], 0), uint(layer, param, fields[1], 0)
    least = default or 0
    return positive(layer, param, fields[0], least), positive(layer, param, fields[1], least)


def _require_inside(layer: CaffeLayer, stride: tuple[int, int], size: tuple[int, int]) -> None:
    """DeconvNet moves windows that begin outside onto the last pixel, which no operator says."""
    shape = layer.shapes[0] if layer.shapes else None
    for inputs, step, out in zip((shape or ())[2:], stride, size, strict=False):
        if isinstance(inputs, int) and (inputs - 1) * step >= out:
            raise layer.unsupported(
                f"its last window begins at {(inputs - 1) * step}, outside of the output ({out})"
            )
