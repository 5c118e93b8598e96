"""Shapes of matrix products, reductions and constants."""

from __future__ import annotations

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import multiply
from upconv.converters.ir.errors import ShapeError
from upconv.converters.ir.shapes.call import (
    SHAPES,
    InputShapes,
    Shape,
    broadcast_shape,
    normalized_axis,
    provably_differ,
    require_axes,
    text_of,
)


@SHAPES.register(ops.ArgMax)
def _arg_max(op: ops.ArgMax, call: InputShapes) -> tuple[Shape, ...]:
    axis = 1 if op.axis is None else normalized_axis(op.axis, len(call.x))
    end = len(call.x) if op.axis is None else axis + 1
    among = multiply(call.x[axis:end])
    if isinstance(among, int) and op.top_k > among:
        raise ShapeError(f"asks for the {op.top_k} largest of {among} values", "axis")
    if op.axis is None:
        require_axes(call.x, 1)
        ones = (1,) * max(len(call.x) - 3, 0)
        return ((call.x[0], 2 if op.output == "both" else 1, op.top_k, *ones),)
    return ((*call.x[:axis], op.top_k, *call.x[axis + 1 :]),)


@SHAPES.register(ops.Reduce)
def _reduce(op: ops.Reduce, call: InputShapes) -> tuple[Shape, ...]:
    return (call.x[: normalized_axis(op.axis, len(call.x))],)


@SHAPES.register(ops.Linear)
def _linear(op: ops.Linear, call: InputShapes) -> tuple[Shape, ...]:
    axis = normalized_axis(op.axis, len(call.x))
    return ((*call.x[:axis], op.out_features),)


@SHAPES.register(ops.MatMul)
def _matmul(op: ops.MatMul, call: InputShapes) -> tuple[Shape, ...]:
    left, right = call.inputs
    if min(len(left), len(right)) < 2:
        raise ShapeError("a matrix product of inputs without two axes", "rank")
    if provably_differ(left[-1], right[-2]):
        message = (
            f"{text_of(left)} times {text_of(right)}: {left[-1]} columns meet {right[-2]} rows"
        )
        raise ShapeError(message, "merge")
    return ((*broadcast_shape((left[:-2], right[:-2])), left[-2], right[-1]),)


@SHAPES.register(ops.Constant)
def _constant(op: ops.Constant, call: InputShapes) -> tuple[Shape, ...]:
    return (op.shape,)


@SHAPES.register(ops.CumSum)
def _cum_sum(op: ops.CumSum, call: InputShapes) -> tuple[Shape, ...]:
    normalized_axis(op.axis, len(call.x))
    return (call.x,)


@SHAPES.register(ops.Arange)
def _arange(op: ops.Arange, call: InputShapes) -> tuple[Shape, ...]:
    return ((call.resolve(op.size),),)


@SHAPES.register(ops.SizeOf)
def _size_of(op: ops.SizeOf, call: InputShapes) -> tuple[Shape, ...]:
    call.resolve(op.size)  # an axis that is not there is an error here too
    return ((),)
