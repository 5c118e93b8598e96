"""The shape function of every operator: input shapes in, output shapes out, as Dims.

Shapes are channels-first tuples of sizes, `(N, C, spatial...)` for operators with spatial axes.
A contradiction that can be proven raises ShapeError; what depends on a symbol is not judged.
"""

from __future__ import annotations

from upconv.converters.ir.shapes import algebra, arrangement, pointwise, selection, windows
from upconv.converters.ir.shapes.call import (
    SHAPES,
    InputShapes,
    Shape,
    broadcast_shape,
    channels_last,
    normalized_axis,
    provably_differ,
    require_axes,
    text_of,
)

FAMILIES = (algebra, arrangement, pointwise, selection, windows)
"""The modules that fill SHAPES when they are imported."""

__all__ = [
    "FAMILIES",
    "SHAPES",
    "InputShapes",
    "Shape",
    "broadcast_shape",
    "channels_last",
    "normalized_axis",
    "provably_differ",
    "require_axes",
    "text_of",
]
