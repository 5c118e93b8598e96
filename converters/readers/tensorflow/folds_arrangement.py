"""Known tensors in other shapes."""

from __future__ import annotations

import numpy as np

from upconv.converters.readers.tensorflow.folding import Array, NotFoldableError, as_objects, folds
from upconv.converters.readers.tensorflow.graphdef import Node
from upconv.converters.readers.tensorflow.slices import index_of
from upconv.converters.readers.tensorflow.values import MAX_VALUES


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
    x, begin, end, strides = arrays
    bounds = ([int(item) for item in part] for part in (begin, end, strides))
    return np.asarray(x[index_of(node, x.ndim, *bounds)])


@folds("Gather", "GatherV2")
def _gather(node: Node, arrays: list[Array]) -> Array:
    if node.integer("batch_dims"):
        raise NotFoldableError("entries picked for each sample of a batch")
    axis = int(arrays[2]) if len(arrays) > 2 else 0
    rows = arrays[0].size // max(arrays[0].shape[axis], 1)
    if rows * arrays[1].size > MAX_VALUES:
        raise NotFoldableError(f"constants that make {rows * arrays[1].size} values")
    return np.take(arrays[0], arrays[1].astype(np.int64), axis=axis)


@folds("ReverseV2")
def _reverse(node: Node, arrays: list[Array]) -> Array:
    return np.flip(arrays[0], tuple(int(axis) for axis in arrays[1].reshape(-1)))


@folds("Fill")
def _fill(node: Node, arrays: list[Array]) -> Array:
    return np.broadcast_to(arrays[1], _bounded(arrays[0]))


@folds("BroadcastTo")
def _broadcast(node: Node, arrays: list[Array]) -> Array:
    return np.broadcast_to(arrays[0], _bounded(arrays[1]))


@folds("BroadcastArgs")
def _broadcast_sizes(node: Node, arrays: list[Array]) -> Array:
    first, second = (_bounded(sizes) for sizes in arrays)
    return np.array(np.broadcast_shapes(first, second), np.int64)


def _bounded(sizes: Array) -> tuple[int, ...]:
    if any(not isinstance(size, int) for size in sizes.tolist()):
        raise NotFoldableError("a tensor as large as the input")
    shape = tuple(int(size) for size in sizes)
    if int(np.prod(shape, dtype=object)) > MAX_VALUES:
        raise NotFoldableError(f"a constant of the shape {shape}")
    return shape


@folds("Tile")
def _tile(node: Node, arrays: list[Array]) -> Array:
    _bounded(np.asarray(arrays[0].shape, object) * as_objects(arrays[1]))
    return np.tile(arrays[0], [int(count) for count in arrays[1]])


@folds("LinSpace")
def _spaced(node: Node, arrays: list[Array]) -> Array:
    start, stop, count = (array.reshape(-1)[0] for array in arrays)
    if count > MAX_VALUES:
        raise NotFoldableError("a range too long")
    return np.linspace(start, stop, int(count)).astype(arrays[0].dtype)


@folds("Range")
def _range(node: Node, arrays: list[Array]) -> Array:
    start, limit, step = (array.reshape(-1).tolist()[0] for array in arrays)
    if not all(isinstance(item, int | float) for item in (start, limit, step)):
        raise NotFoldableError("a range that depends on the input's size")
    if (limit - start) / step > MAX_VALUES:
        raise NotFoldableError("a range too long")
    return np.arange(start, limit, step).astype(arrays[0].dtype)
