"""The table of certificates, what they are asked with, and the kinds of answers they share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir.model import Layer
from upconv.converters.ir.registry import OperatorTable
from upconv.converters.reference.bounds import UNIT_ROUNDOFF, error_bound, sum_of_products

Array = NDArray[np.float64]

SMALLEST_NORMAL = 2.0**-126
"""Below it float32 loses bits, or flushes to zero."""

FORM_ROUNDINGS = {"separable": 12, "matmul": 12, "resize": 12}
"""Roundings that a factored kernel adds: up to 8 per weight (the rank-one test of
`kernels.separate`), and one or two between each of up to three passes."""

MIXED_ROUNDINGS = 10
"""More of them where channels are mixed before: that splits the weights once more."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """The largest permitted |computed - exact| per element, one number where all have the same,
    and where it comes from."""

    kind: Literal["exact", "bound", "tolerance"]
    bound: Array


@dataclass(frozen=True, slots=True)
class Comparison:
    """A layer's first output beside its reference.

    `inputs` and `exact` are float64, shapes as the layer's; `form` is how the writer said the
    layer, since the factored forms of a bilinear kernel round its weights once more.
    """

    layer: Layer
    inputs: tuple[Array, ...]
    exact: Array
    form: str

    @property
    def x(self) -> Array:
        return self.inputs[0]


Certificate: TypeAlias = Callable[[Any, Comparison], Allowance]
CERTIFICATES: OperatorTable[Certificate] = OperatorTable("certificate")


EXACT = Allowance("exact", np.zeros(()))
"""Of operators that only move values, or choose among them."""


def products(op: object, one: Comparison) -> Allowance:
    """The theorem on sums of products, for an operator that `reference.bounds` counts."""
    found = sum_of_products(one.layer, one.inputs, exact=one.exact)
    assert found is not None, "a certificate of products, for an operator that has no count of them"
    mixed, _, form = one.form.rpartition("+")
    extra = FORM_ROUNDINGS.get(form, 0) + (MIXED_ROUNDINGS if mixed == "Conv" else 0)
    return Allowance("bound", error_bound(found.exact, found.magnitude, found.count + extra))


def tolerance(roundoffs: float, sensitivity: Array) -> Allowance:
    """A stated tolerance: this many unit roundoffs of the size of the values involved."""
    return Allowance("tolerance", roundoffs * UNIT_ROUNDOFF * sensitivity + SMALLEST_NORMAL)


def relative(one: Comparison) -> Array:
    """Each element's own size, and a thousandth of the largest for what cancels near zero."""
    return np.abs(one.exact) + 1e-3 * largest(one.exact)


def overall(one: Comparison) -> Array:
    """The largest value of input and output: for sums whose parts cancel."""
    return np.full(one.exact.shape, max(largest(one.exact), largest(one.x)))


def largest(values: Array) -> float:
    """The largest finite magnitude, 0 where there is none."""
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max()) if finite.size else 0.0


def positive(values: Array) -> Array:
    """The values, where they are to divide: never 0."""
    return np.maximum(values, SMALLEST_NORMAL)
