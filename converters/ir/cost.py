"""What a layer costs: its parameters, and how many products it sums."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import prod
from typing import Any, Final, TypeAlias

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, TooLongError, multiply
from upconv.converters.ir.errors import ShapeError
from upconv.converters.ir.model import Layer
from upconv.converters.ir.registry import OperatorTable
from upconv.converters.ir.shapes import Shape
from upconv.converters.ir.tensors import Weight
from upconv.converters.ir.weight_shapes import expected_weights

Products: TypeAlias = Callable[[Any, Sequence[Shape], Shape], Size]

PRODUCTS: Final[OperatorTable[Products]] = OperatorTable("number of products")
"""Operator -> the products it sums, of the shapes of its inputs and of its output."""


@PRODUCTS.register(ops.Conv)
def _conv(op: ops.Conv, inputs: Sequence[Shape], y: Shape) -> Size:
    """Each output pixel: the kernel over the channels of its group."""
    return multiply((*y, inputs[0][1] // op.groups, prod(op.kernel)))


@PRODUCTS.register(ops.ConvTranspose)
def _conv_transpose(op: ops.ConvTranspose, inputs: Sequence[Shape], y: Shape) -> Size:
    """Each input pixel: the kernel to the channels of its group. What the pads cut off counts."""
    return multiply((*inputs[0], op.out_channels // op.groups, prod(op.kernel)))


@PRODUCTS.register(ops.Linear)
def _linear(op: ops.Linear, inputs: Sequence[Shape], y: Shape) -> Size:
    return multiply((op.out_features, *inputs[0]))


@PRODUCTS.register(ops.MatMul)
def _matmul(op: ops.MatMul, inputs: Sequence[Shape], y: Shape) -> Size:
    return multiply((*y, inputs[0][-1]))


def products(layer: Layer, inputs: Sequence[Shape | None], y: Shape | None) -> Size | None:
    """The multiplications of a convolution, a transposed one, an inner or a matrix product, as
    multiply-accumulate operations are counted; 0 of every other operator. None where sizes are not
    known, or their formula is too long.

    >>> from upconv.converters.ir.operators import Conv
    >>> conv = Conv(8, (3, 3), (1, 1), (1, 1), (1, 1), (1, 1))
    >>> products(Layer("conv", conv, ("x",), ("y",)), [(1, 3, 10, 20)], (1, 8, 10, 20))
    43200
    """
    kind = type(layer.operator)
    if isinstance(layer.operator, ops.Unknown) or (kind in PRODUCTS and y is None):
        return None
    if kind not in PRODUCTS:
        return 0
    known = [shape for shape in inputs if shape is not None]
    if len(known) < len(inputs) or y is None:
        return None
    try:
        return PRODUCTS[kind](layer.operator, known, y)
    except TooLongError:
        return None


def weight_sizes(layer: Layer, x: Shape | None) -> Iterator[tuple[Weight, int]]:
    """Each weight with how many numbers it has: of a missing one those that the shape of the
    layer's input asks for, 0 where nothing says it."""
    try:
        wanted = expected_weights(layer, x) if x is not None else {}
    except ShapeError:  # which inference tells
        wanted = {}
    for name, weight in layer.weights.items():
        size = multiply(wanted.get(name, (0,))) if weight.shape is None else weight.size
        yield weight, size if isinstance(size, int) else 0
