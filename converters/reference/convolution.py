"""Convolution and inner product, in blocks that stay in the processor's cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir import operators as ops
from upconv.converters.reference.call import MEANINGS, Array, Blocks, Operands
from upconv.converters.reference.threads import each
from upconv.converters.reference.windows import Windows, region

SCRATCH = 1 << 17
"""Values of one block's sums, 1 MB of them: they are added to once per tap."""

LONG_PART: Final = 512
"""Products in a part of a sum, from which on blocks are four times as large: sums are added to
rarely then, and matrix products are faster."""

LARGEST_SCRATCH = 1 << 20
"""Values in one block of unrolled windows, and in one block of widened weights."""

LARGEST_TAPS: Final = 1 << 23
"""Values of a weight that is widened and sorted by its taps as a whole."""

FEWEST_PARTS: Final = 8
"""Parts of a sum whose sizes stand for those of its products: of fewer, all may happen to be small.
"""

SHORTEST_PART: Final = 8
"""Products in such a part, where there are as many: a matrix product of fewer is slow."""

WORTH_SKIPPING: Final = 0.6
"""The share of windows that differ from the one before, below which only these are computed."""

Slices: TypeAlias = tuple[slice, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """Sums of a convolution at some rows of the first spatial axis of one entry of the batch.

    values (C_out, rows, spatial out[1:]...). `sizes` is of the same shape where it was asked for:
    the sum of |part| over parts of each sum, which is at most its sum of |x||w| and no less than
    |values|. Both are only valid until the next block.
    """

    n: int
    rows: slice
    values: Array
    sizes: Array | None


Sink: TypeAlias = Callable[[Block], None]


@MEANINGS.register(ops.Conv)
def _conv(op: ops.Conv, call: Operands) -> tuple[Array, ...]:
    windows = Windows.of(op)
    weight = call.weights["weight"]
    result = convolve(call.x, weight, windows, call.spatial, op.groups)
    return (add_bias(result, call),)


def add_bias(values: Array, call: Operands) -> Array:
    """values (N, C, spatial...) plus the weight bias (C) where there is one, in place."""
    bias = call.channels("bias")
    if bias is not None:
        values += bias
    return values


def convolve(
    x: Array, weight: Blocks, windows: Windows, spatial: Sequence[int], groups: int = 1
) -> Array:
    """Convolution without a bias, in the precision of the weight.

    x (N, C_in, spatial in...), weight (C_out, C_in/groups, k...), result (N, C_out, spatial
    out...), `spatial` the output's sizes:
    y[n, o, i] = sum over c, j of x[n, c, s*i + d*j - p] * w[o, c, j].
    """
    out: Array = np.empty((x.shape[0], weight.shape[0], *spatial), weight.dtype)

    def keep(block: Block) -> None:
        out[block.n, :, block.rows] = block.values

    if out.size:
        each_block(Convolution(x, weight, windows, tuple(spatial), groups), keep)
    return out


@dataclass(frozen=True, slots=True)
class Convolution:
    """What a convolution is of: see `convolve`."""

    x: Array
    weight: Blocks
    windows: Windows
    spatial: tuple[int, ...]
    groups: int = 1

    @property
    def depth(self) -> int:
        """Products in a sum."""
        return prod(self.weight.shape[1:])

    @property
    def slides(self) -> bool:
        """Whether a tap of all windows is one piece of a flat image, so that it need not be copied,
        and the weights are few enough to be sorted by taps."""
        is_small = prod(self.weight.shape) <= LARGEST_TAPS
        return self.groups == 1 and set(self.windows.stride) == {1} and is_small


Chosen: TypeAlias = Callable[[Sequence[tuple[int, slice]]], Sequence[tuple[int, slice]]]
"""Which of the blocks, (n, rows), are computed."""


def each_block(
    work: Convolution, sink: Sink, sized: bool = False, chosen: Chosen | None = None
) -> None:
    """Give `sink` every block of a convolution, or those that are `chosen`, from several threads;
    with `sized`, the sizes of parts beside the sums."""
    is_long = work.slides and part_of(work.depth) >= LONG_PART
    blocks = list(_blocks(work, 4 * SCRATCH if is_long else SCRATCH))
    if chosen is not None:  # small ones, so that a few of them are a small share
        blocks = list(chosen(list(_blocks(work, 1))))
    compute = block_of(work, sized)
    each(lambda block: sink(compute(*block)), blocks)


def block_of(work: Convolution, sized: bool = False) -> Callable[[int, slice], Block]:
    """What computes a block, (n, rows of the first spatial axis), from any thread."""
    by_taps = _sorted_by_taps(work) if work.slides else None
    widened = work.weight[...] if prod(work.weight.shape) <= LARGEST_SCRATCH else work.weight

    def compute(n: int, rows: slice) -> Block:
        if by_taps is not None:
            values, sizes = _slid(work, by_taps, n, rows, sized)
        else:
            values, sizes = _unrolled(work, widened, n, rows, sized)
        return Block(n, rows, values, sizes)

    return compute


def _blocks(work: Convolution, most: int) -> Iterator[tuple[int, slice]]:
    """(n, rows of the first spatial axis), of `most` values where that is a row; two per entry at
    least where there are two rows."""
    spatial = work.spatial
    across = max(prod(spatial[1:]), 1)
    rows = max(most // (work.weight.shape[0] * across), 1)
    if not work.slides and most > 1:  # large weights are not to be walked for a few windows
        rows = max(rows, LARGEST_SCRATCH // (work.windows.taps * across * work.groups), 1)
    rows = min(rows, -(-spatial[0] // 2))
    for n in range(work.x.shape[0]):
        for top in range(0, spatial[0], rows):
            yield n, slice(top, min(top + rows, spatial[0]))


def part_of(depth: int) -> int:
    """How many of a sum's `depth` products one part has."""
    return max(-(-depth // FEWEST_PARTS), min(SHORTEST_PART, depth))


# Windows that slide: each tap of all windows is one piece of the flat image


def _sorted_by_taps(work: Convolution) -> Array:
    """(taps, C_out, C_in)."""
    outputs, inputs = work.weight.shape[:2]
    weight = work.weight[...].reshape(outputs, inputs, -1)
    return np.ascontiguousarray(np.moveaxis(weight, 2, 0))


def _slid(
    work: Convolution, taps: Array, n: int, rows: slice, sized: bool
) -> tuple[Array, Array | None]:
    """The sums of some rows: rows of the padded image behind each other are one long row, in which
    the window that begins at place p reads tap j at p + offset(j). Places that are beyond the
    output's last column are computed as well, and left out at the end."""
    windows, count = work.windows, rows.stop - rows.start
    out = (count, *work.spatial[1:])
    box = tuple(size + extent - 1 for size, extent in zip(out, windows.extent, strict=True))
    starts = (rows.start - windows.begin[0], *(-begin for begin in windows.begin[1:]))
    band = region(work.x[n], starts, box, dtype=taps.dtype)
    flat = np.ascontiguousarray(band).reshape(len(band), -1)
    steps = [prod(box[axis + 1 :]) for axis in range(len(box))]
    offsets = [
        sum(map(int.__mul__, map(int.__mul__, offset, windows.dilation), steps))
        for offset in windows.offsets()
    ]
    length = 1 + sum((size - 1) * step for size, step in zip(out, steps, strict=True))
    places = _distinct(flat, offsets, length, box[-1])
    sums = _tap_sums(taps, flat, offsets, length, None if places is None else places[0], sized)
    inside = (slice(None), slice(None), *map(slice, work.spatial[1:]))
    whole = (taps.shape[1], count, *box[1:])
    values, sizes = (_laid_out(one, places, whole)[inside] if one is not None else None
                     for one in sums)  # fmt: skip
    assert values is not None
    return values, sizes


def _tap_sums(
    taps: Array,
    flat: Array,
    offsets: Sequence[int],
    length: int,
    places: NDArray[np.int64] | None,
    sized: bool,
) -> tuple[Array, Array | None]:
    """(C_out, places) of flat (C_in, pixels), and the sizes of its parts."""
    count = length if places is None else len(places)
    values = np.zeros((taps.shape[1], count), taps.dtype)
    sizes = np.zeros_like(values) if sized else None
    product = np.empty_like(values)
    step = min(part_of(taps.shape[2] * len(taps)), taps.shape[2])
    for tap, offset in zip(taps, offsets, strict=True):
        columns = flat[:, offset : offset + length] if places is None else flat[:, places + offset]
        for first in range(0, len(flat), step):
            part = slice(first, first + step)
            np.matmul(tap[:, part], columns[part], out=product)
            _add(values, sizes, product)
    return values, sizes


def _add(values: Array, sizes: Array | None, product: Array) -> None:
    values += product
    if sizes is not None:
        np.abs(product, out=product)
        sizes += product


Distinct: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int64]]


def _distinct(flat: Array, offsets: Sequence[int], length: int, width: int) -> Distinct | None:
    """(places of windows that differ from the one before, and for each place the last of these up
    to it); None where most do. Behind an impulse there is nothing but the same background."""
    if np.count_nonzero(flat[0, 1:] != flat[0, :-1]) > WORTH_SKIPPING * flat.shape[1]:
        return None
    moves = np.ones(flat.shape[1], np.bool_)
    np.any(flat[:, 1:] != flat[:, :-1], axis=0, out=moves[1:])
    differs = np.zeros(length, np.bool_)
    for offset in set(offsets):
        differs |= moves[offset : offset + length]
    differs[::width] = True
    places = np.flatnonzero(differs)
    return (places, np.cumsum(differs) - 1) if len(places) < WORTH_SKIPPING * length else None


def _laid_out(values: Array, places: Distinct | None, shape: tuple[int, ...]) -> Array:
    """The values (C_out, places) in an array of this shape, whose last ones are left open."""
    whole = np.empty((shape[0], prod(shape[1:])), values.dtype)
    known = values if places is None else values[:, places[1]]
    whole[:, : known.shape[1]] = known
    return whole.reshape(shape)


# Windows that are unrolled (im2col)


def _unrolled(
    work: Convolution, weight: Blocks, n: int, rows: slice, sized: bool
) -> tuple[Array, Array | None]:
    """The sums of some rows, from windows that are copied for some channels at a time."""
    groups, across = work.groups, prod(work.spatial[1:])
    x = work.x[n].reshape(groups, -1, *work.x.shape[2:])
    places = (rows.stop - rows.start) * across
    values = np.zeros((groups, work.weight.shape[0] // groups, places), work.weight.dtype)
    sizes = np.zeros_like(values) if sized else None
    room = LARGEST_SCRATCH // max(groups * work.windows.taps * places, 1)
    step = max(min(room, x.shape[1]), 1)
    for first in range(0, x.shape[1], step):
        channels = slice(first, first + step)
        view = _windows(x[:, channels], work.windows, rows, work.spatial, work.weight.dtype)
        columns = np.ascontiguousarray(view).reshape(groups, -1, places)
        _accumulate(values, sizes, weight, channels, columns, part_of(work.depth))
    shape = (work.weight.shape[0], rows.stop - rows.start, *work.spatial[1:])
    return values.reshape(shape), None if sizes is None else sizes.reshape(shape)


def _windows(
    x: Array, windows: Windows, rows: slice, spatial: Sequence[int], dtype: np.dtype[Any]
) -> Array:
    """x (groups, C, spatial in...) as (groups, C, kernel..., output places of these rows...)."""
    top = windows.stride[0] * rows.start - windows.begin[0]
    height = windows.stride[0] * (rows.stop - rows.start - 1) + windows.extent[0]
    band = region(x, (top, *(0 for _ in spatial[1:])), (height, *x.shape[3:]), dtype=dtype)
    block = Windows(windows.kernel, windows.stride, windows.dilation, (0, *windows.begin[1:]))
    return block.view(band, (rows.stop - rows.start, *spatial[1:]))


def _accumulate(
    values: Array,
    sizes: Array | None,
    weight: Blocks,
    channels: slice,
    columns: Array,
    part: int,
) -> None:
    """Add weight times columns (groups, C/groups * taps, places) to values (groups, C_out/groups,
    places), and the sizes of products of `part` rows to `sizes`."""
    groups, per_group = values.shape[:2]
    depth = columns.shape[1]
    step = min(max(LARGEST_SCRATCH // depth, 1), per_group)
    for group in range(groups):
        for first in range(0, per_group, step):
            last = min(first + step, per_group)
            found = weight[group * per_group + first : group * per_group + last, channels]
            matrix = found.reshape(last - first, -1)
            to = group, slice(first, last)
            if sizes is None:
                values[to] += matrix @ columns[group]
                continue
            for start in range(0, depth, part):
                inner = slice(start, start + part)
                _add(values[to], sizes[to], matrix[:, inner] @ columns[group, inner])


@MEANINGS.register(ops.Linear)
def _linear(op: ops.Linear, call: Operands) -> tuple[Array, ...]:
    """y[..., o] = sum over i of x[..., i] * w[o, i] + b[o]; the weight widened in blocks."""
    lead = call.shape[:-1]
    weight = call.weights["weight"]
    features = weight.shape[0] if op.transposed else prod(weight.shape[1:])
    x = call.x.reshape(prod(lead), features)
    out = np.empty((prod(lead), op.out_features))
    step = max(LARGEST_SCRATCH // max(features, 1), 1)

    def fill(first: int) -> None:
        block = slice(first, first + step)
        matrix = weight[:, block] if op.transposed else weight[block].reshape(-1, features).T
        out[:, block] = x @ matrix

    each(fill, range(0, op.out_features, step))
    bias = call.weight("bias")
    if bias is not None:
        out += bias.reshape(-1)
    return (out.reshape(call.shape),)


@MEANINGS.register(ops.MatMul)
def _matmul(op: ops.MatMul, call: Operands) -> tuple[Array, ...]:
    """y[..., m, n] = sum over k of x[..., m, k] * z[..., k, n]."""
    left, right = call.inputs
    return (np.matmul(left, right),)


@MEANINGS.register(ops.Constant)
def _constant(op: ops.Constant, call: Operands) -> tuple[Array, ...]:
    """The stored values."""
    return (call.weights["value"][...],)
