"""Sums of products block by block, each with a bound that costs next to nothing.

The theorem of `bounds` weighs sum |x||w|, which is a second evaluation. Whoever only asks whether
an error is within it may ask a smaller number first: the sum of |p| over parts p of the sum, which
an evaluation has at hand, is at most sum |x||w|, and is small only where all parts happen to be.

What float64 loses in it and in the exact value, n * 2^-53 of sum |x||w|, is covered as there: by
the factor 1 + 2^-28 where the smaller number is near the true one, and else by what it falls short.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer
from upconv.converters.reference.bounds import COUNTS, error_bound
from upconv.converters.reference.call import Array
from upconv.converters.reference.convolution import Block, Chosen, Convolution, each_block
from upconv.converters.reference.run import bind
from upconv.converters.reference.windows import Windows

Place: TypeAlias = tuple[int | slice, ...]
BoundedSink: TypeAlias = Callable[[Place, Array, Array], None]
"""(place, exact values there, no more than the theorem's bound on their error)"""


def in_bounded_blocks(
    layer: Layer, inputs: Sequence[Any], sink: BoundedSink, chosen: Chosen | None = None
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

    def bounded(block: Block) -> None:
        values, sizes = block.values, block.sizes
        assert sizes is not None
        if bias is not None:
            values += bias
            sizes += np.abs(bias)
        bound = error_bound(values, sizes, counts[block.rows])
        sink((block.n, slice(None), block.rows), values, bound)

    with np.errstate(all="ignore"):  # NaN and infinity are values here, as in the reference
        each_block(work, bounded, sized=True, chosen=chosen)
