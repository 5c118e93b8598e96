"""TensorFlow's interpolations at fixed sizes, as one matrix along each axis.

ONNX's Resize has neither TensorFlow's table of cubic coefficients nor its areas and kernels. Where
the sizes are known, each of them is a product with a constant matrix along every axis, in
TensorFlow's own numbers: they are computed in float32 as it does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import ceil, floor, pi, sin
from typing import Any, Final, Literal, TypeAlias

from upconv.converters.ir.operators import Linear, Operator, Permute
from upconv.converters.ir.tensors import ArrayData, Weight

Mode: TypeAlias = Literal["half_pixel", "asymmetric", "align_corners"]
Emit: TypeAlias = Callable[[Operator, Sequence[str], Mapping[str, Weight], str], str]
"""(operator, inputs, weights, suffix) -> the name of the output of a layer that is appended."""
Row: TypeAlias = Sequence[tuple[int, Any]]
"""What one output pixel is made of: (input pixel, weight)."""
Rows: TypeAlias = Callable[[int, int, int], Row]
"""(input size, output size, output pixel) -> its row."""

MOST: Final = 1 << 24
"""Entries of one matrix; a larger one costs more than the image."""
_STEPS: Final = 1024
_SMALLEST: Final = 1000 * 1.17549435e-38


def resampled(
    emit: Emit, x: str, before: Sequence[int], after: Sequence[int], rows: Sequence[Rows]
) -> str:
    """x (N, C, H, W) of the sizes `before` as (N, C, H', W') of the sizes `after`."""
    turned = Permute((0, 1, 3, 2))
    for axis, suffix in ((1, "rows"), (0, "columns")):
        weights = {"weight": matrix(before[axis], after[axis], rows[axis])}
        x = emit(Linear(after[axis], 3, transposed=True), [x], weights, suffix)
        x = emit(turned, [x], {}, "" if axis == 0 else "turned")
    return x


def matrix(before: int, after: int, rows: Rows) -> Weight:
    """(before, after): column i holds what output pixel i is made of."""

    def compute() -> Any:
        import numpy as np

        values = np.zeros((before, after), np.float32)
        for pixel in range(after):
            for source, weight in rows(before, after, pixel):
                values[source, pixel] += weight
        return values

    return Weight((before, after), ArrayData((before, after), compute))


def _scale(before: int, after: int, corners: bool) -> Any:
    """CalculateResizeScale of image_resizer_state.h."""
    import numpy as np

    aligned = corners and after > 1
    return (
        np.float32(before - 1) / np.float32(after - 1)
        if aligned
        else np.float32(np.float32(before) / np.float32(after))
    )


def bicubic(mode: Mode) -> Rows:
    """By a table of 1024 steps: Keys's a = -0.5 and pixels inside alone for half pixels, else
    a = -0.75 and the border repeated (tensorflow/core/kernels/image/resize_bicubic_op.cc)."""

    def rows(before: int, after: int, pixel: int) -> Row:
        import numpy as np

        half = mode == "half_pixel"
        scale, at = _scale(before, after, mode == "align_corners"), np.float32(pixel)
        place = (at + np.float32(0.5)) * scale - np.float32(0.5) if half else at * scale
        first = floor(place)
        step = int(np.rint((place - np.float32(first)) * np.float32(_STEPS)))
        a = -0.5 if half else -0.75
        distances = (_STEPS + step, step, _STEPS - step, 2 * _STEPS - step)
        weights = [_cubic(n / _STEPS, a) for n in distances]
        sources = [first + tap - 1 for tap in range(4)]
        if not half:
            inside = [min(max(source, 0), before - 1) for source in sources]
            return list(zip(inside, weights, strict=True))
        kept = [(s, w) for s, w in zip(sources, weights, strict=True) if 0 <= s < before]
        return _mean(kept)

    return rows


def _cubic(distance: float, a: float) -> float:
    """Keys 1981, equation 4."""
    x = abs(distance)
    if x <= 1:
        return ((a + 2) * x - (a + 3)) * x * x + 1
    return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a if x < 2 else 0.0


def _mean(row: Row) -> Row:
    total = sum(weight for _, weight in row)
    return [(s, w / total) for s, w in row] if abs(total) >= _SMALLEST else row


def area(mode: Mode) -> Rows:
    """The mean over what an output pixel covers (resize_area_op.cc)."""

    def rows(before: int, after: int, pixel: int) -> Row:
        import numpy as np

        scale = _scale(before, after, mode == "align_corners")
        low, high = np.float32(pixel) * scale, np.float32(pixel + 1) * scale
        row = []
        for source in range(floor(low), ceil(high)):
            covered = min(float(source + 1), float(high)) - max(float(source), float(low))
            row.append((min(max(source, 0), before - 1), covered / float(scale)))
        return row

    return rows


def kernel(kind: str, antialias: bool, scale: float, translation: float) -> Rows:
    """A kernel of `KERNELS` around each pixel's centre, as wide as the scale where antialiased
    (tensorflow/core/kernels/image/scale_and_translate_op.cc)."""
    radius, weigh = KERNELS[kind]

    def rows(before: int, after: int, pixel: int) -> Row:
        import numpy as np

        one, half = np.float32(1), np.float32(0.5)
        inverse = one / np.float32(scale)
        wide = max(inverse, one) if antialias else one
        place = np.float32(pixel + 0.5) * inverse - inverse * np.float32(translation)
        if not 0 <= place <= before:
            return []
        reach = np.float32(radius) * wide
        first, last = max(ceil(place - reach - half), 0), floor(place + reach - half)
        last = min(last, before - 1)
        found = range(first, last + 1)
        return _mean(
            [(source, weigh(float((np.float32(source + 0.5) - place) / wide))) for source in found]
        )

    return rows


def _lanczos(radius: int) -> Callable[[float], float]:
    def weigh(distance: float) -> float:
        x = abs(distance)
        if x > radius:
            return 0.0
        if x <= 1e-3:
            return 1.0
        return radius * sin(pi * x) * sin(pi * x / radius) / (pi * pi * x * x)

    return weigh


def _mitchell(distance: float) -> float:
    x = abs(distance)
    if x < 1:
        return ((7 / 6) * x - 2) * x * x + 8 / 9
    return ((-7 / 18 * x + 2) * x - 10 / 3) * x + 16 / 9 if x < 2 else 0.0


KERNELS: Final[Mapping[str, tuple[float, Callable[[float], float]]]] = {
    "lanczos1": (1.0, _lanczos(1)),
    "lanczos3": (3.0, _lanczos(3)),
    "lanczos5": (5.0, _lanczos(5)),
    "triangle": (1.0, lambda distance: max(1.0 - abs(distance), 0.0)),
    "keyscubic": (2.0, lambda distance: _cubic(distance, -0.5)),
    "mitchellcubic": (2.0, _mitchell),
}
"""TensorFlow's name of a kernel -> its radius, and its value at a distance
(tensorflow/core/kernels/image/sampling_kernels.h). Its gaussian and box end in a jump, so that
rounding, which differs between processors, decides about a pixel at their edge: they are not
here."""
