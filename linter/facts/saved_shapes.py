"""The shapes that a Keras file gives its tensors, beside those that its layers compute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from upconv.converters.ir.model import Layer
from upconv.converters.ir.origin import Span
from upconv.converters.ir.records import record
from upconv.converters.ir.shapes import Shape, channels_last, text_of

if TYPE_CHECKING:
    from upconv.linter.context import Context


@record(frozen=True, slots=True)
class Contradiction:
    """A layer, an input of it, the shape the file says and the one that is computed."""

    layer: Layer
    value: str
    written: str
    computed: str
    where: Span | None


def first_contradiction(context: Context) -> Contradiction | None:
    """The first tensor whose shape, as Keras 3 writes it beside every connection, is provably not
    what the layers compute; None too where the user gave the inputs other shapes."""
    inputs = {entry.name for entry in context.net.inputs}
    for layer in context.net.layers:
        for stated in layer.origin.written.shapes(layer.name):
            shape = context.inference.shapes.get(stated.value)
            if shape is None or not _contradicts(shape, stated.sizes):
                continue
            if stated.value in inputs:
                return None
            written, computed = _shown(stated.sizes), text_of(channels_last(shape))
            return Contradiction(layer, stated.value, written, computed, stated.where)
    return None


def _contradicts(shape: Shape, sizes: Sequence[Any]) -> bool:
    """Whether two shapes cannot be one, channels first or last; the batch is anyone's."""
    if len(shape) != len(sizes):
        return False
    return all(
        any(
            isinstance(ours, int) and isinstance(theirs, int) and ours != theirs
            for ours, theirs in zip(order[1:], sizes[1:], strict=True)
        )
        for order in (shape, channels_last(shape))
    )


def _shown(sizes: Sequence[Any]) -> str:
    return "x".join("?" if size is None else str(size) for size in sizes)
