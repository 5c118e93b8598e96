"""The layers that a layer's inputs come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from upconv.converters.ir.model import Layer


class Made(Protocol):
    """A net whose values know the layers that write them."""

    @property
    def producers(self) -> Mapping[str, Layer]: ...


def behind(net: Made, layer: Layer) -> Iterator[Layer]:
    """Every layer that a layer's inputs depend on, each once."""
    waiting, seen = list(layer.inputs), set(layer.inputs)
    while waiting:
        made = net.producers.get(waiting.pop())
        if made is None:
            continue
        yield made
        fresh = [value for value in made.inputs if value not in seen]
        seen.update(fresh)
        waiting += fresh
