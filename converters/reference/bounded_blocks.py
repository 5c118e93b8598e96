"""Sums of products block by block, each with a bound that costs next to nothing.

The theorem of `bounds` weighs sum |x||w|, which is a second evaluation. Whoever only asks whether
an error is within it may ask a smaller number first: the sum of |p| over parts p of the sum, which
an evaluation has at hand, is at most sum |x||w|, and is small only where all parts happen to be.

Values near others cost nothing at all: for inputs x + d, which another run of the same network had,
the exact value is within sum |d||w| of that for x, and sum |x + d||w| no smaller than sum |x||w| by
more than that. It is at most the length of d's window times that of w (Cauchy and Schwarz), and d
some roundings of x, of which the bound has one for each of n products.

What float64 loses in it and in the exact value, n * 2^-53 of sum |x||w|, is covered as there: by
the factor 1 + 2^-28 where the smaller number is near the true one, and else by what it falls short.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np

from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer
from upconv.converters.reference.bounds import COUNTS, error_bound
from upconv.converters.reference.call import Array
from upconv.converters.reference.convolution import (
    Block,
    Chosen,
    Convolution,
    convolve,
    each_block,
)
from upconv.converters.reference.run import bind
from upconv.converters.reference.threads import each
from upconv.converters.reference.windows import Windows

Place: TypeAlias = tuple[int | slice, ...]
BoundedSink: TypeAlias = Callable[[Place, Array, Array], None]
"""(place, exact values there, no more than the theorem's bound on their error)"""


@dataclass(frozen=True, slots=True)
class Near:
    """The inputs of another run that differ little, and who is given what the layer makes of them:
    (place, exact values of the first run, how far those of this one may lie from them, and no more
    than the theorem's bound on their error)."""

    inputs: Sequence[Any]
    sink: Callable[[Place, Array, Array, Array], None]


def in_bounded_blocks(
    layer: Layer,
    inputs: Sequence[Any],
    sink: BoundedSink,
    chosen: Chosen | None = None,
    near: Near | None = None,
) -> None:
    """Give `sink` the blocks of a convolution's output, (N, C, spatial...), from several threads;
    all of them, or those that are `chosen`. What it is given is only valid until it returns."""
    op = layer.operator
    assert isinstance(op, ops.Conv)
    call = bind(layer, inputs)
    work = Convolution(call.x, call.weights["weight"], Windows.of(op), call.spatial, op.groups)
    found = COUNTS[ops.Conv](op, call)
    assert found is not None
    counts = np.broadcast_to(np.asarray(found), call.spatial)
    stored = call.channels("bias")
    bias = None if stored is None else stored[0]
    apart = None if near is None else _apart(work, near.inputs[0])

    def bounded(block: Block) -> None:
        values, sizes = block.values, block.sizes
        assert sizes is not None
        if bias is not None:
            values += bias
            sizes += np.abs(bias)
        place = (block.n, slice(None), block.rows)
        sink(place, values, error_bound(values, sizes, counts[block.rows]))
        if near is not None and apart is not None:
            lost = apart(block)
            np.maximum(sizes - lost, 0, out=sizes)
            near.sink(place, values, lost, error_bound(values, sizes, counts[block.rows]))

    with np.errstate(all="ignore"):  # NaN and infinity are values here, as in the reference
        each_block(work, bounded, sized=True, chosen=chosen)


ROUNDED_UP: Final = 1 + 2.0**-28
"""More than float64 loses in a sum of LARGEST_COUNT squares, and its root."""


def _apart(work: Convolution, other: Array) -> Callable[[Block], Array]:
    """What is at least sum |d||w| of a block's outputs, d the difference of `other` to its inputs:
    (C_out, rows, spatial out[1:]...), or (1...) where there is none."""
    if other is work.x:
        return lambda block: np.zeros((1,) * (1 + len(work.spatial)))
    shape = (work.x.shape[0], work.groups, *work.x.shape[2:])
    energy = np.zeros(shape)
    each(lambda part: _add_energy(work.x, other, energy, part), range(shape[0] * shape[1]))
    taps: Array = np.ones((work.groups, 1, *work.windows.kernel))
    lengths = np.sqrt(convolve(energy, taps, work.windows, work.spatial, work.groups))
    weights = _lengths(work)
    per_group = len(weights) // work.groups

    def of(block: Block) -> Array:
        window = np.repeat(lengths[block.n, :, block.rows], per_group, axis=0)
        found: Array = weights.reshape(-1, *(1 for _ in work.spatial)) * window * ROUNDED_UP
        return found

    return of


def _add_energy(x: Array, other: Array, energy: Array, part: int) -> None:
    """The sum of squares over the channels of one group of one entry of the batch."""
    n, group = divmod(part, energy.shape[1])
    channels = x.shape[1] // energy.shape[1]
    for channel in range(group * channels, (group + 1) * channels):
        difference = np.asarray(x[n, channel], np.float64) - other[n, channel]
        np.square(difference, out=difference)
        energy[n, group] += difference


def _lengths(work: Convolution) -> Array:
    """The root of the sum of squares of each output channel's weights, (C_out)."""
    found: Array = np.empty(work.weight.shape[0])

    def measure(channel: int) -> None:
        taps = work.weight[channel].reshape(-1)
        found[channel] = np.sqrt(taps @ taps)

    each(measure, range(len(found)))
    return found
