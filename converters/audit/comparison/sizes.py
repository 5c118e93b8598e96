"""Sizes as numbers, and values that say nothing else."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, Final

from upconv.converters.audit.comparison.rewriting import Change, Net
from upconv.converters.audit.comparison.values import Values
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Dim, is_constant
from upconv.converters.ir.model import Layer
from upconv.converters.ir.tensors import weight_of

MOST_NUMBERS: Final = 1 << 16
"""Of a row that is written out."""

READ: Final[dict[type, int]] = {
    **dict.fromkeys((ops.Crop, ops.Pad, ops.Expand, ops.Tile, ops.Reshape, ops.StridedSlice), 1),
    **dict.fromkeys((ops.Resize, ops.ConvTranspose, ops.WindowUnpool), 1),
    ops.Unpool: 2,
}
"""Operators that take sizes from other values -> how many inputs they read beside these."""


def numbered(net: Net, layer: Layer) -> Change | None:
    """An operator that takes its sizes from other values with the numbers that these are; a row of
    numbers, or a size by itself, as what is stored."""
    op, count = layer.operator, READ.get(type(layer.operator))
    if isinstance(op, ops.Arange | ops.SizeOf):
        return _stored(op, net.values, layer)
    if count is None:
        return None
    given = {field.name: getattr(op, field.name) for field in fields(op)}
    sizes = {name: _plain(value, net.values) for name, value in given.items()}
    if None in [sizes[name] for name in given if given[name] is not None]:
        return None
    made = replace(layer, operator=replace(op, **sizes), inputs=layer.inputs[:count])
    return Change(made) if made != layer else None


def _plain(value: Any, values: Values) -> Any:
    """A field with numbers for sizes, None where they are none."""
    if isinstance(value, Dim):
        size = values.resolved(value)
        return size if isinstance(size, int) else None
    if isinstance(value, tuple):
        whole = tuple(_plain(one, values) for one in value)
        return None if None in whole else whole
    return value


def _stored(op: ops.Arange | ops.SizeOf, values: Values, layer: Layer) -> Change | None:
    import numpy as np

    size = values.resolved(op.size)
    shape = values.shapes.get(layer.outputs[0])
    if not isinstance(size, int) or shape is None or not is_constant(*shape):
        return None
    if isinstance(op, ops.SizeOf):
        made = np.full(tuple(map(int, map(str, shape))), size, np.float32)
    elif size > MOST_NUMBERS:
        return None
    else:
        made = (op.start + op.step * np.arange(size)).astype(np.float32)
    weights = {"value": weight_of(made)}
    return Change(replace(layer, operator=ops.Constant(made.shape), inputs=(), weights=weights))
