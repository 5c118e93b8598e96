"""Operators that are one matrix per axis at fixed sizes: a linear layer along that axis."""

from __future__ import annotations

from upconv.converters.ir import operators as ops
from upconv.converters.ir.tensors import TensorData, Weight
from upconv.converters.readers.torch.aten.lowering import AtenCall


def along_axis(call: AtenCall, value: str, axis: int, rank: int, matrix: TensorData) -> str:
    """Apply a matrix (out, in) along an axis, which goes to the end and back; the new value."""
    order = list(range(rank))
    order[axis], order[-1] = order[-1], order[axis]
    moves = order != sorted(order)
    if moves:
        value = call.step(ops.Permute(tuple(order)), [value], f"last{axis}")
    weights = {"weight": Weight(matrix.shape, matrix)}
    value = call.step(ops.Linear(matrix.shape[0], -1), [value], f"matrix{axis}", weights)
    if moves:
        value = call.step(ops.Permute(tuple(order)), [value], f"back{axis}")
    return value
