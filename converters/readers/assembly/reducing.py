"""Reductions over any axes, which the representation has over the last ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

from upconv.converters.ir import operators as ops
from upconv.converters.ir.operators import Operator

Kind: TypeAlias = Literal["sum", "abs_sum", "square_sum", "mean", "max", "min"]
Step: TypeAlias = Callable[[Operator, Sequence[str], str], str]
"""(operator, inputs, what) -> the output of a layer that is appended."""


def reduced(step: Step, x: str, rank: int, kind: Kind, axes: Sequence[int], *, keep: bool) -> str:
    """A tensor of `rank` axes reduced over some, which are brought to the end for it, and come back
    with size 1 where they are kept."""
    order = tuple(axis for axis in range(rank) if axis not in axes) + tuple(axes)
    if order != tuple(range(rank)):
        x = step(ops.Permute(order), [x], f"{kind}_order")
    x = step(ops.Reduce(kind, rank - len(axes)), [x], kind)
    for axis in axes if keep else ():
        x = step(ops.Reshape((1,), axis, 0), [x], f"{kind}_axis{axis}")
    return x
