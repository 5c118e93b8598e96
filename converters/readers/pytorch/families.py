"""All families of ATen operators: importing this module fills the table of lowerings."""

from __future__ import annotations

from converters.readers.pytorch import (
    aten_activations,
    aten_arithmetic,
    aten_boxes,
    aten_convolution,
    aten_matrix,
    aten_normalization,
    aten_padding,
    aten_pooling,
    aten_reductions,
    aten_resize,
    aten_selection,
    aten_shape,
)
from converters.readers.pytorch.lowering import LOWERINGS

__all__ = ["LOWERINGS"]

_FAMILIES = (
    aten_activations,
    aten_arithmetic,
    aten_convolution,
    aten_matrix,
    aten_normalization,
    aten_pooling,
    aten_resize,
    aten_shape,
    aten_reductions,
    aten_padding,
    aten_boxes,
    aten_selection,
)
"""Named, so that nobody takes the imports for unused."""
