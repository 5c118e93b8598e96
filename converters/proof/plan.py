"""How much of a network a proof compares: all of it, or a seeded sample of its large layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Literal
from zlib import crc32

import numpy as np

from upconv.converters.ir.records import record

Extent = Literal["full", "sampled"]

Chooser = Callable[[Sequence[tuple[int, slice]]], Sequence[tuple[int, slice]]]
"""Takes some of a layer's parts, (entry of the batch, rows or channels)."""

LARGE_LAYER: Final = 1 << 16
"""Values of a layer's output beyond which a sample of it is compared."""

SHARE: Final = 1 / 32
"""Of a large layer's parts, those that a sample has at least."""

ENDS: Final = 2
"""The first and the last part are always among them: borders are where pixels are lost."""


@record(frozen=True, slots=True)
class Plan:
    """What is compared. A sample runs the network on noise, once with its values shown and once
    untouched, and its large layers are compared at places that the seed chooses."""

    extent: Extent = "full"
    seed: int = 0

    @property
    def levels(self) -> tuple[bool, ...]:
        """Whether graph optimizations are on, in the runs that are compared layer by layer."""
        return (False, True) if self.extent == "full" else (False,)

    def chooser(self, layer: str, elements: int) -> Chooser | None:
        """Which parts of a layer with so many values are compared; None for all.

        >>> len(Plan("sampled").chooser("conv", 1 << 20)([(0, slice(i, i + 1)) for i in range(96)]))
        5
        """
        if self.extent == "full" or elements <= LARGE_LAYER:
            return None
        rng = np.random.default_rng([self.seed, crc32(layer.encode())])

        def choose(parts: Sequence[tuple[int, slice]]) -> Sequence[tuple[int, slice]]:
            if len(parts) <= ENDS + 1:
                return parts
            count = min(-(-len(parts) // round(1 / SHARE)), len(parts) - ENDS)
            inner = rng.choice(len(parts) - ENDS, count, replace=False) + 1
            return [parts[0], *(parts[at] for at in sorted(inner)), parts[-1]]

        return choose


FULL: Final = Plan()
