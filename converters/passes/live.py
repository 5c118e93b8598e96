"""The part of a model that its outputs depend on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from upconv.converters.ir.model import Layer, Model


def live(model: Model) -> Model:
    """The model without the layers that reach no output, what only they read, and notices of them.

    Such layers prepare what inference drops, as a Slice of labels for two losses. They stay in the
    model that a reader gives, for all to see; a converted file has no use for them, and their
    inputs would have to be fed. An input that no layer reads at all stays.
    """
    layers = live_layers(model.layers, model.outputs)
    if len(layers) == len(model.layers):
        return model
    needed = {*model.outputs, *(value for layer in layers for value in layer.inputs)}
    dead = {layer.name for layer in model.layers} - {layer.name for layer in layers}
    read = {value for layer in model.layers for value in layer.inputs}
    return replace(
        model,
        inputs=tuple(e for e in model.inputs if e.name in needed or e.name not in read),
        layers=tuple(layers),
        notices=tuple(notice for notice in model.notices if notice.error.layer not in dead),
    )


def live_layers(layers: Sequence[Layer], outputs: Iterable[str]) -> list[Layer]:
    """The layers that the outputs need, in their order."""
    needed = set(outputs)
    kept: list[Layer] = []
    for layer in reversed(layers):
        if needed.intersection(layer.outputs):
            kept.append(layer)
            needed.update(layer.inputs)
    return kept[::-1]
