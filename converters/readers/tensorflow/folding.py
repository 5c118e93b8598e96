"""Operations on what is known while the graph is read: shape arithmetic, and small constants.

Arrays of whole numbers that depend on the network's input hold sizes (`dims.Dim`) as objects;
NumPy's own functions work on them element by element.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir.dims import Dim, Extreme, Product, Quotient, Size
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.readers.assembly.table import Table
from upconv.converters.readers.tensorflow.graphdef import Node
from upconv.converters.readers.tensorflow.schema import DTYPES, DType
from upconv.converters.readers.tensorflow.values import MAX_VALUES, Known

Array: TypeAlias = NDArray[Any]
Fold: TypeAlias = Callable[[Node, list[Array]], "Array | list[Array]"]

FOLDS: Final[Table[Fold]] = Table("upconv.converters.readers.tensorflow", "folds_")
"""Operation -> what it makes of known tensors."""

MAX_TERMS: Final = 400
INT64: Final = DTYPES[9]
BOOL: Final = DTYPES[10]
FLOAT: Final = DTYPES[1]


folds = FOLDS.enters


class NotFoldableError(UnsupportedError):
    """The result cannot be known now."""


def fold(node: Node, inputs: Sequence[Known]) -> tuple[Known, ...]:
    """The outputs of a node on known inputs.

    Raises NotFoldableError where they cannot be known, and UnreadableError where the inputs do
    not fit the operation.
    """
    if sum(prod(entry.shape) for entry in inputs) > 2 * MAX_VALUES:
        raise NotFoldableError("constants too large to be computed with")
    arrays = [entry.array() for entry in inputs]
    if any(entry.is_symbolic for entry in inputs):
        arrays = [as_objects(array) for array in arrays]
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


def as_objects(array: Array) -> Array:
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
