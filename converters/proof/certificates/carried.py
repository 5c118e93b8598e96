"""Errors of a value that an ONNX file does not show, carried through the layers behind it.

One node of a file may be several operators here: HardSigmoid is a Power and a Clip. What the first
may differ by, the next ones pass on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from upconv.converters.ir.model import Layer
from upconv.converters.proof.certificates.table import Allowance, Array
from upconv.converters.reference import run_layer
from upconv.converters.reference.bounds import sum_of_products


def carried(
    layer: Layer,
    inputs: Sequence[Array],
    errors: Mapping[int, Array],
    exact: Array,
    own: Allowance,
) -> Allowance:
    """What the layer's first output may differ by: its `own` allowance for exact inputs, and what
    it makes of the `errors` of some of them.

    A sum of products passes on the products of errors and magnitudes. Of any other operator the
    change is taken that the whole error makes in either direction, which is the largest where the
    operator rises or falls: a tolerance, and no theorem.
    """
    moved = np.zeros(exact.shape)
    for at, error in errors.items():
        if np.any(error):
            moved = moved + _moved(layer, inputs, at, error, exact)
    if not moved.any():
        return own
    return Allowance("tolerance", own.bound + moved)


def _moved(layer: Layer, inputs: Sequence[Array], at: int, error: Array, exact: Array) -> Array:
    products = [_magnitude(layer, inputs, at, one) for one in (error, np.zeros(error.shape))]
    if products[0] is not None and products[1] is not None:
        return products[0] - products[1]  # without the bias, which both have
    found = np.zeros(exact.shape)
    for sign in (1.0, -1.0):
        other = [*inputs]
        other[at] = inputs[at] + sign * error
        with np.errstate(all="ignore"):
            found = np.fmax(found, np.abs(run_layer(layer, other)[0] - exact))
    return found


def _magnitude(layer: Layer, inputs: Sequence[Array], at: int, values: Array) -> Array | None:
    """The sum of magnitudes with one input replaced; None where the layer is no sum of products."""
    other = [*inputs]
    other[at] = values
    found = sum_of_products(layer, other)
    return None if found is None else np.asarray(found.magnitude, np.float64)
