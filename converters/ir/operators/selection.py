"""Operators that pick values: by number, by place."""

from __future__ import annotations

from typing import Literal

from upconv.converters.ir.operators.types import Ints
from upconv.converters.ir.records import record


@record(frozen=True, slots=True)
class Gather:
    """Entries of an axis by their numbers, in any order and as often as they are named.

    `indices`, counted from the front, are the new axis's entries. Where they are None the second
    input holds them, whole numbers of which negative ones count from the end, and its axes stand
    in the place of `axis` (ONNX Gather).
    """

    axis: int
    indices: Ints | None = None


@record(frozen=True, slots=True)
class Embedding:
    """Rows of a stored table by their numbers, counted from the front: whole numbers of any shape
    (...) become (..., features). Weight: table (entries, features)."""

    entries: int
    features: int


@record(frozen=True, slots=True)
class RoiMaxPool:
    """The largest values in each cell of each region: x (N, C, H, W), regions (R, 5), result
    (R, C, size...).

    A region is (image, left, top, right, bottom), its corners times `scale` rounded half away from
    zero to pixels of x that both belong to it, and at least one pixel large. Cell i of n of a side
    of s pixels goes from floor(i * (s / n)) to ceil((i + 1) * (s / n)), cut at the border of x, and
    is 0 where nothing is left. All this is float32 arithmetic (Caffe's fork of Fast R-CNN,
    roi_pooling_layer.cpp; ONNX MaxRoiPool). An image that is not there is an error of the data.
    """

    size: Ints
    scale: float


@record(frozen=True, slots=True)
class GridSample:
    """x at places that a second input names: x (N, C, spatial...), grid (N, out..., axes), result
    (N, C, out...).

    A place is one number per spatial axis, the last axis first (x, y, z), as in PyTorch and ONNX:
    -1 and 1 are the outer edges of the first and last pixel, or with `align_corners` their
    centres. "cubic" is Keys' kernel with a = -0.75. A pixel outside is 0, the pixel at the border,
    or the one that the border (a pixel's outer edge, with align_corners its centre) mirrors.
    "nearest" rounds half to even.
    """

    mode: Literal["nearest", "linear", "cubic"]
    padding: Literal["zeros", "border", "reflection"]
    align_corners: bool
