"""Entries of an axis picked by their numbers, or by slices that run backwards."""

from __future__ import annotations

from typing import Final

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
