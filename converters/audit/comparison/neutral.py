"""Layers that hand on what they read."""

from __future__ import annotations

from upconv.converters.audit.comparison.rewriting import Change, Net
from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer


def neutral(net: Net, layer: Layer) -> Change | None:
    """Layers that hand on what they read."""
    split = layer.operator == ops.Identity()
    if not layer.inputs or (len(layer.outputs) != 1 and not split):
        return None
    op, x, y = layer.operator, net.shape(layer.inputs[0]), net.shape(layer.outputs[0])
    alone = isinstance(op, ops.Slice) or (len(layer.inputs) == 1 and isinstance(op, ops.Concat))
    plain = op in (ops.Identity(), ops.Power(), ops.Relu(1.0)) or alone
    plain = plain or (isinstance(op, ops.Scale) and op.operand == "none" and not layer.weights)
    same = x is not None and x == y
    plain = plain or (same and _keeps_where_sizes_stay(op))
    plain = plain or (op == ops.Relu() and _is_relu(net.producers.get(layer.inputs[0])))
    return Change(alias=layer.inputs[0]) if plain else None


def _keeps_where_sizes_stay(op: ops.Operator) -> bool:
    """Whether a layer whose output has the shape of its input does nothing."""
    match op:
        case ops.Crop(offsets=offsets):
            return set(offsets) == {0}
        case ops.Pad(begin=begin, end=end):
            return set(begin) | set(end) == {0}
        case ops.StridedSlice(start=start, step=step):
            return (start, step) == (0, 1)
        case ops.Gather(indices=indices) if indices is not None:
            return list(indices) == list(range(len(indices)))
        case ops.Permute(order=order):
            return list(order) == sorted(order)
        case ops.Resize(scale=scale):
            return scale is None
    return isinstance(op, ops.Reshape | ops.Flatten | ops.Tile | ops.Expand)


def _is_relu(layer: Layer | None) -> bool:
    return layer is not None and layer.operator == ops.Relu()
