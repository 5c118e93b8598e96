"""How far rounding can move a network's outputs at most: every layer's bound carried to the end.

The theorem bounds what a layer computes of its own inputs. Of inputs that are themselves off by e,
a sum of products is off by sum |w| e besides, and its bound counts |x| + e; what moves values or
takes the largest is off by what the whole error makes of it in either direction, for it rises with
each input. That is a proof for the whole network, and a pessimistic one: errors are taken never to
cancel, so that it grows with each layer by the sum of a layer's weights. Where one layer has a
tolerance and no bound, there is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer, Model
from upconv.converters.proof.certificates.table import FORM_ROUNDINGS
from upconv.converters.reference.bounds import error_bound, sum_of_products
from upconv.converters.reference.call import Array
from upconv.converters.reference.run import Results, run_layer, run_model

MOST_WORK: Final = 1 << 31
"""Multiplications of a network for which it is computed: it takes three evaluations of it."""

RISING: Final = (
    ops.Identity, ops.Relu, ops.Crop, ops.Pad, ops.Concat, ops.Slice, ops.StridedSlice, ops.Reshape,
    ops.Flatten, ops.Permute, ops.ChannelShuffle, ops.SpaceToDepth, ops.DepthToSpace, ops.Tile,
    ops.Expand,
)  # fmt: skip
"""Operators that only move values, or cut them off, and rise with each of their inputs."""

PRODUCTS: Final = (ops.Conv, ops.ConvTranspose, ops.Linear, ops.Pool, ops.GlobalPool, ops.Eltwise)


def output_bounds(
    model: Model, feeds: Mapping[str, Any], forms: Mapping[str, str]
) -> dict[str, float]:
    """Output -> the largest bound of its elements on these inputs; of those that have one, and a
    finite one. `forms` are how the writer said the layers."""
    errors: dict[str, Array | None] = {
        entry.name: np.zeros(np.shape(feeds[entry.name])) for entry in model.inputs
    }

    def follow(layer: Layer, inputs: Sequence[Array], results: Results) -> Results:
        there = [errors[value] for value in layer.inputs]
        known = [one for one in there if one is not None]
        with np.errstate(all="ignore"):
            made = None
            if len(known) == len(there) and len(results) == 1:
                made = _moved(layer, inputs, known, results[0], forms.get(layer.name, ""))
        errors.update(dict.fromkeys(layer.outputs))
        errors[layer.outputs[0]] = made
        return results

    run_model(model, feeds, model.outputs, follow)
    found = {name: errors.get(name) for name in model.outputs}
    largest = {name: float(e.max(initial=0.0)) for name, e in found.items() if e is not None}
    return {name: bound for name, bound in largest.items() if np.isfinite(bound)}


def _moved(
    layer: Layer, inputs: Sequence[Array], errors: Sequence[Array], exact: Array, form: str
) -> Array | None:
    """How far the first output may lie from `exact`, None where that is not known."""
    op = layer.operator
    if isinstance(op, RISING):
        return None if isinstance(op, ops.Relu) and op.slope else _extremes(layer, inputs, errors)
    if isinstance(op, ops.Pool | ops.GlobalPool | ops.Eltwise) and op.kind in ("max", "min"):
        return _extremes(layer, inputs, errors)
    if not isinstance(op, PRODUCTS) or form == "resize" or form.startswith("Conv+"):
        return None
    return _of_products(layer, inputs, errors, exact, FORM_ROUNDINGS.get(form, 0))


def _extremes(layer: Layer, inputs: Sequence[Array], errors: Sequence[Array]) -> Array:
    low, middle, high = (
        run_layer(layer, [x + sign * e for x, e in zip(inputs, errors, strict=True)])[0]
        for sign in (-1.0, 0.0, 1.0)
    )
    return np.maximum(high - middle, middle - low)


def _of_products(
    layer: Layer, inputs: Sequence[Array], errors: Sequence[Array], exact: Array, extra: int
) -> Array | None:
    larger = [np.abs(x) + e for x, e in zip(inputs, errors, strict=True)]
    own = sum_of_products(layer, larger, exact=exact)
    rest = {name: weight for name, weight in layer.weights.items() if name != "bias"}
    passed = sum_of_products(replace(layer, weights=rest), errors, exact=exact)
    if own is None or passed is None:
        return None
    return error_bound(exact, own.magnitude, own.count + extra) + passed.magnitude
