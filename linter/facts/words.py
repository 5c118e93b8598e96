"""A Caffe layer's own words, which the reader gives as V2 fields whatever the file's format.

Rules read these where the operator record, which has every default filled in, can no longer tell
what was written.
"""

from __future__ import annotations

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.ir.model import Layer
from upconv.converters.ir.origin import Span
from upconv.converters.ir.tensors import Filler
from upconv.converters.ir.written import NOTHING, Block


def node_of(layer: Layer) -> Block:
    """The layer's block; empty for layers that come from no prototxt."""
    return layer.origin.written.block


def params_of(layer: Layer) -> Block:
    """The block that holds the layer's sizes and fillers; empty where there is none."""
    return layer.origin.written.settings.params


def span_of(layer: Layer, *names: str) -> Span | None:
    """Where the first of these settings is written, in Caffe's words, or None."""
    return layer.origin.written.settings.span_of(*names)


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
    """(lr_mult, whether it is written, where) of the blob at `index`; Caffe's and MXNet's default
    is 1. MXNet says it of the weight alone, as a text.

    Raises UnreadableError where it is written, but is no number.
    """
    settings = layer.origin.written.settings
    if index == 0 and (text := settings.text_of("lr_mult")):
        where = settings.span_of("lr_mult")
        return _number(text, where), True, where
    blocks = node_of(layer).messages("param")
    block = blocks[index] if index < len(blocks) else NOTHING
    span = block.span_of("lr_mult")
    return block.float("lr_mult", 1.0), span is not None, span


def _number(text: str, where: Span | None) -> float:
    try:
        return float(text[:400])
    except ValueError:
        raise UnreadableError(f"lr_mult is {text[:50]!r}, no number", where=where) from None
