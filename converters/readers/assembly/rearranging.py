"""Axes that come and go, copies and places of extremes, as operators one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size
from upconv.converters.ir.operators import Operator


def added(axes: Iterable[int]) -> list[Operator]:
    """Axes of size 1 at these places of the result."""
    return [ops.Reshape((1,), axis, 0) for axis in sorted(axes)]


def dropped(axes: Iterable[int]) -> list[Operator]:
    """Without these axes, which have size 1."""
    return [ops.Reshape((), axis, 1) for axis in sorted(axes, reverse=True)]


def tiled(counts: Sequence[Size], first: int = 0) -> list[Operator]:
    """So many copies along each axis from `first` on."""
    return [ops.Tile(axis, n) for axis, n in enumerate(counts, start=first) if n != 1]


def swapped(rank: int, first: int, second: int) -> Operator:
    """Two axes in each other's place."""
    order = list(range(rank))
    order[first], order[second] = order[second], order[first]
    return ops.Permute(tuple(order))


def extreme_places(
    axis: int, *, least: bool, keep: bool, ties: Literal["first", "last"] = "first"
) -> list[Operator]:
    """The places of the largest or the least values along an axis, as floats."""
    negative: list[Operator] = [ops.Power(scale=-1.0)] if least else []
    places = ops.ArgMax(axis, 1, "indices", ties)
    return [*negative, places, *([] if keep else dropped([axis]))]
