"""A model in memory, made ready for another process."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from upconv.converters.ir.model import Layer, Model, ModelInput
from upconv.converters.ir.origin import Origin, Written
from upconv.converters.ir.tensors import ArrayData, Weight


def portable(model: Model) -> Model:
    """The model with its weights as arrays, where they were views of files, and without the trees
    that its file was parsed into, which may be large, and the notices, which no proof reads."""
    return replace(
        model,
        inputs=tuple(_input(entry) for entry in model.inputs),
        layers=tuple(_layer(layer) for layer in model.layers),
        notices=(),
        origin=_bare(model.origin),
    )


def _input(entry: ModelInput) -> ModelInput:
    return replace(entry, origin=_bare(entry.origin))


def _layer(layer: Layer) -> Layer:
    weights = {name: _weight(weight) for name, weight in layer.weights.items()}
    return replace(layer, weights=weights, origin=_bare(layer.origin))


def _bare(origin: Origin) -> Origin:
    return replace(origin, written=Written())


def _weight(weight: Weight) -> Weight:
    import numpy as np

    if weight.data is None:
        return weight
    # What is pickled is the array: a call of NumPy's own, where a lambda could not be sent.
    held = ArrayData(weight.data.shape, partial(np.asarray, weight.data.array()))
    return replace(weight, data=held)
