"""Shapes of operators on single elements, and of merges."""

from __future__ import annotations

from upconv.converters.ir import operators as ops
from upconv.converters.ir.errors import ShapeError
from upconv.converters.ir.shapes.call import (
    SHAPES,
    InputShapes,
    Shape,
    broadcast_shape,
    normalized_axis,
    provably_differ,
    require_axes,
    require_groups,
    require_same,
    text_of,
)


@SHAPES.register(ops.Eltwise)
def _eltwise(op: ops.Eltwise, call: InputShapes) -> tuple[Shape, ...]:
    if op.kind in ("power", "floor_mod", "trunc_mod") and len(call.inputs) != 2:
        raise ShapeError(f"{op.kind} of {len(call.inputs)} inputs, not two", "merge", (call.x,))
    if op.broadcast:
        return (broadcast_shape(call.inputs),)
    names = [f"input {index}" for index in range(len(call.inputs))]
    require_same(call.inputs, names, call.x)
    return (call.x,)


@SHAPES.register(ops.Compare, ops.Where)
def _broadcast(op: ops.Compare | ops.Where, call: InputShapes) -> tuple[Shape, ...]:
    return (broadcast_shape(call.inputs),)


@SHAPES.register(ops.Scale)
def _scale(op: ops.Scale, call: InputShapes) -> tuple[Shape, ...]:
    axis = normalized_axis(op.axis, len(call.x)) if call.x else 0
    if op.operand != "none":
        operand = call.inputs[1]
        covered = call.x[axis : axis + len(operand)]
        if len(covered) != len(operand) or any(map(provably_differ, covered, operand)):
            message = f"the {op.operand} has {text_of(operand)}, the input {text_of(covered)} there"
            raise ShapeError(message, "merge", (call.x,))
    return (call.x,)


@SHAPES.register(
    ops.Identity,
    ops.BatchNorm,
    ops.LayerNorm,
    ops.Relu,
    ops.Elu,
    ops.Sigmoid,
    ops.Tanh,
    ops.Power,
    ops.Exp,
    ops.Log,
    ops.Abs,
    ops.Erf,
    ops.Sin,
    ops.Cos,
    ops.Round,
    ops.Floor,
    ops.Ceil,
    ops.Sign,
    ops.Softplus,
    ops.Clip,
    ops.Swish,
    ops.Gelu,
)
def _unchanged(op: object, call: InputShapes) -> tuple[Shape, ...]:
    return (call.x,) * call.outputs


@SHAPES.register(ops.MeanVarianceNorm)
def _mean_variance(op: ops.MeanVarianceNorm, call: InputShapes) -> tuple[Shape, ...]:
    require_axes(call.x, 2 if op.across_channels else 3)
    return (call.x,)


@SHAPES.register(ops.L2Normalize)
def _l2_normalize(op: ops.L2Normalize, call: InputShapes) -> tuple[Shape, ...]:
    require_axes(call.x, 2)
    return (call.x,)


@SHAPES.register(ops.PRelu)
def _prelu(op: ops.PRelu, call: InputShapes) -> tuple[Shape, ...]:
    require_axes(call.x, 1)
    return (call.x,)


@SHAPES.register(ops.GroupNorm)
def _group_norm(op: ops.GroupNorm, call: InputShapes) -> tuple[Shape, ...]:
    require_axes(call.x, 2)
    require_groups(call.x[1], op.groups, op.groups)
    return (call.x,)


@SHAPES.register(ops.Lrn)
def _lrn(op: ops.Lrn, call: InputShapes) -> tuple[Shape, ...]:
    require_axes(call.x, 3 if op.region == "within" else 2)
    return (call.x,)


@SHAPES.register(ops.Softmax)
def _softmax(op: ops.Softmax, call: InputShapes) -> tuple[Shape, ...]:
    normalized_axis(op.axis, len(call.x))
    return (call.x,)
