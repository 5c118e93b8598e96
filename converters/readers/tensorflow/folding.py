"""Operations on what is known while the graph is read: shape arithmetic, and small constants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import numpy as np

from upconv.converters.ir.dims import Dim, Size
from upconv.converters.readers.assembly.folding.arrays import (
    Array,
    folded,
    is_symbolic,
    of_sizes,
    require_readable,
)
from upconv.converters.readers.assembly.table import Table
from upconv.converters.readers.tensorflow.graphdef import Node
from upconv.converters.readers.tensorflow.schema import DTYPES, DType
from upconv.converters.readers.tensorflow.values import Known

Fold: TypeAlias = Callable[[Node, list[Array]], "Array | list[Array]"]

FOLDS: Final[Table[Fold]] = Table("upconv.converters.readers.tensorflow", "folds_")
"""Operation -> what it makes of known tensors."""

folds = FOLDS.enters

INT64: Final = DTYPES[9]
FLOAT: Final = DTYPES[1]
_KINDS: Final = {"f": FLOAT, "b": DTYPES[10]}


def fold(node: Node, inputs: Sequence[Known]) -> tuple[Known, ...]:
    """The outputs of a node on known inputs.

    Raises NotFoldableError where they cannot be known, and UnreadableError where the inputs do
    not fit the operation.
    """
    require_readable(entry.shape for entry in inputs)
    arrays = [entry.array() for entry in inputs]
    made = folded(node.op, arrays, lambda given: FOLDS[node.op](node, given), node.fail)
    return tuple(map(_known, made))


def _known(array: Array) -> Known:
    if is_symbolic(array) and any(isinstance(item, bytes) for item in array.reshape(-1)):
        return Known(DTYPES[7], array.shape, values=array)
    return Known(_KINDS.get(array.dtype.kind, INT64), array.shape, values=array)


def sizes_as_known(sizes: Sequence[Size], dtype: DType = INT64) -> Known:
    """Sizes as a one-dimensional tensor."""
    return Known(dtype, (len(sizes),), values=of_sizes(sizes))


def scalar(size: Size) -> Known:
    """A size as a tensor without axes."""
    return Known(INT64, (), values=of_sizes((size,)).reshape(()))


def numbers_of(entry: Known, known: Callable[[Size], Size]) -> Known:
    """Sizes as the numbers that they are for the model's inputs, where they are numbers."""
    if not entry.is_symbolic:
        return entry
    sizes = entry.array().reshape(-1).tolist()
    found = [known(size) if isinstance(size, Dim) else size for size in sizes]
    if not all(isinstance(size, int) for size in found):
        return entry
    values = np.array(found, np.int64).reshape(entry.shape)
    return Known(entry.dtype, entry.shape, values=values)


def placeholder_of(shape: tuple[int, ...]) -> Known:
    """A tensor of which only the shape is true; it takes no memory."""
    return Known(FLOAT, shape, values=np.broadcast_to(np.float32(1), shape))
