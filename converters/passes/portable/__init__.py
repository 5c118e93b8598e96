"""The same layer in other words, for engines that refuse or misread the usual ones.

`alternatives` offers ways of writing one layer as several; the last of them bears the layer's name
and writes its output, so that a proof finds it. Values are the same but for rounding, and where
nothing is added up (nearest interpolation, blocks into channels and back) to the bit, for finite
numbers: zeros are multiplied, and zero times infinity is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, TypeAlias

from upconv.converters.ir import operators as ops
from upconv.converters.ir.inference import Inference
from upconv.converters.ir.model import Layer, Model, Shape
from upconv.converters.passes.portable.blocks import depth_to_space, space_to_depth
from upconv.converters.passes.portable.interpolated import mixed
from upconv.converters.passes.portable.sampled import sampled
from upconv.converters.passes.portable.transposed import transposed

Alternative: TypeAlias = tuple[Layer, ...]
Offer: TypeAlias = Callable[[Any, Layer, Shape, Shape], Iterator[Alternative]]

OFFERS: Final[Mapping[type, Offer]] = {
    ops.ConvTranspose: transposed,
    ops.Resize: mixed,
    ops.GridSample: sampled,
    ops.DepthToSpace: depth_to_space,
    ops.SpaceToDepth: space_to_depth,
}
"""Operator -> what offers other forms of it: (operator, layer, its input's shape, its output's)."""


def alternatives(layer: Layer, model: Model, inference: Inference) -> Iterator[Alternative]:
    """Other forms of a layer, the cheapest first; none where a size that they need is open."""
    offer = OFFERS.get(type(layer.operator))
    x, y = (inference.shapes.get(one) for one in (layer.inputs[0], layer.outputs[0]))
    if offer is not None and x is not None and y is not None:
        yield from offer(layer.operator, _with_constants(layer, model), x, y)


def _with_constants(layer: Layer, model: Model) -> Layer:
    """The layer with those of its further inputs among its weights that are constants."""
    known = {one.outputs[0]: one for one in model.layers if isinstance(one.operator, ops.Constant)}
    held = {name: known[name].weights["value"] for name in layer.inputs[1:] if name in known}
    return replace(layer, weights={**layer.weights, **held}) if held else layer
