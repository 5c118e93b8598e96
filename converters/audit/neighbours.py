"""The nearest sizes that run, and what padding, cropping or resizing to them costs in pixels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice, product
from math import prod
from typing import Final, Literal

from upconv.converters.audit.input_sizes import AxisSizes, InputSizes
from upconv.converters.ir.open_sizes import NO_SIZES
from upconv.converters.ir.records import record

TRIED: Final = 40
"""How many sizes of each axis are tried where axes are coupled ..."""

MOST_TRIED: Final = 4_000
"""... and how many of them together, however many axes there are."""


@record(frozen=True, slots=True)
class Change:
    """Bringing an image to a size that runs. `pixels`: how many are added (pad), lost (crop), or
    more or fewer (resize)."""

    kind: Literal["pad", "crop", "resize"]
    sizes: Mapping[str, int]
    pixels: int
    whole: int

    @property
    def share(self) -> float:
        """`pixels` beside those of the image."""
        return abs(self.pixels) / self.whole

    def __str__(self) -> str:
        image = (size for letter, size in self.sizes.items() if letter not in NO_SIZES)
        shape = "x".join(map(str, image))
        return f"{self.kind} to {shape} ({self.pixels:+d} pixels, {self.share:.1%})"


def accepts(found: InputSizes, sizes: Mapping[str, int]) -> bool | None:
    """Whether a net runs at these sizes of all of its axes; None where it cannot be said."""
    if any(sizes[axis.axis] not in (axis.runs or axis.known) for axis in found.axes):
        return False
    if not all(condition.holds(sizes) for condition in found.coupled):
        return False
    return True if all(axis.whole for axis in found.axes) else None


def changes(found: InputSizes, sizes: Mapping[str, int]) -> Iterator[Change]:
    """The cheapest padding, the cheapest crop, and the resize to the nearest size, where there are
    such: none for an image that runs as it is."""
    whole = prod(sizes.values())
    if accepts(found, sizes) is not False:
        return
    larger, smaller = (_best(found, sizes, up) for up in (True, False))
    if larger is not None:
        yield Change("pad", larger, prod(larger.values()) - whole, whole)
    if smaller is not None:
        yield Change("crop", smaller, prod(smaller.values()) - whole, whole)
    near = [one for one in (larger, smaller) if one is not None]
    if near:
        nearest = min(near, key=lambda one: abs(prod(one.values()) - whole))
        yield Change("resize", nearest, prod(nearest.values()) - whole, whole)


def _best(found: InputSizes, sizes: Mapping[str, int], up: bool) -> dict[str, int] | None:
    """Of the sizes that run and are nowhere smaller (or larger), the nearest in pixels."""
    tied = frozenset().union(*(one.symbols for one in found.coupled))
    count = min(TRIED, max(int(MOST_TRIED ** (1 / len(tied))), 1)) if tied else 1
    choices = [
        list(islice(_from(axis, sizes[axis.axis], up), count if axis.axis in tied else 1))
        for axis in found.axes
    ]
    names = [axis.axis for axis in found.axes]
    fitting = (
        one
        for one in (dict(zip(names, values, strict=True)) for values in product(*choices))
        if accepts(found, one) is not False
    )
    choose = min if up else max
    return choose(fitting, key=lambda one: prod(one.values()), default=None)


def _from(axis: AxisSizes, size: int, up: bool) -> Iterator[int]:
    """The members from a size on, upwards or downwards."""
    inside = axis.runs or axis.known
    near = inside.above(size) if up else inside.below(size)
    while near is not None:
        yield near
        near = inside.above(near + 1) if up else inside.below(near - 1)
