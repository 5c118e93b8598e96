"""The shapes that a Keras file gives its tensors, beside those that its layers compute."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from upconv.converters.ir.model import Layer
from upconv.converters.ir.origin import Span
from upconv.converters.ir.records import record
from upconv.converters.ir.shapes import Shape, text_of

if TYPE_CHECKING:
    from upconv.converters.readers.files.json_spans import JsonObject
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
        for name, tensor in _tensors(layer):
            shape = context.inference.shapes.get(name)
            sizes = tensor.list("shape")
            if shape is None or not _contradicts(shape, sizes):
                continue
            if name in inputs:
                return None
            where = tensor.span_of("shape") if layer.origin.span is not None else None
            return Contradiction(layer, name, _shown(sizes), text_of(_last(shape)), where)
    return None


def _tensors(layer: Layer) -> Iterator[tuple[str, JsonObject]]:
    """(value, what the file says of it) of a layer's inputs, where the layer is used once."""
    entry = getattr(layer.origin.node, "entry", None)
    nodes = entry.list("inbound_nodes") if entry is not None else []
    if entry is None or len(nodes) != 1 or not hasattr(nodes[0], "list"):
        return
    own = entry.text("name") or layer.origin.node.config.text("name")
    if not own or not layer.name.endswith(own):
        return
    prefix = layer.name.removesuffix(own)
    waiting: list[Any] = list(reversed(nodes[0].list("args")))
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += reversed(value)
        elif hasattr(value, "object") and value.text("class_name") == "__keras_tensor__":
            tensor = value.object("config")
            history = tensor.list("keras_history") if tensor is not None else []
            if tensor is not None and len(history) == 3 and history[1:] == [0, 0]:
                yield f"{prefix}{history[0]}", tensor


def _contradicts(shape: Shape, sizes: list[Any]) -> bool:
    """Whether two shapes cannot be one, channels first or last; the batch is anyone's."""
    if len(shape) != len(sizes):
        return False
    return all(
        any(
            isinstance(ours, int) and isinstance(theirs, int) and ours != theirs
            for ours, theirs in zip(order[1:], sizes[1:], strict=True)
        )
        for order in (shape, _last(shape))
    )


def _last(shape: Shape) -> Shape:
    """The shape with its channels last."""
    return (shape[0], *shape[2:], shape[1]) if len(shape) > 2 else shape


def _shown(sizes: list[Any]) -> str:
    return "x".join("?" if size is None else str(size) for size in sizes)
