"""UP325: calls that PyTorch refuses, when they are made or when they run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from upconv.linter.rule import Hit, rule

if TYPE_CHECKING:
    from upconv.linter.context import Context


@rule(
    "UP325",
    "refused-arguments",
    severity="error",
    source="torch/nn/functional.py",
    formats=("python", "pytorch"),
)
def refused_arguments(context: Context) -> Iterator[Hit]:
    """Arguments of an upsampling call that PyTorch refuses.

    What it finds:
        Arguments that do not exist, or are missing. Kernel sizes, strides, paddings and factors
        that are no whole numbers, out of range, or of another number of axes. Transposed
        convolutions whose groups do not divide their channels, or with another padding_mode than
        zeros. Interpolations with size and scale_factor both, or neither; with align_corners in
        mode nearest or area; with recompute_scale_factor and a size; with antialias in another mode
        than bilinear and bicubic; in a mode that does not exist.

    Why it is bad:
        It raises an error. Most of these modules are built without a word, and fail at the first
        image.

    Example:
        F.interpolate(x, scale_factor=2, mode="nearest", align_corners=False)

    Use instead:
        F.interpolate(x, scale_factor=2, mode="nearest")

    Fix safety:
        There is no fix: either argument may be the wrong one.

    References:
        pytorch/pytorch torch/nn/functional.py (interpolate), torch/nn/modules/conv.py
        (_ConvTransposeNd)
    """
    yield from context.notices("UP325")
