"""The filter weights of torch's antialiased interpolation, as a matrix along one axis."""

from __future__ import annotations

from typing import Any

from upconv.converters.ir.tensors import ArrayData, FloatArray

SUPPORT = {"linear": 1, "cubic": 2}


def antialias_matrix(mode: str, before: int, after: int, step: float, cubic_a: float) -> ArrayData:
    """The matrix (after, before) of an axis, with `step` input pixels per output pixel.

    Output i is centred on step*(i + 1/2); the filter is as many pixels wide as it would be
    without antialiasing, times the step where that is above 1, and its weights inside of the
    input sum to 1 (aten/src/ATen/native/cpu/UpSampleKernel.cpp, _compute_indices_weights_aa).
    """

    def compute() -> FloatArray:
        import numpy as np

        stretch = max(step, 1.0)
        reach = SUPPORT[mode] * stretch
        matrix = np.zeros((after, before))
        for i in range(after):
            centre = step * (i + 0.5)
            first = max(int(centre - reach + 0.5), 0)
            last = min(int(centre + reach + 0.5), before)
            distance = (np.arange(first, max(last, first + 1)) - centre + 0.5) / stretch
            weights = _filter(mode, distance, cubic_a)
            matrix[i, first : first + len(weights)] = weights / weights.sum()
        return matrix.astype(np.float32)

    return ArrayData((after, before), compute)


def _filter(mode: str, distance: Any, a: float) -> Any:
    import numpy as np

    d = np.abs(distance)
    if mode == "linear":
        return np.maximum(1 - d, 0)
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(d < 1, near, np.where(d < 2, far, 0))
