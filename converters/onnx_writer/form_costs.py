"""What the forms of a bilinear layer cost in onnxruntime: a model that was fitted to measurements.

Per output value, in nanoseconds of one thread; only the ratio of two forms matters, and which is
less is the same on other processors as far as it was seen. `benchmarks/bilinear_forms.py` measures;
the test of this module holds the choice against what it measured.

- separable: the transposed convolution of one axis writes a share of the output, that of the last
  all of it. Each is a matrix product of k taps and a scatter, which strides over f places. Of one
  axis it is the layer's own node.
- matmul: a product with the input's size as its depth, on all axes. It reads no scattered memory,
  but grows with the image: large factors of small images are its home, and volumes.
- resize: the same for every factor, so that it is the cheaper one of large factors where the sizes
  are open.

The one grouped node of two axes or three was slower than the separable form on every shape.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import inf, log2, prod
from typing import Final

SCATTER: Final = 0.6
"""Of one value that a separable pass writes."""

STRIDING: Final = 0.27
"""More of it with each doubling of the factor."""

SCATTER_IN_VOLUME: Final = 2.2
"""How much longer both take among three axes: onnxruntime has no code of its own for them."""

ONE_LINE: Final = 1.5
"""Of one value that the node of one axis writes, whatever its factor."""

ONE_GROUP: Final = 200.0
"""Of one channel of that node: it is a matrix product of its own."""

WRITE: Final = {1: 0.75, 2: 0.38, 3: 0.73}
"""Of one value that matrix products write, by the number of axes."""

MULTIPLY: Final = 0.0185
"""Of one multiplication in them."""

RESIZE: Final = {1: 3.4, 2: 1.9, 3: 3.7}
"""Of one value that Resize writes and the border's map scales, by the number of axes."""


def separable_cost(strides: Sequence[int], sizes: Sequence[int | None] = ()) -> float:
    """Of one output value, with these factors (height, width); `sizes` are of the input.

    >>> round(separable_cost((2, 2)), 3)
    1.305
    """
    if len(strides) == 1:
        size = next(iter(sizes), None)
        return ONE_LINE + (ONE_GROUP / (size * strides[0]) if size else 0.0)
    slow = SCATTER_IN_VOLUME if len(strides) > 2 else 1.0
    passes = (
        (SCATTER + STRIDING * log2(stride)) / prod(strides[at + 1 :])
        for at, stride in enumerate(strides)
    )
    return slow * sum(passes)


def matmul_cost(strides: Sequence[int], sizes: Sequence[int | None]) -> float:
    """Of one output value, from an input of these sizes (height, width); infinite where they are
    open, for such matrices are made in each run.

    >>> matmul_cost((32, 32), (16, 16)) < separable_cost((32, 32))
    True
    """
    depth = 0.0
    for at, size in enumerate(sizes):
        if size is None:
            return inf
        depth += size / prod(strides[at + 1 :])
    return WRITE[len(strides)] + MULTIPLY * depth


def resize_cost(strides: Sequence[int], sizes: Sequence[int | None] = ()) -> float:
    """Of one output value.

    >>> resize_cost((32, 32)) < separable_cost((32, 32))
    True
    """
    return RESIZE[len(strides)]


COSTS: Final = {"separable": separable_cost, "matmul": matmul_cost, "resize": resize_cost}


def cheapest(strides: Sequence[int], sizes: Sequence[int | None], there: Collection[str]) -> str:
    """The form among those that are `there` with the least cost, for these factors and sizes of the
    input, None where they are open.

    >>> cheapest((8, 8), (None, None), ("separable", "matmul", "resize"))
    'separable'
    >>> cheapest((2, 2, 2), (16, 16, 16), ("separable", "matmul", "resize"))
    'matmul'
    """
    return min(there, key=lambda form: COSTS[form](strides, sizes))
