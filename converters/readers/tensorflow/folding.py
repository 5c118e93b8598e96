"""Operations on what is known while the graph is read: shape arithmetic, and small constants.

Arrays of whole numbers that depend on the network's input hold sizes (`dims.Dim`) as objects;
NumPy's own functions work on them element by element.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from converters.dims import Dim, Size, maximum, minimum
from converters.errors import UnsupportedError
from converters.readers.tensorflow.graphdef import Node
from converters.readers.tensorflow.schema import DTYPES, DType
from converters.readers.tensorflow.values import MAX_VALUES, Known

Array: TypeAlias = NDArray[Any]
Fold: TypeAlias = Callable[[Node, list[Array]], "Array | list[Array]"]

FOLDS: Final[dict[str, Fold]] = {}
"""Operation -> what it makes of known tensors."""

MAX_TERMS: Final = 400
INT64: Final = DTYPES[9]
BOOL: Final = DTYPES[10]
FLOAT: Final = DTYPES[1]


class NotFoldableError(UnsupportedError):
    """The result cannot be known now."""


def folds(*operations: str) -> Callable[[Fold], Fold]:
    """Decorator: the function computes these operations. A second one raises."""

    def enter(function: Fold) -> Fold:
        for name in operations:
            if name in FOLDS:
                raise ValueError(f"{name} is folded twice")
            FOLDS[name] = function
        return function

    return enter


def fold(node: Node, inputs: Sequence[Known]) -> tuple[Known, ...]:
    """The outputs of a node on known inputs.

    Raises NotFoldableError where they cannot be known, and UnreadableError where the inputs do
    not fit the operation.
    """
    arrays = [entry.array() for entry in inputs]
    if any(entry.is_symbolic for entry in inputs):
        arrays = [_as_objects(array) for array in arrays]
    try:
        with np.errstate(all="ignore"):
            results = FOLDS[node.op](node, arrays)
    except TypeError as error:  # a size that is open where NumPy needs a number
        if any(entry.is_symbolic for entry in inputs):
            raise NotFoldableError(f"{node.op} by the input's size") from None
        raise node.fail(f"{node.op} does not fit its constant inputs: {error}") from None
    except (ValueError, IndexError, ZeroDivisionError, OverflowError) as error:
        raise node.fail(f"{node.op} does not fit its constant inputs: {error}") from None
    many = results if isinstance(results, list) else [results]
    return tuple(_result(node, np.asarray(array)) for array in many)


def _result(node: Node, array: Array) -> Known:
    if array.size > MAX_VALUES:
        raise NotFoldableError(f"constants that make {array.size} values")
    if array.dtype == object:
        return known_sizes(node, array)
    kinds = {"f": FLOAT, "b": BOOL}
    dtype = kinds.get(array.dtype.kind, INT64)
    return Known(dtype, array.shape, values=array)


def known_sizes(node: Node, array: Array) -> Known:
    """An array of sizes as a known tensor, of plain numbers where it can be."""
    items = array.reshape(-1).tolist()
    if any(isinstance(item, bytes) for item in items):
        return Known(DTYPES[7], array.shape, values=array)
    for item in items:
        _require_simple(node, item)
    if all(isinstance(item, int) for item in items):
        return Known(INT64, array.shape, values=np.array(items, np.int64).reshape(array.shape))
    return Known(INT64, array.shape, values=array)


def _require_simple(node: Node, item: object) -> None:
    """Sizes of real networks are short; made-up ones may double with every node."""
    if isinstance(item, int):
        if not -(1 << 63) <= item < 1 << 63:
            raise node.fail(f"computes a number of {item.bit_length()} bits")
    elif not isinstance(item, Dim):
        raise NotFoldableError(f"a size that is {type(item).__name__}")
    elif _terms(item, MAX_TERMS) <= 0:
        raise NotFoldableError("a size whose formula is too long")


def _terms(size: Size, left: int) -> int:
    """What is left of a budget after counting the terms of a size."""
    from converters.dims import Extreme, Product, Quotient

    if isinstance(size, int) or left <= 0:
        return left - 1
    for atom, _ in size.terms:
        left -= 1
        parts: tuple[Size, ...] = ()
        if isinstance(atom, Quotient):
            parts = (atom.numerator, atom.divisor)
        elif isinstance(atom, Extreme):
            parts = atom.arguments
        elif isinstance(atom, Product):
            parts = atom.factors
        for part in parts:
            left = _terms(part, left)
    return left


def _as_objects(array: Array) -> Array:
    """Plain Python numbers, which sizes can be added to; whole floats become integers."""
    if array.dtype == object:
        return array
    items = [
        int(item) if isinstance(item, float) and item.is_integer() else item
        for item in array.reshape(-1).tolist()
    ]
    made = np.empty(len(items), object)
    made[:] = items
    return made.reshape(array.shape)


def objects(items: Sequence[Any]) -> Array:
    """A one-dimensional array of sizes."""
    made = np.empty(len(items), object)
    made[:] = list(items)
    return made


# Arithmetic


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
    "Reciprocal": lambda x: 1 / x,
    "Inv": lambda x: 1 / x,
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "Softplus": lambda x: np.log1p(np.exp(x)),
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
    return np.where(arrays[0].astype(bool), arrays[1], arrays[2])


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


# Arrangement


@folds("Reshape")
def _reshape(node: Node, arrays: list[Array]) -> Array:
    return arrays[0].reshape([int(size) for size in arrays[1].reshape(-1)])


@folds("Transpose")
def _transpose(node: Node, arrays: list[Array]) -> Array:
    return arrays[0].transpose([int(axis) for axis in arrays[1]])


@folds("Squeeze")
def _squeeze(node: Node, arrays: list[Array]) -> Array:
    axes = node.integers("squeeze_dims")
    return np.squeeze(arrays[0], axis=axes or None)


@folds("ExpandDims")
def _expand(node: Node, arrays: list[Array]) -> Array:
    return np.expand_dims(arrays[0], int(arrays[1].reshape(-1)[0]))


@folds("Pack")
def _pack(node: Node, arrays: list[Array]) -> Array:
    return np.stack(arrays, axis=node.integer("axis"))


@folds("Unpack")
def _unpack(node: Node, arrays: list[Array]) -> list[Array]:
    axis = node.integer("axis")
    return [arrays[0].take(index, axis) for index in range(arrays[0].shape[axis])]


@folds("ConcatV2")
def _concat_v2(node: Node, arrays: list[Array]) -> Array:
    return np.concatenate(arrays[:-1], axis=int(arrays[-1]))


@folds("Concat")
def _concat(node: Node, arrays: list[Array]) -> Array:
    return np.concatenate(arrays[1:], axis=int(arrays[0]))


@folds("Split")
def _split(node: Node, arrays: list[Array]) -> list[Array]:
    return np.split(arrays[1], node.integer("num_split", 1), axis=int(arrays[0]))


@folds("Slice")
def _slice(node: Node, arrays: list[Array]) -> Array:
    x, begin, size = arrays
    box = zip(begin.tolist(), size.tolist(), strict=True)
    return x[tuple(slice(int(b), None if n == -1 else int(b) + int(n)) for b, n in box)]


@folds("StridedSlice")
def _strided(node: Node, arrays: list[Array]) -> Array:
    from converters.readers.tensorflow.slices import index_of

    x, begin, end, strides = arrays
    bounds = ([int(item) for item in part] for part in (begin, end, strides))
    return np.asarray(x[index_of(node, x.ndim, *bounds)])


@folds("Gather", "GatherV2")
def _gather(node: Node, arrays: list[Array]) -> Array:
    axis = int(arrays[2]) if len(arrays) > 2 else 0
    return np.take(arrays[0], arrays[1].astype(np.int64), axis=axis)


@folds("Fill")
def _fill(node: Node, arrays: list[Array]) -> Array:
    return np.broadcast_to(arrays[1], _bounded(arrays[0]))


@folds("BroadcastTo")
def _broadcast(node: Node, arrays: list[Array]) -> Array:
    return np.broadcast_to(arrays[0], _bounded(arrays[1]))


def _bounded(sizes: Array) -> tuple[int, ...]:
    if any(not isinstance(size, int) for size in sizes.tolist()):
        raise NotFoldableError("a tensor as large as the input")
    shape = tuple(int(size) for size in sizes)
    if int(np.prod(shape, dtype=object)) > MAX_VALUES:
        raise NotFoldableError(f"a constant of the shape {shape}")
    return shape


@folds("Tile")
def _tile(node: Node, arrays: list[Array]) -> Array:
    _bounded(np.asarray(arrays[0].shape, object) * _as_objects(arrays[1]))
    return np.tile(arrays[0], [int(count) for count in arrays[1]])


@folds("Range")
def _range(node: Node, arrays: list[Array]) -> Array:
    start, limit, step = (array.reshape(-1).tolist()[0] for array in arrays)
    if not all(isinstance(item, int | float) for item in (start, limit, step)):
        raise NotFoldableError("a range that depends on the input's size")
    if (limit - start) / step > MAX_VALUES:
        raise NotFoldableError("a range too long")
    return np.arange(start, limit, step).astype(arrays[0].dtype)


def shape_of_known(entry: Known) -> Known:
    """The shape of a known tensor, as a tensor."""
    return Known(INT64, (len(entry.shape),), values=np.array(entry.shape, np.int64))


def sizes_as_known(sizes: Sequence[Size], dtype: DType = INT64) -> Known:
    """Sizes as a one-dimensional tensor."""
    if all(isinstance(size, int) for size in sizes):
        return Known(dtype, (len(sizes),), values=np.array(sizes, np.int64))
    return Known(dtype, (len(sizes),), values=objects(sizes))


def scalar(size: Size) -> Known:
    """A size as a tensor without axes."""
    one = sizes_as_known((size,))
    return Known(INT64, (), values=one.array().reshape(()))


def placeholder_of(shape: tuple[int, ...]) -> Known:
    """A tensor of which only the shape is true; it takes no memory."""
    return Known(FLOAT, shape, values=np.broadcast_to(np.float32(1), shape))
