"""One figure of a benchmark, and the exponent of a growth."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from benchmarks.timing import Time


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: seconds, its ratio to `beside` in the same run, the spread of its rounds, and the
    peak in MiB where it was measured."""

    group: str
    what: str
    seconds: float
    spread: float
    beside: str = ""
    ratio: float | None = None
    peak: float | None = None


def rows_of(group: str, times: Mapping[str, Time], beside: str) -> Iterator[Row]:
    base = times[beside].least
    for name, taken in times.items():
        ratio = taken.least / base if base else None
        yield Row(group, name, taken.least, taken.spread, beside, ratio)


def growth_of(group: str, times: Mapping[float, Time], unit: str, start: Time) -> Iterator[Row]:
    """Rows of one contender at several sizes; the ratio of the last is the exponent of its step, of
    what is more than the `start` of nothing at all."""
    sizes = sorted(times)
    least = [max(times[size].least - start.least, 1e-3) for size in sizes]
    exponent = math.log(least[-1] / least[-2]) / math.log(sizes[-1] / sizes[-2])
    for size in sizes:
        taken, is_last = times[size], size == sizes[-1]
        said = ("exponent of the last step", exponent) if is_last else ("", None)
        yield Row(group, f"{size:g} {unit}", taken.least, taken.spread, *said)
