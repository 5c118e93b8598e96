"""Entries of an axis picked by their numbers, in the words of boxes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

MAX_RUNS: Final = 256
"""Of entries that follow each other, each of which is a box."""

MAX_PICKED: Final = 1 << 16
"""Entries that are looked at."""


def runs_of(picked: Iterable[int]) -> list[tuple[int, int]] | None:
    """(first, length) of the entries that follow each other; None where they are too many.

    >>> runs_of([4, 5, 6, 0, 1, 1])
    [(4, 3), (0, 2), (1, 1)]
    """
    runs: list[tuple[int, int]] = []
    for one in picked:
        if runs and one == sum(runs[-1]):
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        elif len(runs) == MAX_RUNS:
            return None
        else:
            runs.append((one, 1))
    return runs
