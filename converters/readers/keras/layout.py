"""Where the axes of a Keras tensor are in the intermediate representation.

A value is "moved" where Keras has it as (N, spatial..., C) and the representation as
(N, C, spatial...); else both have the axes in the same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Value:
    """A tensor of the graph: its name in the representation and whether its channels moved."""

    name: str
    moved: bool = False


def moved_axis(axis: int, rank: int) -> int:
    """The axis, counted in Keras's order, of a moved tensor.

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
    """(N, C, spatial...) -> (N, spatial..., C)."""
    return (items[0], *items[2:], items[1])
