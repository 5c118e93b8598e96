"""V0 layers, `layers { layer { type: "conv" kernelsize: 3 } bottom: ... }`, in V1 words.

All parameters of a V0 layer stand side by side; which message they moved to depends on the
layer's type (UpgradeV0LayerParameter of upgrade_proto.cpp). A "padding" layer became the pad of
the layer that reads it (UpgradeV0PaddingLayers).
"""

from __future__ import annotations

from typing import Final

from upconv.converters.ir.origin import Placed
from upconv.converters.readers.caffe.rewrite import block_of, rebuilt, renamed
from upconv.converters.readers.files.prototxt import Field, Message, Scalar

PADDING: Final = "padding"

_DATA_MESSAGES: Final = {
    "data": "data_param",
    "hdf5_data": "hdf5_data_param",
    "images": "image_data_param",
    "window_data": "window_data_param",
}
_WEIGHTED: Final = {"conv": "convolution_param", "innerproduct": "inner_product_param"}
_WINDOWED: Final = {"conv": "convolution_param", "pool": "pooling_param"}
_TRANSFORMED: Final = dict.fromkeys(("data", "images", "window_data"), "transform_param")
_WINDOW_DATA: Final = {"window_data": "window_data_param"}
_IMAGES: Final = {"images": "image_data_param"}
_LRN: Final = {"lrn": "lrn_param"}

_MOVED: Final[dict[str, tuple[str, dict[str, str]]]] = {
    "num_output": ("num_output", _WEIGHTED),
    "biasterm": ("bias_term", _WEIGHTED),
    "weight_filler": ("weight_filler", _WEIGHTED),
    "bias_filler": ("bias_filler", _WEIGHTED),
    "pad": ("pad", _WINDOWED),
    "kernelsize": ("kernel_size", _WINDOWED),
    "stride": ("stride", _WINDOWED),
    "group": ("group", {"conv": "convolution_param"}),
    "pool": ("pool", {"pool": "pooling_param"}),
    "dropout_ratio": ("dropout_ratio", {"dropout": "dropout_param"}),
    "local_size": ("local_size", _LRN),
    "alpha": ("alpha", _LRN),
    "beta": ("beta", _LRN),
    "k": ("k", _LRN),
    "concat_dim": ("concat_dim", {"concat": "concat_param"}),
    "source": ("source", _DATA_MESSAGES | {"infogain_loss": "infogain_loss_param"}),
    "batchsize": ("batch_size", _DATA_MESSAGES),
    "rand_skip": ("rand_skip", {"data": "data_param", "images": "image_data_param"}),
    "shuffle_images": ("shuffle", _IMAGES),
    "new_height": ("new_height", _IMAGES),
    "new_width": ("new_width", _IMAGES),
    "scale": ("scale", _TRANSFORMED),
    "meanfile": ("mean_file", _TRANSFORMED),
    "cropsize": ("crop_size", _TRANSFORMED),
    "mirror": ("mirror", _TRANSFORMED),
    "det_fg_threshold": ("fg_threshold", _WINDOW_DATA),
    "det_bg_threshold": ("bg_threshold", _WINDOW_DATA),
    "det_fg_fraction": ("fg_fraction", _WINDOW_DATA),
    "det_context_pad": ("context_pad", _WINDOW_DATA),
    "det_crop_mode": ("crop_mode", _WINDOW_DATA),
}
"""V0 field -> today's field, and V0 layer type -> the message it moved to."""

Entry = tuple[str, Message, Placed]
"""The field's name, the layer's block, and where the two stand."""


def is_v0(block: Message) -> bool:
    """Whether a `layers` block holds a V0 layer."""
    return isinstance(block.get("layer"), Message)


def v0_type(name: str) -> str:
    """A V0 type name as today's; another name stays as it is.

    >>> v0_type("innerproduct"), v0_type("Convolution")
    ('InnerProduct', 'Convolution')
    """
    from upconv.converters.readers.caffe.caffemodel import V0_LAYER_TYPES

    return V0_LAYER_TYPES.get(name, name)


def v0_as_v1(block: Message) -> Message:
    """A V0 entry in V1 words: the connections outside, the parameters in messages of their own.

    A field that means nothing to its layer's type stays where it is, so that nothing is lost.
    """
    inner = block.message("layer") or Message.empty(block.source)
    kind = _word(inner, "type")
    moved: dict[str, list[Field]] = {}
    kept = [field for field in block.fields if field.name != "layer"]
    for field in inner.fields:
        name, targets = _MOVED.get(field.name, (field.name, {}))
        if kind in targets:
            moved.setdefault(targets[kind], []).extend(
                renamed(name, value) for value in field.values
            )
        else:
            kept.append(field)
    return rebuilt(block, kept + [block_of(block, name, made) for name, made in moved.items()])


def joined_paddings(entries: list[Entry]) -> list[Entry]:
    """The entries without padding layers, whose pad and bottom went to the layers after them."""
    padded: dict[str, Message] = {}
    kept: list[Entry] = []
    for field, block, place in entries:
        if _word(block, "type") == PADDING:
            padded[_word(block, "top")] = block
        else:
            kept.append((field, _with_pad(block, padded), place))
    return kept


def _with_pad(block: Message, padded: dict[str, Message]) -> Message:
    source = padded.get(_word(block, "bottom"))
    target = _WINDOWED.get(_word(block, "type"))
    if source is None or target is None:
        return block
    pads = [renamed("pad", value) for value in source.all("pad")]
    bottoms = [renamed("bottom", value) for value in source.all("bottom")]
    rest = [field for field in block.fields if field.name != "bottom"]
    return rebuilt(block, [*bottoms, *rest, block_of(block, target, pads)])


def _word(block: Message, name: str) -> str:
    """A field's value without its quotes; "" where there is none."""
    value = block.get(name)
    return value.text.strip("\"'") if isinstance(value, Scalar) else ""
