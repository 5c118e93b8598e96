"""What the forms of a bilinear layer cost in onnxruntime: a model that was fitted to measurements.

Per output value, in nanoseconds of one thread; only the ratio of two forms matters, and which is
less is the same on other processors as far as it was seen. `benchmarks/bilinear_forms.py` measures;
the test of this module holds the choice against what it measured.

- separable: the transposed convolution of one axis writes 1/f of the output, that of the other all
  of it. Each is a matrix product of k taps and a scatter, which strides over f places.
- matmul: a product with the input's size as its depth, on both axes. It reads no scattered memory,
  but grows with the image: large factors of small images are its home.

The one grouped node was slower than the separable form on every shape that was measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log2
from typing import Final

SCATTER: Final = 0.6
"""Of one value that a separable pass writes."""

STRIDING: Final = 0.27
"""More of it with each doubling of the factor."""

WRITE: Final = 0.38
"""Of one value that a matrix product writes."""

MULTIPLY: Final = 0.0185
"""Of one multiplication in it."""


def separable_cost(strides: Sequence[int]) -> float:
    """Of one output value, with these factors (height, width).

    >>> round(separable_cost((2, 2)), 3)
    1.305
    """
    high, wide = strides
    passes = (SCATTER + STRIDING * log2(high)) / wide, SCATTER + STRIDING * log2(wide)
    return sum(passes)


def matmul_cost(sizes: Sequence[int], strides: Sequence[int]) -> float:
    """Of one output value, from an input of these sizes (height, width).

    >>> matmul_cost((16, 16), (32, 32)) < separable_cost((32, 32))
    True
    """
    height, width = sizes
    return WRITE + MULTIPLY * (height / strides[1] + width)
