"""How far a float32 result may lie from the float64 reference, operator by operator.

Three kinds: "exact" operators move values or choose among them and may not differ at all; "bound"
operators are sums of products, whose error obeys the theorem in `reference.bounds`; the rest has
a stated tolerance, a multiple of float32's unit roundoff times the size of the values involved.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from upconv.converters.ir.model import Layer
from upconv.converters.proof.certificates import (
    algebra,
    arrangement,
    grid_sample,
    normalization,
    pointwise,
    windows,
)
from upconv.converters.proof.certificates.carried import carried
from upconv.converters.proof.certificates.table import (
    CERTIFICATES,
    EXACT,
    Allowance,
    Array,
    Comparison,
)

FAMILIES = (algebra, arrangement, grid_sample, normalization, pointwise, windows)
"""The modules that fill CERTIFICATES when they are imported."""

__all__ = ["CERTIFICATES", "EXACT", "FAMILIES", "Allowance", "Comparison", "allowance", "carried"]


def allowance(layer: Layer, inputs: Sequence[Array], exact: Array, form: str) -> Allowance:
    """The permitted error of each element of the layer's first output; see `Comparison`."""
    one = Comparison(layer, tuple(inputs), exact, form)
    with np.errstate(all="ignore"):  # NaN and infinity are values here, as in the reference
        return CERTIFICATES[type(layer.operator)](layer.operator, one)
