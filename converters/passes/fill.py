"""Missing weights made from their fillers, where the user asks for it by name."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from math import prod
from typing import Final

from upconv.converters.ir.dims import is_constant
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.inference import Inference, infer
from upconv.converters.ir.model import Layer, Model
from upconv.converters.ir.tensors import ArrayData, Filler, FloatArray, Weight
from upconv.converters.ir.weight_shapes import expected_weights

Shape = tuple[int, ...]


def _bilinear(filler: Filler, shape: Shape) -> FloatArray:
    from upconv.converters.ir.kernels import caffe_bilinear_filler

    return caffe_bilinear_filler(shape)


def _constant(filler: Filler, shape: Shape) -> FloatArray:
    import numpy as np

    return np.full(shape, filler.value, np.float32)


FILLERS: dict[str, Callable[[Filler, Shape], FloatArray]] = {
    "bilinear": _bilinear,
    "constant": _constant,
}
"""The fillers that are no matter of chance, and so can be made outside of training."""

MOST_NUMBERS: Final = 1 << 28
"""Numbers of a weight that is made, a gigabyte of them. VGG's largest layer has 2**27; a kernel's
size is a word of the file, and may be four thousand million."""


def fill_missing(model: Model, kinds: Collection[str]) -> Model:
    """The model with missing weights of these filler kinds made, lazily and in Caffe's arithmetic.

    A weight that declares no filler stays missing, since Caffe would make it zeros; a bias that
    declares none is Caffe's constant 0 and counts as "constant".

    Raises UnsupportedError for a weight of more than MOST_NUMBERS.
    """
    if not kinds:
        return model
    inference = infer(model)
    layers = tuple(_fill_layer(layer, inference, kinds) for layer in model.layers)
    return replace(model, layers=layers)


def _fill_layer(layer: Layer, inference: Inference, kinds: Collection[str]) -> Layer:
    if all(weight.present for weight in layer.weights.values()):
        return layer
    x = inference.shapes.get(layer.inputs[0]) if layer.inputs else None
    expected = expected_weights(layer, x) if x is not None else {}
    filled = {
        name: _bounded(layer, name, _fill(name, weight, expected.get(name), kinds))
        for name, weight in layer.weights.items()
    }
    return replace(layer, weights=filled)


def _fill(
    name: str, weight: Weight, expected: tuple[object, ...] | None, kinds: Collection[str]
) -> Weight:
    filler = weight.filler
    if weight.present or filler is None or filler.type not in kinds:
        return weight
    if not filler.declared and name != "bias":
        return weight
    shape = weight.shape or _plain(expected)
    if shape is None or (filler.type == "bilinear" and not _fits_bilinear(shape)):
        return weight
    data = ArrayData(shape, lambda: FILLERS[filler.type](filler, shape))
    return replace(weight, shape=shape, data=data)


def _bounded(layer: Layer, name: str, weight: Weight) -> Weight:
    if layer.weights[name].present or not weight.present or weight.shape is None:
        return weight
    if prod(weight.shape) > MOST_NUMBERS:
        raise UnsupportedError(
            f"its {name} of {'x'.join(map(str, weight.shape))} is more than is made from a filler "
            f"(at most {MOST_NUMBERS} numbers)",
            where=layer.origin,
            layer=layer.name,
            hint="correct kernel_size, or give the trained weights with --weights FILE",
        )
    return weight


def _plain(shape: tuple[object, ...] | None) -> Shape | None:
    sizes = tuple(size for size in shape or () if isinstance(size, int))
    return sizes if shape and len(sizes) == len(shape) and is_constant(*sizes) else None


def _fits_bilinear(shape: Shape) -> bool:
    """Caffe's bilinear filler aborts unless the weight is 4-D with a square kernel."""
    return len(shape) == 4 and shape[2] == shape[3]
