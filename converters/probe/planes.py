"""Sums over other planes of the first axis than the dilation says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer
from upconv.converters.ir.tensors import weight_of
from upconv.converters.reference.run import run_layer

Array = NDArray[np.float64]
MOST_PARTS = 40
MOST_TERMS = 3


def mixed_up(layer: Layer, x: Array, got: Array, right: Array) -> bool:
    """Whether each plane of the first axis that is wrong is, to the bit, a sum of taps of that axis
    over planes of the input, though not of those that belong there."""
    op = layer.operator
    assert isinstance(op, ops.ConvTranspose)
    if got.shape != right.shape or len(op.kernel) != 3 or x.shape[2] * op.kernel[0] > MOST_PARTS:
        return False
    parts = list(_parts(layer, op, x))
    wrong = [p for p in range(got.shape[2]) if not np.array_equal(got[:, :, p], right[:, :, p])]
    bias = layer.weights.get("bias")
    if bias is not None:
        got = got - np.asarray(bias.array(), np.float64).reshape(1, -1, 1, 1, 1)
    return all(_is_sum(got[:, :, plane], parts) for plane in wrong)


def _parts(layer: Layer, op: ops.ConvTranspose, x: Array) -> Iterator[Array]:
    """What each tap of the first axis makes of each plane, (N, C_out, H, W)."""
    weight = layer.weights["weight"].array()
    flat = replace(
        op,
        kernel=(1, *op.kernel[1:]),
        stride=(1, *op.stride[1:]),
        dilation=(1, *op.dilation[1:]),
        pads_begin=(0, *op.pads_begin[1:]),
        pads_end=(0, *op.pads_end[1:]),
        output_padding=(0, *op.output_padding[1:]),
    )
    for tap in range(op.kernel[0]):
        held = {"weight": weight_of(np.ascontiguousarray(weight[:, :, tap : tap + 1]))}
        made = run_layer(replace(layer, operator=flat, weights=held), (x,))[0]
        yield from np.moveaxis(np.asarray(made), 2, 0)


def _is_sum(plane: Array, parts: list[Array]) -> bool:
    """Of at most a few parts; their first value is compared before all of them."""
    for count in range(MOST_TERMS + 1):
        for chosen in combinations(parts, count):
            if sum(float(one.flat[0]) for one in chosen) == plane.flat[0] and np.array_equal(
                np.sum(chosen, axis=0) if chosen else np.zeros_like(plane), plane
            ):
                return True
    return False
