"""Matrix products, reductions and constants."""

from __future__ import annotations

from typing import Literal

from upconv.converters.ir.dims import Size
from upconv.converters.ir.operators.types import Ints
from upconv.converters.ir.records import record


@record(frozen=True, slots=True)
class ArgMax:
    """Indices (and values) of the top_k largest entries, as floats.

    With `axis`: along it, output "indices" or "values" in descending order, size top_k. Without:
    over all axes but the first, result (N, 1, top_k), or (N, 2, top_k) for "both" (indices, then
    values). Of equal values the last comes first, as in Caffe's sort of (value, index) pairs, or
    the first, as everywhere else.
    """

    axis: int | None
    top_k: int
    output: Literal["indices", "values", "both"]
    ties: Literal["last", "first"] = "last"


@record(frozen=True, slots=True)
class Reduce:
    """coefficient * reduction over all axes from `axis` on, which disappear."""

    kind: Literal["sum", "abs_sum", "square_sum", "mean", "max", "min"]
    axis: int
    coefficient: float = 1.0


@record(frozen=True, slots=True)
class Linear:
    """Inner product over all axes from `axis` on. Weights: weight (out, in), or (in, out) where
    transposed; bias (out)."""

    out_features: int
    axis: int = 1
    transposed: bool = False


@record(frozen=True, slots=True)
class MatMul:
    """The matrix product of two inputs over their last two axes, (..., M, K) times (..., K, N); the
    axes in front broadcast by NumPy's rule."""


@record(frozen=True, slots=True)
class Constant:
    """A stored tensor, the weight value of this shape, as a value. It has no inputs."""

    shape: Ints


@record(frozen=True, slots=True)
class CumSum:
    """Sums along an axis: of the entries up to each, or with `reverse` from each on, or with
    `exclusive` without itself."""

    axis: int
    exclusive: bool = False
    reverse: bool = False


@record(frozen=True, slots=True)
class Arange:
    """start + step * i for i from 0 to size - 1, one axis. Inputs: any tensor `size` is like."""

    size: Size
    start: float = 0.0
    step: float = 1.0


@record(frozen=True, slots=True)
class SizeOf:
    """A size as a value, a number without axes. Inputs: any tensor `size` is like."""

    size: Size
