"""Sums of products block by block, each with a bound that costs next to nothing.

The theorem of `bounds` weighs sum |x||w|, which is a second evaluation. Whoever only asks whether
an error is within it may ask a smaller number first: the sum of |p| over parts p of the sum, which
an evaluation has at hand, is at most sum |x||w|, and is small only where all parts happen to be.

Values near others cost next to nothing: for inputs x + d the exact value is within sum |d||w| of
that for x, and sum |x + d||w| no smaller than sum |x||w| by more than that. It is at most the
length of d's window times that of w (Cauchy and Schwarz). So one evaluation serves all runs of a
network, where x is the reference's own value and d what float32 made of it, or another run did:
some roundings of x, of which the bound has one for each of n products.

What float64 loses in it and in the exact value, n * 2^-53 of sum |x||w|, is covered as there: by
the factor 1 + 2^-28 where the smaller number is near the true one, and else by what it falls short.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
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


PartNear: TypeAlias = tuple[Place, Array, Array, Array]
"""(place, exact values there, how far those of a run may lie from them, no more than the theorem's
bound on their error)."""


@dataclass(frozen=True, slots=True)
class Near:
    """A run whose inputs differ little from those that are evaluated, and who is given what the
    layer makes of them, the parts of a block at once; and of blocks where that does not do, its
    own."""

    inputs: Sequence[Any]
    sink: Callable[[Iterable[PartNear]], bool]
    own: BoundedSink


def in_bounded_blocks(
    layer: Layer, inputs: Sequence[Any], sink: BoundedSink, chosen: Chosen | None = None
) -> bool:
    """Give `sink` the blocks of a convolution's output, (N, C, spatial...), from several threads;
    all of them, or those that are `chosen`. What it is given is only valid until it returns.
    Where a block is not within the first bound it has the theorem's own. Whether all are within
    theirs in the end."""
    one = _Bounded.of(layer, inputs)
    missed: list[Rows] = []

    def judge(block: Block) -> None:
        bound = one.add_bias(block)
        if not sink((block.n, slice(None), block.rows), block.values, bound):
            missed.append((block.n, block.rows))

    with np.errstate(all="ignore"):  # NaN and infinity are values here, as in the reference
        each_block(one.work, judge, sized=True, chosen=chosen)
        return one.judge_whole(missed, sink)


def near_blocks(
    layer: Layer, inputs: Sequence[Any], runs: Sequence[Near], kept: bool = True
) -> tuple[Array | None, list[bool]]:
    """Give each of the `runs`, whose inputs have the shape of these, all blocks of a convolution,
    from several threads. Where what is near does not do, it has the block of its own inputs, and at
    last with the theorem's own bound.

    The exact output of these inputs, (N, C, spatial...), where it is to be `kept`; whether all
    blocks are within their bound in the end, of each run.
    """
    one = _Bounded.of(layer, inputs)
    work = one.work
    shape = (work.x.shape[0], work.weight.shape[0], *work.spatial)
    exact: Array | None = np.empty(shape) if kept else None
    others = [_Bounded.of(layer, run.inputs) for run in runs]
    missed: list[list[Rows]] = [[] for _ in runs]
    with np.errstate(all="ignore"):
        apart = _Apart.of(work, [run.inputs[0] for run in runs])

        def judge(block: Block) -> None:
            assert block.sizes is not None
            one.bias_to(block)
            if exact is not None:
                exact[block.n, :, block.rows] = block.values
            is_finite = np.isfinite(block.sizes.max(initial=0))
            for at, run in enumerate(runs):
                if not (is_finite and run.sink(_parts_near(one, block, apart, at))):
                    missed[at].append((block.n, block.rows))

        each_block(work, judge, sized=True)
        return exact, [
            other.judge_whole(other.judge_by_parts(left, run.own), run.own)
            for other, run, left in zip(others, runs, missed, strict=True)
        ]


PART: Final = 1 << 14
"""Values of a block that are held against a run at a time: they stay in the innermost cache."""


def _parts_near(one: _Bounded, block: Block, apart: _Apart, run: int) -> Iterator[PartNear]:
    """Some channels of a block at a time."""
    values, sizes = block.values, block.sizes
    assert sizes is not None
    counts = one.counts[block.rows]
    step = max(PART // max(counts.size, 1), 1)
    for first in range(0, len(values), step):
        channels = slice(first, first + step)
        lost = apart.of_block(run, block, channels)
        left = np.subtract(sizes[channels], lost)
        np.maximum(left, 0, out=left)
        near = values[channels]
        yield (block.n, channels, block.rows), near, lost, error_bound(near, left, counts)


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
        self.bias_to(block)
        return self.bound(block)

    def bias_to(self, block: Block) -> None:
        assert block.sizes is not None
        if self.bias is not None:
            block.values[...] += self.bias
            block.sizes[...] += np.abs(self.bias)

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


@dataclass(frozen=True, slots=True)
class _Apart:
    """How far the inputs of runs lie from those of a convolution: of each run the lengths of the
    differences in each window (N, groups, spatial out...), None where there are none, and of each
    output channel the length of its weights (C_out, 1...)."""

    windows: Sequence[Array | None]
    weights: Array

    @classmethod
    def of(cls, work: Convolution, runs: Sequence[Array]) -> _Apart:
        differing = [None if other is work.x else _window_lengths(work, other) for other in runs]
        if all(one is None for one in differing):
            return cls(differing, np.zeros(0))
        lengths = _lengths(work) * ROUNDED_UP
        return cls(differing, lengths.reshape(-1, *(1 for _ in work.spatial)))

    def of_block(self, run: int, block: Block, channels: slice) -> Array:
        """What is at least sum |d||w| of some channels of a block's outputs, d the differences: of
        its shape, or (1...) where there are none."""
        lengths = self.windows[run]
        if lengths is None:
            return np.zeros((1,) * block.values.ndim)
        weights = self.weights[channels]
        groups = lengths.shape[1]
        window = lengths[block.n, :, block.rows]
        if groups > 1:
            outputs = np.arange(len(self.weights))[channels]
            window = window[outputs // (len(self.weights) // groups)]
        found: Array = weights * window
        return found


def _window_lengths(work: Convolution, other: Array) -> Array:
    shape = (work.x.shape[0], work.groups, *work.x.shape[2:])
    energy = np.zeros(shape)
    rows = range(0, shape[2], ROWS_AT_A_TIME)
    parts = [(n, group, top) for n in range(shape[0]) for group in range(shape[1]) for top in rows]
    each(lambda part: _add_energy(work.x, other, energy, part), parts)
    taps: Array = np.ones((work.groups, 1, *work.windows.kernel))
    return np.sqrt(convolve(energy, taps, work.windows, work.spatial, work.groups))


ROWS_AT_A_TIME: Final = 64
"""Of the first spatial axis, whose differences are summed up by one thread."""


def _add_energy(x: Array, other: Array, energy: Array, part: tuple[int, int, int]) -> None:
    """The sum of squares over the channels of one group of one entry of the batch, in some rows."""
    n, group, top = part
    rows = slice(top, top + ROWS_AT_A_TIME)
    channels = x.shape[1] // energy.shape[1]
    total = energy[n, group, rows]
    difference: Array = np.empty(total.shape)
    for channel in range(group * channels, (group + 1) * channels):
        np.subtract(x[n, channel, rows], other[n, channel, rows], out=difference, dtype=np.float64)
        np.square(difference, out=difference)
        total += difference


def _lengths(work: Convolution) -> Array:
    """The root of the sum of squares of each output channel's weights, (C_out)."""
    found: Array = np.empty(work.weight.shape[0])

    def measure(channel: int) -> None:
        taps = work.weight[channel].reshape(-1)
        found[channel] = np.sqrt(taps @ taps)

    each(measure, range(len(found)))
    return found
