"""Nets that run where height and width go together: found by looking at a square of sizes.

The audit solves conditions on one axis, and simple ones on two, for all integers. A slice whose
begin is computed from the other axis by mistake asks for something that mixes both: that is looked
at, and what is said of it is said of the sizes that were looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any, Final

from upconv.converters.audit.conditions import Condition
from upconv.converters.ir.dims import evaluate
from upconv.converters.ir.model import Layer
from upconv.converters.ir.records import record

FIRST: Final = 64
COUNT: Final = 48
MOST: Final = 4
"""The sizes looked at, and how many differences of width and height are a rule."""


@record(frozen=True, slots=True)
class Tied:
    """Of sizes from FIRST on, COUNT of them, only those fit whose `axes` differ by one of
    `differences`; at `example`, which has none of these, `layer` fails."""

    axes: tuple[str, str]
    differences: tuple[int, ...]
    example: Mapping[str, int]
    layer: Layer

    def __str__(self) -> str:
        first, second = self.axes
        if self.differences == (0,):
            return f"{second} == {first}"
        return f"{second} - {first} in {{{', '.join(map(str, self.differences))}}}"


def tied(conditions: Iterable[Condition], letters: Sequence[str]) -> Tied | None:
    """Two axes of an image that have to be of one size, or nearly, by conditions on both."""
    asked = [one for one in conditions if one.symbols <= set(letters)]
    for pair in combinations(letters, 2):
        both = [one for one in asked if one.symbols == set(pair)]
        if both:
            found = _tied(pair, both, [one for one in asked if one.symbols <= set(pair)])
            if found is not None:
                return found
    return None


def _tied(
    axes: tuple[str, str], both: Sequence[Condition], asked: Sequence[Condition]
) -> Tied | None:
    import numpy as np

    sizes = np.arange(FIRST, FIRST + COUNT)
    at = dict(zip(axes, np.meshgrid(sizes, sizes, indexing="ij"), strict=True))
    alone = _all([one for one in asked if one not in both], at)
    fits = alone & _all(both, at)
    apart = at[axes[1]] - at[axes[0]]
    differences = np.unique(apart[fits]).tolist()
    if not 0 < len(differences) <= MOST:
        return None
    other = np.argwhere(alone & ~np.isin(apart, differences))
    if not other.size:
        return None
    example = {axis: int(at[axis][tuple(other[0])]) for axis in axes}
    layer = next(one.layer for one in both if not one.holds(example))
    return Tied(axes, tuple(differences), example, layer)


def _all(conditions: Sequence[Condition], at: Mapping[str, Any]) -> Any:
    """Where all conditions hold."""
    import numpy as np

    found = np.ones((COUNT, COUNT), bool)
    for condition in conditions:
        some = np.zeros((COUNT, COUNT), bool)
        for relation in condition.any_of:
            value = evaluate(relation.difference, at)
            some |= (value == 0) | ((value > 0) & (relation.kind == ">="))
        found &= some
    return found
