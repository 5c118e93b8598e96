"""Windows of poolings that have sizes."""

from __future__ import annotations

from dataclasses import replace

from upconv.converters.audit.comparison.rewriting import Change, Net
from upconv.converters.ir import operators as ops
from upconv.converters.ir.geometry import conv_size
from upconv.converters.ir.model import Layer


def inside(net: Net, layer: Layer) -> Change | None:
    """A pooling whose windows all lie inside of the image, in one form: nothing is rounded, cut or
    counted at its edges then."""
    op = layer.operator
    if not isinstance(op, ops.Pool) or any(op.pads_begin):
        return None
    shapes = net.counted(layer)
    if shapes is None:
        return None
    x, y = shapes
    axes = zip(x[2:], op.kernel, op.stride, op.dilation, strict=True)
    if y[2:] != tuple(conv_size(size, k, stride, d, 0, 0) for size, k, stride, d in axes):
        return None
    none = (0,) * len(op.kernel)
    plain = replace(op, pads_end=none, rounding="floor", clip="never", count_padding=True)
    return Change(replace(layer, operator=plain)) if plain != op else None
