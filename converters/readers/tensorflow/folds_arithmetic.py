"""Arithmetic on known tensors, sizes among them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from upconv.converters.ir.dims import Dim, maximum, minimum
from upconv.converters.readers.tensorflow.folding import Array, NotFoldableError, folds, objects
from upconv.converters.readers.tensorflow.graphdef import Node
from upconv.converters.readers.tensorflow.values import MAX_VALUES


def _quotient(a: Any, b: Any) -> Any:
    """A division that must come out even, of sizes; a true one of numbers."""
    if isinstance(a, Dim | int) and isinstance(b, Dim | int):
        whole = a // b
        if whole * b == a:
            return whole
    raise NotFoldableError("a size divided by another, with a fraction")


def _modulo(a: Any, b: Any) -> Any:
    return a - a // b * b


def _compare(test: Callable[[int], bool]) -> Callable[[Any, Any], bool]:
    def compare(a: Any, b: Any) -> bool:
        difference = a - b
        if not isinstance(difference, int | float):
            raise NotFoldableError("a comparison that depends on the input's size")
        return test(difference)  # type: ignore[arg-type]

    return compare


_SIZES: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "RealDiv": _quotient,
    "Div": _quotient,
    "FloorMod": _modulo,
    "Mod": _modulo,
    "TruncateDiv": lambda a, b: a // b,
    "Maximum": maximum,
    "Minimum": minimum,
    "Equal": _compare(lambda d: d == 0),
    "NotEqual": _compare(lambda d: d != 0),
    "Greater": _compare(lambda d: d > 0),
    "GreaterEqual": _compare(lambda d: d >= 0),
    "Less": _compare(lambda d: d < 0),
    "LessEqual": _compare(lambda d: d <= 0),
}
"""What NumPy's functions cannot do to sizes."""


def _divide(a: Array, b: Array) -> Array:
    """Div is a true division of floats and, of whole numbers, one that rounds to zero."""
    if a.dtype.kind in "iu" and b.dtype.kind in "iu":
        return np.asarray(np.trunc(np.true_divide(a, b)), a.dtype)
    return np.asarray(np.true_divide(a, b))


_BINARY: Final[Mapping[str, Callable[..., Any]]] = {
    **dict.fromkeys(("Add", "AddV2"), np.add),
    "Sub": np.subtract,
    "Mul": np.multiply,
    "RealDiv": np.true_divide,
    "Div": _divide,
    "TruncateDiv": _divide,
    "FloorDiv": np.floor_divide,
    "FloorMod": np.mod,
    "Mod": np.mod,
    "Maximum": np.maximum,
    "Minimum": np.minimum,
    "Pow": np.power,
    "SquaredDifference": lambda a, b: np.square(a - b),
    "Equal": np.equal,
    "NotEqual": np.not_equal,
    "Greater": np.greater,
    "GreaterEqual": np.greater_equal,
    "Less": np.less,
    "LessEqual": np.less_equal,
    "LogicalAnd": np.logical_and,
    "LogicalOr": np.logical_or,
}


@folds(*_BINARY)
def _binary(node: Node, arrays: list[Array]) -> Array:
    a, b = arrays
    shape = np.broadcast_shapes(a.shape, b.shape)
    if int(np.prod(shape, dtype=object)) > MAX_VALUES:
        raise NotFoldableError(f"constants that make {shape}")
    if object in (a.dtype, b.dtype) and node.op in _SIZES:
        return np.asarray(np.frompyfunc(_SIZES[node.op], 2, 1)(a, b), object)
    result = np.asarray(_BINARY[node.op](a, b))
    return result.astype(a.dtype) if result.dtype.kind == "f" and a.dtype == b.dtype else result


_UNARY: Final[Mapping[str, Callable[..., Any]]] = {
    "Neg": np.negative,
    "Abs": np.abs,
    "Sqrt": np.sqrt,
    "Rsqrt": lambda x: 1 / np.sqrt(x),
    "Square": np.square,
    "Exp": np.exp,
    "Log": np.log,
    "Log1p": np.log1p,
    "Floor": np.floor,
    "Ceil": np.ceil,
    "Round": np.round,
    "Sign": np.sign,
    "Tanh": np.tanh,
    "Sin": np.sin,
    "Cos": np.cos,
    "Expm1": np.expm1,
    "Reciprocal": lambda x: 1 / x,
    "Inv": lambda x: 1 / x,
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "Softplus": lambda x: np.logaddexp(x, 0),
    "Relu": lambda x: np.maximum(x, 0),
    "LogicalNot": np.logical_not,
    "ZerosLike": np.zeros_like,
    "OnesLike": np.ones_like,
}
_KEEP_SIZES: Final = frozenset({"Neg", "Square", "Floor", "Ceil", "Round"})


@folds(*_UNARY)
def _unary(node: Node, arrays: list[Array]) -> Array:
    (x,) = arrays
    if x.dtype != object:
        return np.asarray(_UNARY[node.op](x)).astype(x.dtype if x.dtype.kind == "f" else None)
    if node.op not in _KEEP_SIZES:
        raise NotFoldableError(f"{node.op} of a size")
    return x if node.op in ("Floor", "Ceil", "Round") else np.asarray(_UNARY[node.op](x))


@folds("Cast")
def _cast(node: Node, arrays: list[Array]) -> Array:
    wanted = node.dtype("DstT")
    if arrays[0].dtype == object or not wanted.numpy or wanted.name == "bfloat16":
        return arrays[0]
    return arrays[0].astype(np.dtype(wanted.numpy))


@folds("Select", "SelectV2")
def _select(node: Node, arrays: list[Array]) -> Array:
    """Select takes a vector for one condition per entry of the first axis; SelectV2 broadcasts."""
    condition, yes, no = arrays
    if node.op == "Select" and condition.ndim == 1:
        condition = condition.reshape(-1, *[1] * (yes.ndim - 1))
    return np.where(condition.astype(bool), yes, no)


_REDUCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "Prod": np.multiply.reduce,
    "Sum": np.add.reduce,
    "Max": np.max,
    "Min": np.min,
    "Mean": np.mean,
    "All": np.all,
    "Any": np.any,
}


@folds(*_REDUCTIONS)
def _reduce(node: Node, arrays: list[Array]) -> Array:
    x, axes = arrays
    over = tuple(int(axis) for axis in axes.reshape(-1))
    if x.dtype == object and node.op not in ("Prod", "Sum"):
        raise NotFoldableError(f"{node.op} of sizes")
    if x.dtype == object and not over:
        return x
    made = _REDUCTIONS[node.op](x, axis=over, keepdims=node.flag("keep_dims"))
    if x.dtype != object:
        return np.asarray(made, x.dtype if x.dtype.kind == "f" else None)
    return made if isinstance(made, np.ndarray) else np.array(objects([made])[0], object)
