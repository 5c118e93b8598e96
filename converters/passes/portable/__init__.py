"""The same layer in other words, for engines that refuse or misread the usual ones.

`alternatives` offers ways of writing one layer as several; the last of them bears the layer's name
and writes its output, so that a proof finds it. Values are the same but for rounding, and where
nothing is added up (nearest interpolation, blocks into channels and back) to the bit, for finite
numbers: zeros are multiplied, and zero times infinity is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from upconv.converters.ir import operators as ops
from upconv.converters.ir.inference import Inference
from upconv.converters.ir.model import Layer, Shape
from upconv.converters.passes.portable.blocks import depth_to_space, space_to_depth
from upconv.converters.passes.portable.interpolated import mixed
from upconv.converters.passes.portable.transposed import transposed

Alternative: TypeAlias = tuple[Layer, ...]
Offer: TypeAlias = Callable[[Any, Layer, Shape, Shape], Iterator[Alternative]]

OFFERS: Final[Mapping[type, Offer]] = {
    ops.ConvTranspose: transposed,
    ops.Resize: mixed,
    ops.DepthToSpace: depth_to_space,
    ops.SpaceToDepth: space_to_depth,
}
"""Operator -> what offers other forms of it: (operator, layer, its input's shape, its output's)."""


def alternatives(layer: Layer, inference: Inference) -> Iterator[Alternative]:
    """Other forms of a layer, the cheapest first; none where a size that they need is open."""
    offer = OFFERS.get(type(layer.operator))
    x, y = (inference.shapes.get(one) for one in (layer.inputs[0], layer.outputs[0]))
    if offer is not None and x is not None and y is not None:
        yield from offer(layer.operator, layer, x, y)
