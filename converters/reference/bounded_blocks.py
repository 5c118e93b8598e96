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
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer
from upconv.converters.reference.bounds import COUNTS, enlarged, error_bound
from upconv.converters.reference.call import FLOAT32, Array
from upconv.converters.reference.convolution import (
    Block,
    Chosen,
    Convolution,
    block_of,
    convolve,
    each_block,
)
from upconv.converters.reference.run import bind
from upconv.converters.reference.threads import each
from upconv.converters.reference.windows import Windows

Place: TypeAlias = tuple[int | slice, ...]
Rows: TypeAlias = tuple[int, slice]
"""(entry of the batch, rows of the first spatial axis)."""

BoundedSink: TypeAlias = Callable[[Place, Array, Array], bool]
"""(place, exact values there, no more than the theorem's bound on their error) -> whether what is
judged is within it; if not, it is asked again with more."""


@dataclass(frozen=True, slots=True)
class Near:
    """The inputs of another run that differ little, and who is given what the layer makes of them:
    (place, exact values of the first run, how far those of this one may lie from them, and no more
    than the theorem's bound on their error); and of the places where that does not do, its own.
    """

    inputs: Sequence[Any]
    sink: Callable[[Place, Array, Array, Array], bool]
    own: BoundedSink


def in_bounded_blocks(
    layer: Layer,
    inputs: Sequence[Any],
    sink: BoundedSink,
    chosen: Chosen | None = None,
    near: Near | None = None,
) -> bool:
    """Give `sink` the blocks of a convolution's output, (N, C, spatial...), from several threads;
    all of them, or those that are `chosen`. What it is given is only valid until it returns.
    Where a block is not within the first bound it has the theorem's own. Whether all are within
    theirs in the end."""
    one = _Bounded.of(layer, inputs)
    other = None if near is None else _Bounded.of(layer, near.inputs)
    apart = None if near is None else _apart(one.work, near.inputs[0])
    missed: list[Rows] = []
    missed_near: list[Rows] = []

    def judge(block: Block) -> None:
        place, sizes = (block.n, slice(None), block.rows), block.sizes
        assert sizes is not None
        bound = one.add_bias(block)
        if not sink(place, block.values, bound):
            missed.append((block.n, block.rows))
        if near is None or apart is None:
            return
        lost = apart(block)
        np.maximum(sizes - lost, 0, out=sizes)
        if not near.sink(place, block.values, lost, one.bound(block)):
            missed_near.append((block.n, block.rows))

    with np.errstate(all="ignore"):  # NaN and infinity are values here, as in the reference
        each_block(one.work, judge, sized=True, chosen=chosen)
        if other is not None and near is not None:
            missed_near = other.judge_by_parts(missed_near, near.own)
            return other.judge_whole(missed_near, near.own) & one.judge_whole(missed, sink)
        return one.judge_whole(missed, sink)


@dataclass(frozen=True, slots=True)
class _Bounded:
    """A convolution with its bias (C_out, 1...), and how many products touch each of its outputs
    (spatial out...)."""

    layer: Layer
    inputs: Sequence[Any]
    work: Convolution
    bias: Array | None
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, layer: Layer, inputs: Sequence[Any]) -> _Bounded:
        op = layer.operator
        assert isinstance(op, ops.Conv)
        call = bind(layer, inputs)
        work = Convolution(call.x, call.weights["weight"], Windows.of(op), call.spatial, op.groups)
        found = COUNTS[ops.Conv](op, call)
        assert found is not None
        counts = np.broadcast_to(np.asarray(found), call.spatial)
        stored = call.channels("bias")
        return cls(layer, inputs, work, None if stored is None else stored[0], counts)

    def add_bias(self, block: Block) -> Array:
        """The bias added to a block and to its sizes, in place; its bound."""
        assert block.sizes is not None
        if self.bias is not None:
            block.values[...] += self.bias
            block.sizes[...] += np.abs(self.bias)
        return self.bound(block)

    def bound(self, block: Block) -> Array:
        assert block.sizes is not None
        return error_bound(block.values, block.sizes, self.counts[block.rows])

    def judge_by_parts(self, blocks: Sequence[Rows], sink: BoundedSink) -> list[Rows]:
        """Give `sink` these blocks; those that are not within the bound by parts."""
        missed: list[Rows] = []
        if not blocks:
            return missed
        compute = block_of(self.work, sized=True)

        def judge(place: Rows) -> None:
            block = compute(*place)
            bound = self.add_bias(block)
            if not sink((block.n, slice(None), block.rows), block.values, bound):
                missed.append(place)

        each(judge, blocks)
        return missed

    def judge_whole(self, blocks: Sequence[Rows], sink: BoundedSink) -> bool:
        """Give `sink` these blocks with the theorem's own bound; whether all are within it."""
        if not blocks:
            return True
        call = bind(self.layer, self.inputs, magnitude=True, dtype=FLOAT32)
        weight = call.weights["weight"]
        sizes_of = block_of(replace(self.work, x=call.x, weight=weight))
        values_of = block_of(self.work)
        missed: list[Rows] = []

        def judge(place: Rows) -> None:
            block, counts = values_of(*place), self.counts[place[1]]
            sizes = enlarged(sizes_of(*place).values, counts, narrow=True)
            block = replace(block, sizes=None if sizes is None else np.asarray(sizes, np.float64))
            is_within = sizes is not None and sink(
                (block.n, slice(None), block.rows), block.values, self.add_bias(block)
            )
            if not is_within:
                missed.append(place)

        each(judge, blocks)
        return not missed


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
