"""Some channels of a layer's output at a time.

Where channels stand for themselves all of them are computed so, without large copies and in as many
threads as there are processors; of a sum over all channels of the input some outputs can be asked
for, with no more than their own weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import prod
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer
from upconv.converters.ir.tensors import weight_of
from upconv.converters.reference.call import Array
from upconv.converters.reference.run import Evaluation, Results, bind, run_layer, widened
from upconv.converters.reference.threads import each

SLICE: Final = 1 << 18
"""Values of a layer that are computed at a time."""

Part: TypeAlias = tuple[int, slice]
"""(entry of the batch, channels)."""


def stands_by_channels(layer: Layer, inputs: Sequence[NDArray[Any]], shape: Sequence[int]) -> bool:
    """Whether each channel of an output of this shape comes from the same one of the inputs, in the
    same way, and there are more than SLICE values."""
    op = layer.operator
    if len(shape) < 3 or prod(shape) <= SLICE or layer.weights or len(layer.outputs) != 1:
        return False
    if any(x.ndim != len(shape) or x.shape[:2] != tuple(shape[:2]) for x in inputs):
        return False
    return isinstance(op, ops.Pool | ops.Relu) or (
        isinstance(op, ops.Eltwise) and op.kind in ("sum", "difference", "max", "min")
    )


def channel_slices(shape: Sequence[int]) -> Iterator[Part]:
    """Parts of an output (N, C, spatial...) of some SLICE values."""
    step = max(SLICE // max(prod(shape[2:]), 1), 1)
    for n in range(shape[0]):
        for first in range(0, shape[1], step):
            yield n, slice(first, min(first + step, shape[1]))


def run_part(layer: Layer, inputs: Sequence[NDArray[Any]], part: Part) -> tuple[Results, Results]:
    """The inputs and outputs of a layer in some of its channels, in float64."""
    place = (slice(part[0], part[0] + 1), part[1])
    wide = widened(layer, [x[place] for x in inputs])
    return wide, run_layer(layer, wide)


def results_of(evaluation: Evaluation, layer: Layer) -> Results:
    """What a layer makes of the values so far, by its channels where they stand for themselves."""
    if not isinstance(layer.operator, ops.Pool | ops.Relu | ops.Eltwise):
        return evaluation.results(layer)
    inputs = evaluation.inputs(layer)
    shape = bind(layer, inputs).shape
    if not stands_by_channels(layer, inputs, shape):
        return evaluation.results(layer)
    out: Array = np.empty(shape)

    def fill(part: Part) -> None:
        out[part[0] : part[0] + 1, part[1]] = run_part(layer, inputs, part)[1][0]

    each(fill, channel_slices(shape))
    return (out,)


def some_outputs(layer: Layer, channels: Sequence[int]) -> Layer | None:
    """The layer that computes these channels of a convolution's output alone; None of what is none,
    or has groups."""
    op = layer.operator
    if not isinstance(op, ops.Conv | ops.ConvTranspose) or op.groups != 1:
        return None
    # An index copies what is chosen of a file's values; `take` copies all where they lie askew.
    rows = (list(channels),)
    columns = (slice(None), *rows)
    turned = {"weight"} if isinstance(op, ops.ConvTranspose) else set()
    weights = {
        name: weight_of(weight.array()[columns if name in turned else rows])
        for name, weight in layer.weights.items()
    }
    return replace(layer, operator=replace(op, out_channels=len(channels)), weights=weights)
