"""The fix of a Crop whose offset is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer
from upconv.converters.ir.written import Block
from upconv.linter.finding import Fix
from upconv.linter.fixing.edits import (
    Edits,
    add_field,
    fix_of,
    layer_block,
    params_block,
    replace_span,
)

if TYPE_CHECKING:
    from upconv.linter.context import Context


def crop_offset(context: Context, layer: Layer) -> Fix | None:
    """The offsets that align a Crop, where they are whole and stay inside of its input.

    Shown but not applied where an offset is written and another Crop before or behind is off as
    well: then a kernel or pad that both depend on is likelier to be wrong than two offsets.
    """
    op, block = layer.operator, layer_block(context, layer)
    fit = next((fit for fit in context.coordinates.crops if fit.layer is layer), None)
    if fit is None or block is None or not isinstance(op, ops.Crop) or not fit.same_scale:
        return None
    before, after = context.input_shape(layer), context.input_shape(layer, 1)
    if before is None or after is None or any(r.shift.denominator > 1 for r in fit.relative):
        return None
    start = op.axis % len(before)
    offsets: list[object] = list(op.offsets)
    for axis, right in zip(fit.axes, fit.relative, strict=True):
        room = before[axis + 2] - after[axis + 2]
        if right.shift < 0 or (isinstance(room, int) and right.shift > room):
            return None
        offsets[axis + 2 - start] = int(right.shift)
    doubtful = _writes_offset(block) and _related_crop_is_off(context, layer)
    return fix_of([_offset_edits(context, layer, offsets)], "display" if doubtful else "unsafe")


def _writes_offset(block: Block) -> bool:
    return any(param.has("offset") for param in block.messages("crop_param"))


def _related_crop_is_off(context: Context, layer: Layer) -> bool:
    """Whether a Crop that this one depends on, or that depends on it, is off its alignment."""
    crops = [fit.layer for fit in context.coordinates.crops if any(fit.residuals)]
    return any(
        other is not layer and (_depends(context, layer, other) or _depends(context, other, layer))
        for other in crops
    )


def _depends(context: Context, layer: Layer, other: Layer) -> bool:
    """Whether a layer reads, however far on, what another one writes."""
    waiting, seen = list(layer.inputs), set(layer.inputs)
    while waiting:
        made = context.producers.get(waiting.pop())
        if made is other:
            return True
        fresh = [value for value in made.inputs if value not in seen] if made else []
        seen.update(fresh)
        waiting += fresh
    return False


def _offset_edits(context: Context, layer: Layer, offsets: Sequence[object]) -> Edits:
    """One offset where all agree, else one a cropped axis; those written are replaced."""
    texts = [str(offset) for offset in offsets]
    texts = texts[:1] if len(set(texts)) == 1 else texts
    outer = layer_block(context, layer)
    assert outer is not None
    fields = " ".join(f"offset: {text}" for text in texts)
    if not outer.has("crop_param"):
        return (add_field(outer, f"crop_param {{ axis: 2 {fields} }}"),)
    block = params_block(context, layer, "crop_param")
    if block is None:
        return ()
    written = block.spans("offset")
    if not written:
        return (add_field(block, fields, ("axis",)),)
    if len(written) == len(texts) or len(texts) == 1:
        texts = texts * (len(written) // len(texts))
        pairs = zip(written, texts, strict=True)
        return tuple(replace_span(span, text) for span, text in pairs)
    if len(written) > 1:
        return ()
    return (replace_span(written[0], fields.removeprefix("offset: ")),)
