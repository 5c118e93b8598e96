"""Known tensors in other shapes, under TensorFlow's names and by its arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from upconv.converters.readers.assembly.folding import arrangement
from upconv.converters.readers.assembly.folding.arrangement import number, numbers
from upconv.converters.readers.assembly.folding.arrays import Array, NotFoldableError, shape_of
from upconv.converters.readers.tensorflow.folding import folds
from upconv.converters.readers.tensorflow.graphdef import Node
from upconv.converters.readers.tensorflow.slices import index_of

_OF_ARRAYS: Final[Mapping[str, Callable[..., Array]]] = {
    "Reshape": lambda x, sizes: x.reshape(numbers(sizes)),
    "Transpose": lambda x, order: x.transpose(numbers(order)),
    "ExpandDims": lambda x, axis: arrangement.widened(x, (number(axis),)),
    "ReverseV2": lambda x, axes: arrangement.flipped(x, numbers(axes)),
    "Fill": arrangement.filled,
    "BroadcastTo": lambda x, sizes: arrangement.repeated(x, shape_of(sizes)),
    "BroadcastArgs": arrangement.joint_shape_of,
    "Tile": arrangement.tiled,
    "LinSpace": arrangement.spaced,
    "Range": arrangement.ranged,
}
"""What operations without attributes make of their inputs."""


@folds(*_OF_ARRAYS)
def _of_arrays(node: Node, arrays: list[Array]) -> Array:
    return _OF_ARRAYS[node.op](*arrays)


@folds("Squeeze")
def _squeeze(node: Node, arrays: list[Array]) -> Array:
    axes = node.integers("squeeze_dims")
    return arrays[0].squeeze(tuple(axes) or None)


@folds("Pack")
def _pack(node: Node, arrays: list[Array]) -> Array:
    return arrangement.stacked(arrays, node.integer("axis"))


@folds("Unpack")
def _unpack(node: Node, arrays: list[Array]) -> list[Array]:
    return arrangement.unstacked(arrays[0], node.integer("axis"))


@folds("ConcatV2")
def _concat_v2(node: Node, arrays: list[Array]) -> Array:
    return arrangement.joined(arrays[:-1], number(arrays[-1]))


@folds("Concat")
def _concat(node: Node, arrays: list[Array]) -> Array:
    return arrangement.joined(arrays[1:], number(arrays[0]))


@folds("Split")
def _split(node: Node, arrays: list[Array]) -> list[Array]:
    axis, x, count = number(arrays[0]), arrays[1], node.integer("num_split", 1)
    return arrangement.split(x, [x.shape[axis] // count] * count, axis)


@folds("Slice")
def _slice(node: Node, arrays: list[Array]) -> Array:
    """A size of -1 is all that is left."""
    x, begin, size = arrays
    first, many = numbers(begin), numbers(size)
    ends = [None if n == -1 else b + n for b, n in zip(first, many, strict=True)]
    return arrangement.sliced(x, first, ends)


@folds("StridedSlice")
def _strided(node: Node, arrays: list[Array]) -> Array:
    x, begin, end, strides = arrays
    return x[index_of(node, x.ndim, *map(numbers, (begin, end, strides)))]


@folds("Gather", "GatherV2")
def _gather(node: Node, arrays: list[Array]) -> Array:
    if node.integer("batch_dims"):
        raise NotFoldableError("entries picked for each sample of a batch")
    x, indices, *axis = arrays
    return arrangement.picked(x, indices, number(axis[0]) if axis else 0)
