"""Entries of an axis picked by their numbers, or by slices, as Python reads them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, ceil_div
from upconv.converters.ir.least import is_place, larger, most, never_negative, smaller

MAX_PICKED: Final = 1 << 16
"""Entries that are named one by one."""


Known: TypeAlias = Callable[[Size], Size]
"""A size in the letters of the inputs, which tell its sign."""


def _itself(size: Size) -> Size:
    return size


def from_begin(place: Size, size: Size, known: Known = _itself) -> Size:
    """A place counted from the begin of an axis, where a negative one counts from its end. Where
    the sign changes with the input, so does what is added.

    >>> from upconv.converters.ir.dims import evaluate, symbol
    >>> from_begin(2, 9), from_begin(-2, 9)
    (2, 7)
    >>> [evaluate(from_begin(5 - symbol("H"), 9), {"H": n}) for n in (7, 6, 5, 4)]
    [7, 8, 0, 1]
    """
    sign = known(place)
    if is_place(sign):
        return place
    high = most(sign)
    if high is not None and high < 0:
        return size + place
    return place + size * smaller(larger(-place, 0), 1)


def bounded(place: Size, size: Size, known: Known = _itself) -> Size:
    """A bound of a slice, of which none lies outside of the axis.

    >>> bounded(12, 9), bounded(-12, 9), bounded(-2, 9)
    (9, 0, 7)
    """
    found, high = from_begin(place, size, known), most(known(place))
    if not is_place(known(place)):
        found = larger(found, 0)
    inside = (high is not None and high < 0) or never_negative(known(size - found))
    return found if inside else smaller(found, size)


def backwards(size: Size, start: Size | None, stop: Size | None, step: int) -> tuple[Size, Size]:
    """(first, count) of `[start:stop:step]` for a negative step, as Python reads it: a negative
    bound counts from the end, and none lies outside.

    >>> backwards(9, None, None, -1), backwards(9, 7, 1, -2), backwards(4, -2, -9, -2)
    ((8, 9), (7, 3), (2, 2))
    """
    first = _bound(size, start, size - 1)
    end = _bound(size, stop, -1)
    return first, larger(ceil_div(first - end, -step), 0)


def _bound(size: Size, bound: Size | None, default: Size) -> Size:
    """Between -1, before the first entry, and the last entry."""
    if bound is None:
        return default
    found: Size = size - 1
    if isinstance(bound, int) and bound < 0:
        found = larger(size + bound, -1)
    elif bound != size:
        found = smaller(from_begin(bound, size), size - 1)
    return found


def cut(
    axis: int, size: Size, bounds: tuple[Size | None, Size | None, int], known: Known
) -> ops.Operator | None:
    """`[begin:end:step]` of an axis of that size, as Python reads it; None for all of it."""
    begin, end, step = bounds
    if step > 0:
        start = 0 if begin is None else _inside(begin, size, known)
        stop = size if end is None else _inside(end, size, known)
        length = larger(ceil_div(stop - start, step), 0)
    else:
        last = size - 1
        start = last if begin is None else smaller(_inside(begin, size, known), last)
        stop = -1 if end is None else _before(end, size, known)
        length = larger(ceil_div(start - stop, -step), 0)
    if step != 1:
        return ops.StridedSlice(axis, start, length, step)
    if known(start) == 0 and known(length - size) == 0:
        return None
    return ops.Crop(axis, (start,), (length,))


def _before(bound: Size, size: Size, known: Known) -> Size:
    """The end of a walk backwards, which may lie before the first entry."""
    if isinstance(bound, int) and isinstance(size, int):
        return max(bound + size, -1) if bound < 0 else min(bound, size - 1)
    return _inside(bound, size, known)


def _inside(bound: Size, size: Size, known: Known) -> Size:
    """A bound counted from the begin; the size itself where it is that."""
    if known(bound - size) == 0:
        return bound
    number = known(bound)
    return bounded(number if isinstance(number, int) else bound, size, known)
