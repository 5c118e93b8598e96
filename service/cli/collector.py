"""How often Python looks for garbage, in a process that is ours."""

from __future__ import annotations

import gc
from typing import Final

YOUNG: Final = 200_000
"""Objects that are made before the collector runs, which are the tree of a text of 2 MB; Python's
own number is 700."""

ROUNDS: Final = 20
"""Runs over the young that come before one over the older."""


def collect_seldom(times: int = 1) -> None:
    """Let the trees of texts grow in peace: they have no cycles to find, and looking for some takes
    half the time of parsing a large net. Only a command does it, whose process is its own; one that
    keeps large trees and makes them anew with every keystroke, so many `times` as seldom, and with
    0 never, for as long as it makes only modules."""
    gc.set_threshold(YOUNG * times, ROUNDS, ROUNDS)
