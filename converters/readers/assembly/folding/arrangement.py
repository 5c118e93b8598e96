"""Known arrays in other shapes, and parts of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from upconv.converters.readers.assembly.folding.arrays import (
    MAX_VALUES,
    Array,
    NotFoldableError,
    require_small,
    shape_of,
)


def numbers(array: Array) -> list[int]:
    """An array of whole numbers as a list; TypeError where one is a size that is open."""
    return [int(item) for item in array.reshape(-1)]


def number(array: Array) -> int:
    """An array of one whole number."""
    (found,) = numbers(array)
    return found


def unstacked(x: Array, axis: int) -> list[Array]:
    """The entries of an axis, which goes."""
    return [np.asarray(x.take(index, axis), x.dtype) for index in range(x.shape[axis])]


def picked(x: Array, indices: Array, axis: int) -> Array:
    """Entries of an axis by their numbers; the axes of `indices` take its place."""
    rows = x.size // max(x.shape[axis], 1)
    require_small(rows, indices.size)
    return np.asarray(np.take(x, indices.astype(np.int64), axis=axis), x.dtype)


def sliced(
    x: Array,
    begin: Sequence[int],
    end: Sequence[int | None],
    axes: Sequence[int] | None = None,
    steps: Sequence[int] | None = None,
) -> Array:
    """x[begin:end:step] along some axes, all from the first on where none are named."""
    index: list[Any] = [slice(None)] * x.ndim
    named = range(len(begin)) if axes is None else axes
    for axis, *bounds in zip(named, begin, end, steps or [1] * len(begin), strict=True):
        index[axis] = slice(*bounds)
    return np.asarray(x[tuple(index)])


def filled(sizes: Array, value: Array) -> Array:
    """A tensor of these sizes, every value the same; it takes no memory."""
    return np.broadcast_to(value, shape_of(sizes))


def expanded(x: Array, sizes: Array) -> Array:
    """The array repeated along its axes of size 1 to what NumPy's rule makes of both shapes."""
    shape = np.broadcast_shapes(x.shape, shape_of(sizes))
    require_small(*shape)
    return np.broadcast_to(x, shape)


def joint_shape(first: Array, second: Array) -> Array:
    """The shape that NumPy's rule makes of two."""
    return np.array(np.broadcast_shapes(shape_of(first), shape_of(second)), np.int64)


def tiled(x: Array, counts: Array) -> Array:
    """The array beside itself so many times along each axis."""
    times = numbers(counts)
    if len(times) != x.ndim:
        raise ValueError(f"{len(times)} counts for {x.ndim} axes")
    require_small(x.size, *times)
    return np.tile(x, times)


def spaced(start: Array, stop: Array, count: Array) -> Array:
    """So many numbers from `start` to `stop`, both included."""
    first, last, many = (array.reshape(-1)[0] for array in (start, stop, count))
    if many > MAX_VALUES:
        raise NotFoldableError("a range too long")
    return np.linspace(first, last, int(many)).astype(start.dtype)


def ranged(start: Array, limit: Array, step: Array) -> Array:
    """The numbers from `start` on, below `limit`."""
    first, last, by = (array.reshape(-1).tolist()[0] for array in (start, limit, step))
    if not all(isinstance(item, int | float) for item in (first, last, by)):
        raise NotFoldableError("a range that depends on the input's size")
    if (last - first) / by > MAX_VALUES:
        raise NotFoldableError("a range too long")
    return np.arange(first, last, by).astype(start.dtype)
