"""The shapes an operator's weights must have, given the shape of its input."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, multiply
from upconv.converters.ir.errors import ShapeError
from upconv.converters.ir.model import Layer
from upconv.converters.ir.registry import OperatorTable
from upconv.converters.ir.shapes import (
    Shape,
    normalized_axis,
    provably_differ,
    require_axes,
    text_of,
)

WeightShapes: TypeAlias = Mapping[str, Shape]
EXPECTED: OperatorTable[Callable[[Any, Shape], WeightShapes]] = OperatorTable("weight shapes")


@EXPECTED.register(ops.Conv)
def _conv(op: ops.Conv, x: Shape) -> WeightShapes:
    channels = (op.out_channels,)
    return {"weight": (*channels, x[1] // op.groups, *op.kernel), "bias": channels}


@EXPECTED.register(ops.ConvTranspose)
def _conv_transpose(op: ops.ConvTranspose, x: Shape) -> WeightShapes:
    weight = (x[1], op.out_channels // op.groups, *op.kernel)
    return {"weight": weight, "bias": (op.out_channels,)}


@EXPECTED.register(ops.Linear)
def _linear(op: ops.Linear, x: Shape) -> WeightShapes:
    features = multiply(x[normalized_axis(op.axis, len(x)) :])
    pair: tuple[Size, Size] = (op.out_features, features)
    return {"weight": pair[::-1] if op.transposed else pair, "bias": (op.out_features,)}


@EXPECTED.register(ops.Embedding)
def _embedding(op: ops.Embedding, x: Shape) -> WeightShapes:
    return {"table": (op.entries, op.features)}


@EXPECTED.register(ops.BatchNorm)
def _batch_norm(op: ops.BatchNorm, x: Shape) -> WeightShapes:
    require_axes(x, 2)
    return dict.fromkeys(("mean", "variance", "scale", "bias"), (x[1],))


@EXPECTED.register(ops.GroupNorm)
def _group_norm(op: ops.GroupNorm, x: Shape) -> WeightShapes:
    require_axes(x, 2)
    return dict.fromkeys(("scale", "bias"), (x[1],))


@EXPECTED.register(ops.LayerNorm)
def _layer_norm(op: ops.LayerNorm, x: Shape) -> WeightShapes:
    first = normalized_axis(op.axis, len(x))
    last = len(x) if op.num_axes == -1 else first + op.num_axes
    return dict.fromkeys(("scale", "bias"), x[first:last])


def expected_weights(layer: Layer, x: Shape) -> WeightShapes:
    """Weight name -> the shape it must have, for the weights whose shape the input decides."""
    kind = type(layer.operator)
    return EXPECTED[kind](layer.operator, x) if kind in EXPECTED else {}


def check_weights(layer: Layer, x: Shape) -> None:
    """Compare the shapes of a layer's weights with its input.

    Raises ShapeError (kind "weights") where they cannot belong together.
    """
    for name, expected in expected_weights(layer, x).items():
        weight = layer.weights.get(name)
        if weight is None or weight.shape is None:
            continue
        if len(weight.shape) != len(expected) or any(map(provably_differ, weight.shape, expected)):
            message = (
                f"the {name} has shape {text_of(weight.shape)}, but an input of {text_of(x)} "
                f"needs {text_of(expected)}"
            )
            raise ShapeError(message, "weights")
