"""Entries of an axis picked by their numbers, and by slices that run forwards or backwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, ceil_div, maximum, minimum

MAX_PICKED: Final = 1 << 16
"""Entries that are named one by one."""


def backwards(size: Size, start: Size | None, stop: Size | None, step: int) -> tuple[Size, Size]:
    """(first, count) of `[start:stop:step]` for a negative step, as Python reads it: a negative
    bound counts from the end, and none lies outside.

    >>> backwards(9, None, None, -1), backwards(9, 7, 1, -2), backwards(4, -2, -9, -2)
    ((8, 9), (7, 3), (2, 2))
    """
    first = _bound(size, start, size - 1)
    end = _bound(size, stop, -1)
    return first, maximum(ceil_div(first - end, -step), 0)


def _bound(size: Size, bound: Size | None, default: Size) -> Size:
    """Between -1, before the first entry, and the last entry."""
    if bound is None:
        return default
    found: Size = size - 1
    if isinstance(bound, int) and bound < 0:
        found = maximum(size + bound, -1)
    elif bound != size:
        found = minimum(bound, size - 1)
    return found


def cut(
    axis: int,
    size: Size,
    bounds: tuple[Size | None, Size | None, int],
    known: Callable[[Size], Size],
) -> ops.Operator | None:
    """`[begin:end:step]` of an axis of that size, as Python reads it; None where it is all of it.
    `known` says a size in the inputs' symbols."""
    begin, end, step = bounds
    if step > 0:
        start = 0 if begin is None else _inside(begin, size, known)
        stop = size if end is None else _inside(end, size, known)
        length = maximum(ceil_div(stop - start, step), 0)
    else:
        last = size - 1
        start = last if begin is None else minimum(_inside(begin, size, known), last)
        stop = -1 if end is None else _before(end, size, known)
        length = maximum(ceil_div(start - stop, -step), 0)
    if step != 1:
        return ops.StridedSlice(axis, start, length, step)
    if known(start) == 0 and known(length - size) == 0:
        return None
    return ops.Crop(axis, (start,), (length,))


def _before(bound: Size, size: Size, known: Callable[[Size], Size]) -> Size:
    """The end of a walk backwards, which may lie before the first entry."""
    if isinstance(bound, int) and isinstance(size, int):
        return max(bound + size, -1) if bound < 0 else min(bound, size - 1)
    return _inside(bound, size, known)


def _inside(bound: Size, size: Size, known: Callable[[Size], Size]) -> Size:
    """A bound counted from the front, never outside."""
    number = known(bound)
    if isinstance(number, int):
        inside: Size = maximum(size + number, 0) if number < 0 else minimum(number, size)
        return inside if number else 0
    within: Size = bound if known(bound - size) == 0 else minimum(bound, size)
    return within
