"""Tensors whose axes are said in the source's order, and only moved where an operator wants it.

Transposing a tensor and adding axes of size 1 to it is bookkeeping until something computes: most
of it meets its inverse first, as around a convolution of a source with channels last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from upconv.converters.ir.dims import Size, like
from upconv.converters.ir.operators import Operator, Permute, Reshape, Tile
from upconv.converters.ir.origin import Origin
from upconv.converters.readers.assembly.layout import moved_axis
from upconv.converters.readers.assembly.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Copies:
    """An axis that is not there yet: `count` copies of the tensor (1 after ExpandDims)."""

    count: Size = 1


Axis: TypeAlias = int | Copies
Axes: TypeAlias = tuple[Axis, ...]


@dataclass(frozen=True, slots=True)
class Value:
    """A tensor of the network.

    `axes[i]` is the axis of the representation's tensor `name` that the source counts as its axis
    i, so that transposing and adding axes of size 1 cost nothing; None where the rank is unknown.
    """

    name: str
    axes: Axes | None

    @property
    def sizes(self) -> tuple[Size, ...]:
        """The sizes in the source's order, each as that of the tensor's own axis."""
        assert self.axes is not None, "asked of values whose rank is known"
        return tuple(
            axis.count if isinstance(axis, Copies) else like(self.name, axis) for axis in self.axes
        )

    @property
    def is_turned(self) -> bool:
        """Whether its axes are known, and in another order than the source's."""
        return self.axes is not None and self.axes != plain(len(self.axes))


def plain(rank: int) -> Axes:
    """The axes of a tensor that both count alike."""
    return tuple(range(rank))


def channels_last(rank: int) -> Axes:
    """The axes of (N, spatial..., C) in (N, C, spatial...).

    >>> channels_last(4)
    (0, 2, 3, 1)
    """
    return tuple(moved_axis(axis, rank) for axis in range(rank)) if rank > 2 else plain(rank)


def layout(rank: int, *, last: bool) -> Axes:
    """Where the axes of a feature map are in (N, C, spatial...); `last`: its channels are."""
    return channels_last(rank) if last else plain(rank)


def arranged(work: Workspace, value: Value, axes: Axes, origin: Origin) -> str:
    """The tensor with the source's axis i at `axes[i]`: turned, and with axes that were only
    thought of made real."""
    if value.axes is None or value.axes == axes:
        return value.name
    how = (value.axes, axes)
    return work.once(value.name, how, lambda: _Arrangement(work, value, axes, origin).name)


def real(work: Workspace, value: Value, origin: Origin) -> Value:
    """The value with every axis there: new ones in front of the axis that follows them."""
    if value.axes is None or all(isinstance(axis, int) for axis in value.axes):
        return value
    order = _filled(value.axes)
    axes: Axes = tuple(order.index(axis) for axis in range(len(order)))
    return Value(arranged(work, value, axes, origin), axes)


def _filled(axes: Axes) -> list[int]:
    """The source's axes in the order of the tensor, those not there put before their successor,
    the first in front of all and the last at the end."""
    order = sorted((i for i, axis in enumerate(axes) if isinstance(axis, int)), key=_Key(axes))
    for i in reversed(range(len(axes))):
        if not isinstance(axes[i], int):
            behind = order.index(i + 1) if 0 < i < len(axes) - 1 else len(order)
            order.insert(behind if i else 0, i)
    return order


@dataclass(frozen=True, slots=True)
class _Key:
    """The place of the source's axis i in the tensor, to sort by."""

    axes: Axes

    def __call__(self, index: int) -> int:
        axis = self.axes[index]
        assert isinstance(axis, int), "asked of axes that are there"
        return axis


class _Arrangement:
    """The steps from a value to a wanted order of its axes: Permute, Reshape, Tile, each where it
    does something. Moving axes of size 1 is a Reshape."""

    def __init__(self, work: Workspace, value: Value, axes: Axes, origin: Origin) -> None:
        assert value.axes is not None
        self.work = work
        self.origin = origin
        self.name = value.name
        self.base = value.name
        present = [i for i, axis in enumerate(value.axes) if isinstance(axis, int)]
        order = sorted(present, key=_Key(value.axes))
        wanted = sorted(range(len(axes)), key=_Key(axes))
        order = self._permute(order, [i for i in wanted if i in present])
        if order != wanted:
            self._reshape(order, wanted)
        for i, axis in enumerate(value.axes):
            if isinstance(axis, Copies) and axis.count != 1:
                self._add(Tile(wanted.index(i), axis.count), "copies")

    def _permute(self, order: list[int], wanted: list[int]) -> list[int]:
        shape = self.work.shapes.get(self.name)
        ones = {i for at, i in enumerate(order) if shape and len(shape) > at and shape[at] == 1}
        if [i for i in order if i not in ones] == [i for i in wanted if i not in ones]:
            return order
        self._add(Permute(tuple(order.index(i) for i in wanted)), "transposed")
        return wanted

    def _reshape(self, order: Sequence[int], wanted: Sequence[int]) -> None:
        sizes = [like(self.name, order.index(i)) if i in order else 1 for i in wanted]
        self._add(Reshape(tuple(sizes)), "reshaped")

    def _add(self, operator: Operator, what: str) -> None:
        (self.name,) = self.work.add(f"{self.base}/{what}", operator, (self.name,), self.origin)
