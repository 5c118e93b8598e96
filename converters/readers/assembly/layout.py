"""Channels last, (N, spatial..., C), and channels first, (N, C, spatial...): which axis is which.

The representation has its channels first. A source that has them last says its axes by these.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


def moved_axis(axis: int, rank: int) -> int:
    """Where an axis of a tensor with channels last is once they are first.

    >>> [moved_axis(axis, 4) for axis in (0, 1, 2, 3)]
    [0, 2, 3, 1]
    """
    axis %= rank
    if axis == rank - 1:
        return 1
    return axis + 1 if axis else 0


def to_channels_first(items: Sequence[Item]) -> tuple[Item, ...]:
    """(N, spatial..., C) -> (N, C, spatial...).

    >>> to_channels_first("NHWC")
    ('N', 'C', 'H', 'W')
    """
    return (items[0], items[-1], *items[1:-1])


def to_channels_last(items: Sequence[Item]) -> tuple[Item, ...]:
    """(N, C, spatial...) -> (N, spatial..., C).

    >>> to_channels_last(range(4))
    (0, 2, 3, 1)
    """
    return (items[0], *items[2:], items[1])
