"""Operations on what is known while the graph is read: shape arithmetic, and small constants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from upconv.converters.ir.dims import Size
from upconv.converters.readers.assembly.folding.arrays import (
    Array,
    folded,
    is_symbolic,
    require_readable,
)
from upconv.converters.readers.assembly.known import Known, known_of, settled
from upconv.converters.readers.assembly.table import Table
from upconv.converters.readers.tensorflow.graphdef import Node

Fold: TypeAlias = Callable[[Node, list[Array]], "Array | list[Array]"]

FOLDS: Final[Table[Fold]] = Table("upconv.converters.readers.tensorflow", "folds_")
"""Operation -> what it makes of known tensors."""

folds = FOLDS.enters


def fold(
    node: Node, inputs: Sequence[Known], settle: Callable[[Size], Size] = lambda size: size
) -> tuple[Known, ...]:
    """The outputs of a node on known inputs, sizes taken as `settle` has them.

    Raises NotFoldableError where they cannot be known, and UnreadableError where the inputs do
    not fit the operation.
    """
    require_readable(entry.shape for entry in inputs)
    arrays = [settled(entry.array(), settle) for entry in inputs]
    made = folded(node.op, arrays, lambda given: FOLDS[node.op](node, given), node.fail)
    return tuple(map(_known, made))


def _known(array: Array) -> Known:
    if is_symbolic(array) and any(isinstance(item, bytes) for item in array.reshape(-1).tolist()):
        return Known("other", array.shape, values=array)
    return known_of(array, "int")


def placeholder_of(shape: tuple[int, ...]) -> Known:
    """A tensor of which only the shape is true; it takes no memory."""
    import numpy as np

    return known_of(np.broadcast_to(np.float32(1), shape))
