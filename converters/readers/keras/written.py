"""What rules may ask of a Keras layer: the words of its entry in the architecture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from upconv.converters.ir.source import Span
from upconv.converters.ir.written import (
    NOTHING,
    Block,
    StatedShape,
    Written,
    spelled_otherwise,
)
from upconv.converters.readers.files.json_spans import JsonObject
from upconv.converters.readers.keras.config import LayerConfig


@dataclass(frozen=True, slots=True)
class KerasSettings:
    """The members of a layer's configuration; their places count where the file is a text."""

    config: JsonObject
    is_text: bool

    @property
    def params(self) -> Block:
        return NOTHING

    def span_of(self, *names: str) -> Span | None:
        members = (name for name in spelled_otherwise(*names) if name in self.config)
        found = next(members, None)
        return self.config.span_of(found) if self.is_text and found is not None else None

    def text_of(self, name: str) -> str:
        return self.config.text(name)


def written_layer(layer: LayerConfig, stored_at: str, is_text: bool) -> Written:
    """A layer's entry, and where its arrays are."""

    def shapes(name: str) -> Iterator[StatedShape]:
        return stated_shapes(layer, name, is_text)

    return Written(KerasSettings(layer.config, is_text), stored_at=stored_at, shapes=shapes)


def stated_shapes(layer: LayerConfig, name: str, is_text: bool) -> Iterator[StatedShape]:
    """The shapes that Keras 3 writes beside every connection, of the inputs of a layer that is
    used once; `name` is the layer's in the model."""
    entry = layer.node
    nodes = entry.list("inbound_nodes")
    if len(nodes) != 1 or not isinstance(nodes[0], JsonObject):
        return
    own = entry.text("name") or layer.config.text("name")
    if not own or not name.endswith(own):
        return
    prefix = name.removesuffix(own)
    waiting: list[Any] = list(reversed(nodes[0].list("args")))
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += reversed(value)
        elif isinstance(value, JsonObject) and value.text("class_name") == "__keras_tensor__":
            tensor = value.object("config")
            history = tensor.list("keras_history") if tensor is not None else []
            if tensor is not None and len(history) == 3 and history[1:] == [0, 0]:
                where = tensor.span_of("shape") if is_text else None
                yield StatedShape(f"{prefix}{history[0]}", tuple(tensor.list("shape")), where)
