"""One module per family of operators; importing this package fills the table."""

from __future__ import annotations

from upconv.converters.onnx_writer.emitters import (
    activations,
    arithmetic,
    blocks,
    boxes,
    convolution,
    counting,
    grid_sample,
    linear,
    normalization,
    pooling,
    reductions,
    regions,
    reshaping,
    resize,
    selection,
    transposed,
    truth,
    unpooling,
    window_unpooling,
)
from upconv.converters.onnx_writer.table import EMITTERS

FAMILIES = (
    activations,
    arithmetic,
    blocks,
    boxes,
    convolution,
    counting,
    grid_sample,
    linear,
    normalization,
    pooling,
    reductions,
    regions,
    reshaping,
    resize,
    selection,
    transposed,
    truth,
    unpooling,
    window_unpooling,
)
"""The modules that fill EMITTERS when they are imported."""

__all__ = ["EMITTERS", "FAMILIES"]
