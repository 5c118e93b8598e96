"""Work shared out among threads; NumPy lets go of the interpreter while it computes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import numpy as np

from upconv.converters.processors import processors

Item = TypeVar("Item")

MOST_THREADS: Final = 8
"""Each holds blocks of its own in memory."""


def workers(items: int) -> int:
    """How many threads share so many items out."""
    return max(min(items, processors(), MOST_THREADS), 1)


def each(work: Callable[[Item], None], items: Iterable[Item]) -> None:
    """Call `work` once for every item, in as many threads as there are processors.

    What `work` writes for one item must be apart from what it writes for the others.
    """
    queue = list(items)
    count = workers(len(queue))
    if count < 2:
        for item in queue:
            work(item)
        return

    def silent(item: Item) -> None:
        with np.errstate(all="ignore"):  # a new thread does not inherit it
            work(item)

    with ThreadPoolExecutor(count) as threads:
        for _ in threads.map(silent, queue):
            pass
