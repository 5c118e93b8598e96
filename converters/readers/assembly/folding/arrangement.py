"""Known arrays in other shapes, and parts of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from math import prod
from typing import Any

from upconv.converters.readers.assembly.folding import few
from upconv.converters.readers.assembly.folding.arrays import (
    MAX_VALUES,
    Array,
    NotFoldableError,
    by_either,
    require_small,
    shape_of,
    whole,
)
from upconv.converters.readers.assembly.folding.few import joint_shape


def numbers(array: Array) -> list[int]:
    """An array of whole numbers as a list; TypeError where one is a size that is open."""
    return [int(item) for item in array.reshape(-1).tolist()]


def number(array: Array) -> int:
    """An array of one whole number."""
    (found,) = numbers(array)
    return found


def unstacked(x: Array, axis: int) -> list[Array]:
    """The entries of an axis, which goes."""
    front: tuple[Any, ...] = (slice(None),) * (axis % x.ndim)
    return [x[(*front, at)] for at in range(x.shape[axis])]


def picked(x: Array, indices: Array, axis: int) -> Array:
    """Entries of an axis by their numbers; the axes of `indices` take its place."""
    rows = x.size // max(x.shape[axis], 1)
    require_small(rows, indices.size)
    return x.take(indices.astype("<i8"), axis)


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
    return x[tuple(index)]


def widened(x: Array, axes: Sequence[int]) -> Array:
    """The array with axes of size 1 at these places of the result."""
    rank = x.ndim + len(axes)
    if not all(-rank <= axis < rank for axis in axes):
        raise ValueError(f"axes {list(axes)} of {rank}")
    added = {axis % rank for axis in axes}
    rest = iter(x.shape)
    shape = [1 if axis in added else next(rest, 1) for axis in range(rank)]
    if len(added) < len(axes):
        raise ValueError(f"axes {list(axes)} of which two are one")
    return x.reshape(shape)


def flipped(x: Array, axes: Sequence[int]) -> Array:
    """The array with some axes backwards."""
    turned = {axis % x.ndim for axis in axes}
    return x[tuple(slice(None, None, -1 if at in turned else 1) for at in range(x.ndim))]


def joined(arrays: Sequence[Array], axis: int) -> Array:
    """Arrays behind each other along an axis."""
    return by_either("concatenate", arrays, axis)


def stacked(arrays: Sequence[Array], axis: int) -> Array:
    """Arrays as the entries of a new axis."""
    return joined([widened(array, (axis,)) for array in arrays], axis)


def split(x: Array, sizes: Sequence[int], axis: int) -> list[Array]:
    """Parts of an axis, of so many entries each."""
    if sum(sizes) != x.shape[axis]:
        raise ValueError(f"parts of {list(sizes)} from an axis of {x.shape[axis]}")
    front: tuple[Any, ...] = (slice(None),) * (axis % x.ndim)
    ends = [sum(sizes[: at + 1]) for at in range(len(sizes))]
    pairs = zip(ends, sizes, strict=True)
    return [x[(*front, slice(end - size, end))] for end, size in pairs]


def filled(sizes: Array, value: Array) -> Array:
    """A tensor of these sizes, every value the same; it takes no memory."""
    return repeated(value, shape_of(sizes))


def repeated(x: Array, shape: Sequence[int]) -> Array:
    """The array repeated along its axes of size 1."""
    return by_either("broadcast_to", [x], tuple(shape))


def expanded(x: Array, sizes: Array) -> Array:
    """The array repeated along its axes of size 1 to what NumPy's rule makes of both shapes."""
    shape = joint_shape(x.shape, shape_of(sizes))
    require_small(*shape)
    return repeated(x, shape)


def joint_shape_of(first: Array, second: Array) -> Array:
    """The shape that NumPy's rule makes of two."""
    return whole(joint_shape(shape_of(first), shape_of(second)))


def tiled(x: Array, counts: Array) -> Array:
    """The array beside itself so many times along each axis."""
    times = numbers(counts)
    if len(times) != x.ndim:
        raise ValueError(f"{len(times)} counts for {x.ndim} axes")
    require_small(x.size, *times)
    pairs = list(zip(times, x.shape, strict=True))
    apart = x.reshape([*chain.from_iterable((1, size) for size in x.shape)])
    return repeated(apart, [*chain.from_iterable(pairs)]).reshape([*map(prod, pairs)])


def spaced(start: Array, stop: Array, count: Array) -> Array:
    """So many numbers from `start` to `stop`, both included."""
    first, last, many = (array.reshape(-1).tolist()[0] for array in (start, stop, count))
    if many > MAX_VALUES:
        raise NotFoldableError("a range too long")
    import numpy as np

    return np.linspace(first, last, int(many)).astype(np.asarray(start).dtype)


def ranged(start: Array, limit: Array, step: Array) -> Array:
    """The numbers from `start` on, below `limit`."""
    first, last, by = (array.reshape(-1).tolist()[0] for array in (start, limit, step))
    if not all(isinstance(item, int | float) for item in (first, last, by)):
        raise NotFoldableError("a range that depends on the input's size")
    if (last - first) / by > MAX_VALUES:
        raise NotFoldableError("a range too long")
    if isinstance(start, few.Few) and all(isinstance(item, int) for item in (first, last, by)):
        listed = range(first, last, by)
        return few.made(listed, (len(listed),), "i8").astype(start.dtype.code)
    import numpy as np

    return np.arange(first, last, by).astype(np.asarray(start).dtype)
