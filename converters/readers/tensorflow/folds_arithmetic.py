"""Arithmetic on known tensors, under TensorFlow's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from upconv.converters.readers.assembly.folding import elementwise
from upconv.converters.readers.assembly.folding.arrangement import numbers
from upconv.converters.readers.assembly.folding.arrays import Array
from upconv.converters.readers.tensorflow.folding import folds
from upconv.converters.readers.tensorflow.graphdef import Node

_BINARY: Final[Mapping[str, str]] = {
    "Add": "add",
    "AddV2": "add",
    "Sub": "subtract",
    "Mul": "multiply",
    "RealDiv": "true_divide",
    "Div": "divide",
    "TruncateDiv": "divide",
    "FloorDiv": "floor_divide",
    "FloorMod": "mod",
    "Mod": "mod",
    "Maximum": "maximum",
    "Minimum": "minimum",
    "Pow": "power",
    "SquaredDifference": "squared_difference",
    "Equal": "equal",
    "NotEqual": "not_equal",
    "Greater": "greater",
    "GreaterEqual": "greater_equal",
    "Less": "less",
    "LessEqual": "less_equal",
    "LogicalAnd": "logical_and",
    "LogicalOr": "logical_or",
}
_UNARY: Final[Mapping[str, str]] = {
    "Neg": "negative",
    "Abs": "absolute",
    "Sqrt": "sqrt",
    "Rsqrt": "rsqrt",
    "Square": "square",
    "Exp": "exp",
    "Log": "log",
    "Log1p": "log1p",
    "Floor": "floor",
    "Ceil": "ceil",
    "Round": "round",
    "Sign": "sign",
    "Tanh": "tanh",
    "Sin": "sin",
    "Cos": "cos",
    "Expm1": "expm1",
    "Reciprocal": "reciprocal",
    "Inv": "reciprocal",
    "Sigmoid": "sigmoid",
    "Softplus": "softplus",
    "Relu": "relu",
    "LogicalNot": "logical_not",
    "ZerosLike": "zeros_like",
    "OnesLike": "ones_like",
}


@folds(*_BINARY)
def _binary(node: Node, arrays: list[Array]) -> Array:
    """Div divides truly what are floats, which a size no longer tells."""
    a, b = arrays
    truly = node.op == "Div" and node.dtype("T").kind == "float"
    return elementwise.binary("true_divide" if truly else _BINARY[node.op], a, b)


@folds(*_UNARY)
def _unary(node: Node, arrays: list[Array]) -> Array:
    (x,) = arrays
    return elementwise.unary(_UNARY[node.op], x)


@folds("Cast")
def _cast(node: Node, arrays: list[Array]) -> Array:
    wanted = node.dtype("DstT")
    if not wanted.numpy or wanted.name == "bfloat16":
        return arrays[0]
    return elementwise.cast(arrays[0], wanted.numpy)


@folds("Select", "SelectV2")
def _select(node: Node, arrays: list[Array]) -> Array:
    """Select takes a vector for one condition per entry of the first axis; SelectV2 broadcasts."""
    condition, yes, no = arrays
    if node.op == "Select" and condition.ndim == 1:
        condition = condition.reshape(-1, *[1] * (yes.ndim - 1))
    return elementwise.where(condition, yes, no)


@folds("Prod", "Sum", "Max", "Min", "Mean", "All", "Any")
def _reduce(node: Node, arrays: list[Array]) -> Array:
    x, axes = arrays
    over = tuple(numbers(axes))
    return elementwise.reduced(node.op.lower(), x, over, keepdims=node.flag("keep_dims"))
