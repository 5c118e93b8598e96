"""A Caffe layer's own words, which the reader gives as V2 fields whatever the file's format.

Rules read these where the operator record, which has every default filled in, can no longer tell
what was written.
"""

from __future__ import annotations

from typing import Final

from upconv.converters.ir.model import Layer
from upconv.converters.ir.origin import Span
from upconv.converters.ir.tensors import Filler
from upconv.converters.readers.files.prototxt import Message
from upconv.converters.readers.python_source.call import Call

PARAMS = ("convolution_param", "pooling_param", "crop_param", "inner_product_param")


_IN_PYTHON: Final = {
    "kernel_size": ("kernel_size",),
    "pad": ("padding",),
    "stride": ("stride", "strides"),
    "num_output": ("out_channels", "filters"),
    "group": ("groups",),
    "dilation": ("dilation", "dilation_rate", "dilations"),
}
"""Caffe's field -> the arguments that say the same in PyTorch and Keras."""


def node_of(layer: Layer) -> Message:
    """The layer's block; empty for layers that come from no prototxt."""
    node = layer.origin.node
    return node if isinstance(node, Message) else Message.empty()


def params_of(layer: Layer) -> Message:
    """The block that holds the layer's sizes and fillers; empty where there is none."""
    node = node_of(layer)
    for name in PARAMS:
        found = node.message(name)
        if found is not None:
            return found
    return Message.empty()


def span_of(layer: Layer, *names: str) -> Span | None:
    """Where the first of these fields is written in the layer's parameters, or None."""
    node = layer.origin.node
    if isinstance(node, Call):
        return node.span_of(*(other for name in names for other in _IN_PYTHON.get(name, (name,))))
    if layer.origin.framework == "keras":
        return _in_architecture(layer, *names)
    fields = params_of(layer).fields
    return next((field.span for name in names for field in fields if field.name == name), None)


def _in_architecture(layer: Layer, *names: str) -> Span | None:
    """Where Keras's own word for a field stands; None in files that are no text."""
    config = getattr(layer.origin.node, "config", None)
    if layer.origin.span is None or config is None:
        return None
    members = (other for name in names for other in _IN_PYTHON.get(name, (name,)))
    return next((config.span_of(member) for member in members if member in config), None)


def filler_of(layer: Layer) -> Filler:
    """The weight's filler, whether the weight is stored or not; Caffe's default is constant 0."""
    weight = layer.weights.get("weight")
    if weight is not None and weight.filler is not None:
        return weight.filler
    declared = params_of(layer).message("weight_filler")
    if declared is None:
        return Filler("constant", declared=False)
    return Filler(declared.str("type", "constant").lower(), declared.float("value", 0.0))


def multipliers(layer: Layer, index: int) -> tuple[float, bool, Span | None]:
    """(lr_mult, whether it is written, where) of the blob at `index`; Caffe's default is 1.

    Raises UnreadableError where it is written, but is no number.
    """
    blocks = node_of(layer).messages("param")
    block = blocks[index] if index < len(blocks) else Message.empty()
    span = next((field.span for field in block.fields if field.name == "lr_mult"), None)
    return block.float("lr_mult", 1.0), span is not None, span
