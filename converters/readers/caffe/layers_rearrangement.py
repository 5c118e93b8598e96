"""The forks' layers that move values without computing: Reorg, PixelShuffle, MergeCrop ..."""

from __future__ import annotations

from typing import Final, NoReturn

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import like
from upconv.converters.readers.caffe.enums import MERGES
from upconv.converters.readers.caffe.fields import choice
from upconv.converters.readers.caffe.forks import require_fields, size_of
from upconv.converters.readers.caffe.lowering import CaffeLayer, Lowered, lowers
from upconv.converters.readers.caffe.spatial import positive
from upconv.converters.readers.caffe.vectors import channels_of
from upconv.converters.readers.files.prototxt import Message

_UNCERTAIN: Final = {
    "ImResize": "OpenPose resizes by OpenCV's cubic over several scales, which no operator says",
    "SubpixelUp": "forks order its channels differently",
}


@lowers(*_UNCERTAIN)
def _uncertain(layer: CaffeLayer) -> NoReturn:
    raise layer.unsupported(_UNCERTAIN[layer.type])


@lowers("Reorg")
def _reorg(layer: CaffeLayer) -> Lowered:
    """YOLO v2's reorg, with darknet's own order of channels; `reverse` moves channels to space."""
    param = layer.field("reorg_param")
    require_fields(layer, param, ("stride", "reverse"), "YOLO's Reorg")
    stride = positive(layer, param, "stride")
    if param.bool("reverse", False):
        return Lowered(ops.DepthToSpace(stride, "darknet"))
    return Lowered(ops.SpaceToDepth(stride, "darknet"))


@lowers("PixelShuffle")
def _pixel_shuffle(layer: CaffeLayer) -> Lowered:
    """Channel c*r*r + y*r + x becomes pixel (y, x) of channel c, as in all forks seen."""
    names = ("pixel_shuffle_param", "pixelshuffle_param")
    name = next((name for name in names if layer.node.has(name)), names[0])
    param = layer.field(name)
    factors = ("upscale_factor", "factor")
    require_fields(layer, param, factors, "PixelShuffle as we know it")
    field = next((field for field in factors if param.has(field)), factors[0])
    return Lowered(ops.DepthToSpace(positive(layer, param, field), "CRD"))


@lowers("ShuffleChannel")
def _shuffle_channel(layer: CaffeLayer) -> Lowered:
    """ShuffleNet's layer: the channels as a (group, C/group) matrix, transposed."""
    param = layer.field("shuffle_channel_param")
    return Lowered(ops.ChannelShuffle(positive(layer, param, "group", 1)))


@lowers("SimpleCrop")
def _simple_crop(layer: CaffeLayer) -> Lowered:
    """The first rows and columns of bottom[0], as many as bottom[1] has."""
    require_fields(layer, layer.field("crop_param"), (), "SimpleCrop with two bottoms")
    return Lowered(ops.Crop(2, (0, 0), size_of(layer.bottoms[1])))


@lowers("MergeCrop", "Mergecrop")
def _merge_crop(layer: CaffeLayer) -> tuple[Lowered, ...]:
    """Greentea's U-Net merge: the middle of bottom[1], as large as bottom[0], joined to it.

    `operation` STACK concatenates, bottom[0] first; ADD sums.
    """
    param = layer.field("mergecrop_param")
    stacks = choice(layer, param, "operation", MERGES, "STACK") == "STACK"
    _require_forward(layer, param)
    if stacks:
        _require_stackable(layer)
    small, large = layer.bottoms
    axes = range(2, layer.rank() or layer.rank(1) or 4)
    sizes = tuple(like(small, axis) for axis in axes)
    offsets = tuple((like(large, axis) - like(small, axis)) // 2 for axis in axes)
    cropped = f"{layer.tops[0]}/cropped"
    crop = Lowered(ops.Crop(2, offsets, sizes), inputs=(large, small), outputs=(cropped,),
                   suffix="cropped")  # fmt: skip
    merge = ops.Concat(1) if stacks else ops.Eltwise("sum")
    return crop, Lowered(merge, inputs=(small, cropped))


def _require_forward(layer: CaffeLayer, param: Message) -> None:
    if not all(scalar.as_bool() for scalar in param.scalars("forward")):
        raise layer.unsupported("forward: false replaces a bottom by zeros, which no operator says")


def _require_stackable(layer: CaffeLayer) -> None:
    """The fork's kernel counts channels over the whole batch, modulo those of either bottom: only
    some numbers of channels come out in their places."""
    first, second = channels_of(layer, 0), channels_of(layer, 1)
    if first is None or second is None or first == second:
        return
    shape = layer.shapes[0] or ()
    if first % second == 0 and shape[0] == 1:
        return
    raise layer.unsupported(
        f"stacks {first} and {second} channels at batch {shape[0]}, which Greentea's kernel mixes "
        "up: it is right for equal numbers, and at batch 1 where the second divides the first"
    )
