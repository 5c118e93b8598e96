"""Entries of an axis picked by their numbers, in the words of boxes."""

from __future__ import annotations

from collections.abc import Sequence


def runs_of(picked: Sequence[int]) -> list[tuple[int, int]]:
    """(first, length) of the entries that follow each other: each run is one box.

    >>> runs_of([4, 5, 6, 0, 1, 1])
    [(4, 3), (0, 2), (1, 1)]
    """
    runs: list[tuple[int, int]] = []
    for one in picked:
        if runs and one == sum(runs[-1]):
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((one, 1))
    return runs
