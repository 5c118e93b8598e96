"""The part of a model that its outputs depend on."""

from __future__ import annotations

from dataclasses import replace

from upconv.converters.ir.model import Layer, Model


def live(model: Model) -> Model:
    """The model without the layers that reach no output, what only they read, and notices of them.

    Such layers prepare what inference drops, as a Slice of labels for two losses. They stay in the
    model that a reader gives, for all to see; a converted file has no use for them, and their
    inputs would have to be fed. An input that no layer reads at all stays.
    """
    needed = set(model.outputs)
    layers: list[Layer] = []
    for layer in reversed(model.layers):
        if needed.intersection(layer.outputs):
            layers.append(layer)
            needed.update(layer.inputs)
    if len(layers) == len(model.layers):
        return model
    dead = {layer.name for layer in model.layers} - {layer.name for layer in layers}
    read = {value for layer in model.layers for value in layer.inputs}
    return replace(
        model,
        inputs=tuple(e for e in model.inputs if e.name in needed or e.name not in read),
        layers=tuple(reversed(layers)),
        notices=tuple(notice for notice in model.notices if notice.error.layer not in dead),
    )
