"""Sums, means and extremes over axes."""

from __future__ import annotations

from typing import Any, Final, Literal

from converters import operators as ops
from converters.errors import UnsupportedError
from converters.readers.pytorch.lowering import Call, lowers

REDUCTIONS: Final[dict[str, Literal["sum", "mean", "max", "min"]]] = {
    "sum": "sum",
    "mean": "mean",
    "amax": "max",
    "amin": "min",
}


@lowers(
    "mean.default",
    "mean.dim",
    "sum.default",
    "sum.dim_IntList",
    "amax.default",
    "amin.default",
)
def _reduce(call: Call) -> None:
    kind = REDUCTIONS[call.node.target.split(".")[1]]
    _reduced(call, kind, call.get("dim"))


@lowers("max.dim", "min.dim")
def _extreme_along(call: Call) -> None:
    if len(call.used_outputs()) > 1:
        raise UnsupportedError("the indices of its extremes are used")
    kind: Literal["max", "min"] = "max" if call.node.target == "aten.max.dim" else "min"
    _reduced(call, kind, [call.fixed("dim", 0)])


def _reduced(call: Call, kind: Literal["sum", "mean", "max", "min"], dims: Any) -> None:
    """The reduced axes are brought to the end, and come back with size 1 where they are kept."""
    rank = call.rank()
    named = dims if isinstance(dims, list) else ([dims] if dims is not None else [])
    axes = sorted(axis % rank for axis in named) or list(range(rank))
    keep, outputs = bool(call.get("keepdim", False)), call.node.outputs[:1]
    value = call.value("self")
    if keep and rank > 2 and axes == list(range(2, rank)) and kind in ("mean", "max"):
        pooled = ops.GlobalPool("average" if kind == "mean" else "max")
        call.emit(pooled, [value], outputs=outputs)
        return
    order = tuple(axis for axis in range(rank) if axis not in axes) + tuple(axes)
    if order != tuple(range(rank)):
        value = call.step(ops.Permute(order), [value], "order")
    operator = ops.Reduce(kind, rank - len(axes))
    if not keep:
        call.emit(operator, [value], outputs=outputs)
        return
    value = call.step(operator, [value], "reduced")
    for index, axis in enumerate(axes, start=1):
        insert = ops.Reshape((1,), axis, 0)
        if index == len(axes):
            call.emit(insert, [value], outputs=outputs)
        else:
            value = call.step(insert, [value], f"axis{axis}")
