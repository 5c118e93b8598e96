"""One layer of a model as a model."""

from __future__ import annotations

from dataclasses import replace

from upconv.converters.ir.dims import Size, symbol
from upconv.converters.ir.inference import Inference
from upconv.converters.ir.model import Layer, Model, ModelInput


def part_of(model: Model, layer: Layer, inference: Inference) -> Model:
    """The layer as a model; a dynamic size of an input is a symbol named after its expression."""
    inputs = []
    for value in dict.fromkeys(layer.inputs):
        shape = inference.shapes[value]
        assert shape is not None, "refused before"
        inputs.append(ModelInput(value, tuple(map(_free, shape)), layer.origin))
    return replace(
        model,
        name=layer.name,
        inputs=tuple(inputs),
        outputs=layer.outputs,
        layers=(layer,),
        notices=(),
        channels_last=frozenset(),  # a layer's own tensors are channels first in every file
    )


def _free(size: Size) -> Size:
    return size if isinstance(size, int) else symbol(str(size))
