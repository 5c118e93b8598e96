"""Windows that slide over spatial axes: boxes that may stick out, strided views, tap counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any, Protocol

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from upconv.converters.ir.geometry import effective_kernel
from upconv.converters.ir.operators import Ints
from upconv.converters.reference.call import FLOAT64, Array

Counts = NDArray[np.int64]
Slices = tuple[slice, ...]


class Windowed(Protocol):
    """An operator with windows: convolution, transposed convolution, pooling."""

    @property
    def kernel(self) -> Ints: ...
    @property
    def stride(self) -> Ints: ...
    @property
    def dilation(self) -> Ints: ...
    @property
    def pads_begin(self) -> Ints: ...


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows along each spatial axis: tap j of window i lies at stride*i + dilation*j - begin.

    A convolution reads at these places; a transposed convolution writes there.
    """

    kernel: Ints
    stride: Ints
    dilation: Ints
    begin: Ints

    @classmethod
    def of(cls, op: Windowed) -> Windows:
        return cls(op.kernel, op.stride, op.dilation, op.pads_begin)

    @property
    def extent(self) -> Ints:
        """Pixels from a window's first tap to its last, both included."""
        return tuple(map(effective_kernel, self.kernel, self.dilation))

    @property
    def taps(self) -> int:
        return prod(self.kernel)

    def offsets(self) -> Iterator[Ints]:
        """Every tap's index, the last axis fastest."""
        return product(*map(range, self.kernel))

    def positions(self, spatial: Sequence[int], offset: Ints) -> list[Counts]:
        """Per axis, the place of this tap in each of the windows; may be outside."""
        return [
            stride * np.arange(count) + dilation * tap - begin
            for count, tap, stride, dilation, begin in zip(
                spatial, offset, self.stride, self.dilation, self.begin, strict=True
            )
        ]

    def view(self, x: Array, spatial: Sequence[int], fill: float = 0.0) -> Array:
        """x (..., spatial in) as (..., kernel..., spatial out), `fill` beyond its edges.

        Read-only and without a copy of the windows; x itself is copied where windows stick out.
        """
        lengths = [
            (count - 1) * stride + extent
            for count, stride, extent in zip(spatial, self.stride, self.extent, strict=True)
        ]
        box = region(x, [-begin for begin in self.begin], lengths, fill, x.dtype)
        axes = len(self.kernel)
        lead, steps = box.strides[:-axes], box.strides[-axes:]
        taps = tuple(step * d for step, d in zip(steps, self.dilation, strict=True))
        hops = tuple(step * s for step, s in zip(steps, self.stride, strict=True))
        shape = (*x.shape[:-axes], *self.kernel, *spatial)
        return as_strided(box, shape, lead + taps + hops, writeable=False)

    def pairs(
        self, spatial: Sequence[int], target: Sequence[int], offset: Ints
    ) -> tuple[Slices, Slices] | None:
        """Which windows' tap `offset` lies inside of `target`: slices of windows and of target.

        None where there is none.
        """
        axes = [
            _axis_pairs(*settings)
            for settings in zip(
                spatial, target, offset, self.stride, self.dilation, self.begin, strict=True
            )
        ]
        if any(axis is None for axis in axes):
            return None
        found = [axis for axis in axes if axis is not None]
        return tuple(a for a, _ in found), tuple(b for _, b in found)


def _axis_pairs(
    count: int, target: int, tap: int, stride: int, dilation: int, begin: int
) -> tuple[slice, slice] | None:
    shift = dilation * tap - begin
    first = max(-(shift // stride), 0)
    last = min((target - 1 - shift) // stride, count - 1)
    if first > last:
        return None
    start = stride * first + shift
    return slice(first, last + 1), slice(start, stride * last + shift + 1, stride)


def at(*parts: Any) -> tuple[Any, ...]:
    """An index made of these parts, one per axis."""
    return parts


def region(
    x: Array,
    starts: Sequence[int],
    sizes: Sequence[int],
    fill: float = 0.0,
    dtype: np.dtype[Any] = FLOAT64,
) -> Array:
    """The box of x's trailing axes that begins at `starts` and is `sizes` long, as `dtype`.

    Starts may be negative and ends beyond x: there the result is `fill`. A box inside of an x of
    that type is a view. It pads and crops alike, so a negative padding needs no case of its own.

    >>> region(np.array([1.0, 2.0]), [-1], [4])
    array([0., 1., 2., 0.])
    """
    lead = x.ndim - len(starts)
    spans = [
        (min(max(start, 0), size), max(min(start + length, size), 0))
        for start, length, size in zip(starts, sizes, x.shape[lead:], strict=True)
    ]
    inside: Array = x[at(..., *(slice(low, high) for low, high in spans))]
    if inside.shape[lead:] == tuple(sizes):
        return np.asarray(inside, dtype)
    box: Array = np.full((*x.shape[:lead], *sizes), fill, dtype)
    if inside.size:
        where = (slice(lo - s, hi - s) for (lo, hi), s in zip(spans, starts, strict=True))
        box[at(..., *where)] = inside
    return box


def taps_inside(windows: Windows, sizes: Sequence[int], spatial: Sequence[int]) -> Counts:
    """How many taps of each window lie inside of `sizes`; shape `spatial`."""
    return _outer(
        [
            _inside(stride * np.arange(count) - begin, kernel, dilation, size)
            for size, count, kernel, stride, dilation, begin in zip(
                sizes,
                spatial,
                windows.kernel,
                windows.stride,
                windows.dilation,
                windows.begin,
                strict=True,
            )
        ]
    )


def _inside(starts: Counts, kernel: int, dilation: int, size: int) -> Counts:
    places = starts[:, None] + dilation * np.arange(kernel)
    counts: Counts = ((places >= 0) & (places < size)).sum(axis=1)
    return counts


def writes(windows: Windows, spatial: Sequence[int], target: Sequence[int]) -> Counts:
    """How many (window, tap) pairs lie on each place of `target`; shape `target`."""
    axes = []
    for axis, (count, size) in enumerate(zip(spatial, target, strict=True)):
        starts = windows.stride[axis] * np.arange(count) - windows.begin[axis]
        taps = windows.dilation[axis] * np.arange(windows.kernel[axis])
        places = (starts[:, None] + taps).reshape(-1)
        kept = places[(places >= 0) & (places < size)]
        axes.append(np.bincount(kept, minlength=size).astype(np.int64))
    return _outer(axes)


def _outer(axes: Sequence[Counts]) -> Counts:
    """The product of one count per axis at every place."""
    result = np.ones((), np.int64)
    for counts in axes:
        result = result[..., None] * counts
    return result
