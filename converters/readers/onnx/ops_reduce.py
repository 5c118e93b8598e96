"""Sums, means, extremes and their places, norms over axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from upconv.converters.ir import operators as ops
from upconv.converters.readers.assembly import reducing
from upconv.converters.readers.assembly.rearranging import extreme_places
from upconv.converters.readers.assembly.reducing import Kind
from upconv.converters.readers.onnx.entries import Entry
from upconv.converters.readers.onnx.lowering import Call, lowers

REDUCTIONS: Final[dict[str, tuple[Kind, ops.Operator | None]]] = {
    "ReduceSum": ("sum", None),
    "ReduceMean": ("mean", None),
    "ReduceMax": ("max", None),
    "ReduceMin": ("min", None),
    "ReduceL1": ("abs_sum", None),
    "ReduceSumSquare": ("square_sum", None),
    "ReduceL2": ("square_sum", ops.Power(0.5)),
    "ReduceLogSum": ("sum", ops.Log()),
}
"""Operator -> the reduction, and what is done to its result."""


@lowers(*REDUCTIONS)
def _reduce(call: Call) -> Entry:
    kind, after = REDUCTIONS[call.node.op]
    x, axes = call.value(), _axes(call)
    if axes is None:
        return call.emit(after or ops.Identity(), [x])
    keep, rank = call.integer("keepdims", 1) != 0, call.rank(x)
    spatial = rank > 2 and axes == tuple(range(2, rank))
    if keep and spatial and kind in ("mean", "max") and after is None:
        return call.emit(ops.GlobalPool("average" if kind == "mean" else "max"), [x])
    return call.emit(after or ops.Identity(), [reduced(call, x, kind, axes, keep)])


def _axes(call: Call) -> tuple[int, ...] | None:
    """The axes that go, in order; None where none does."""
    named, rank = call.listed(1, "axes"), call.rank(call.value())
    if named:
        return tuple(sorted(call.axes(named, rank)))
    return None if call.flag("noop_with_empty_axes") or not rank else tuple(range(rank))


def reduced(call: Call, x: str, kind: Kind, axes: Sequence[int], keep: bool) -> str:
    """A tensor reduced over axes that hold values."""
    rank = call.rank(x)
    if any(call.shape(x)[axis] == 0 for axis in axes):
        raise call.unsupported("reduces an axis without values")
    return reducing.reduced(call.step, x, rank, kind, axes, keep=keep)


@lowers("ReduceLogSumExp")
def _log_sum_exp(call: Call) -> Entry:
    """m + log(sum(exp(x - m))), m the largest, so that nothing overflows."""
    x, axes, keep = call.value(), _axes(call), call.integer("keepdims", 1) != 0
    if axes is None:
        return call.emit(ops.Identity(), [x])
    most = reduced(call, x, "max", axes, True)
    below = call.step(ops.Eltwise("difference", broadcast=True), [x, most], "below")
    total = reduced(call, call.step(ops.Exp(), [below], "exp"), "sum", axes, keep)
    logarithm = call.step(ops.Log(), [total], "log")
    for index, axis in enumerate(reversed(axes if not keep else ())):
        most = call.step(ops.Reshape((), axis, 1), [most], f"most{index}")
    return call.emit(ops.Eltwise("sum"), [logarithm, most])


@lowers("GlobalLpPool")
def _global_norm(call: Call) -> Entry:
    x, p = call.value(), float(call.integer("p", 2))
    axes = tuple(range(2, call.rank(x)))
    powers = call.step(ops.Power(p), [call.step(ops.Abs(), [x], "abs")], "power")
    return call.emit(ops.Power(1 / p), [reduced(call, powers, "sum", axes, True)])


@lowers("ArgMax", "ArgMin")
def _places(call: Call) -> Entry:
    x, keep = call.value(), call.integer("keepdims", 1) != 0
    axis = call.axis(call.integer("axis", 0), call.rank(x))
    ties: Literal["last", "first"] = "last" if call.flag("select_last_index") else "first"
    steps = extreme_places(axis, least=call.node.op == "ArgMin", keep=keep, ties=ties)
    for index, operator in enumerate(steps[:-1]):
        x = call.step(operator, [x], f"step{index}")
    return call.emit(steps[-1], [x], kind="int")


@lowers("TopK", since=10)
def _largest(call: Call) -> tuple[Entry, ...]:
    """The largest values, the first of equals first, and their places."""
    x, (count,) = call.value(), call.numbers(1, "k")
    axis = call.axis(call.integer("axis", -1), call.rank(x))
    if not call.integer("largest", 1) or not (call.integer("sorted", 1) or count == 1):
        raise call.unsupported("the smallest values, or the largest in no order")
    values, places = (ops.ArgMax(axis, count, kind, "first") for kind in ("values", "indices"))
    (largest,) = call.emit_many(values, [x], call.outputs[:1])
    if len(call.outputs) == 1:
        return (largest,)
    title = f"{call.name}/places"
    return (largest, *call.emit_many(places, [x], call.outputs[1:], kind="int", title=title))


@lowers("CumSum", since=11)
def _cum_sum(call: Call) -> Entry:
    x = call.value()
    (axis,) = call.numbers(1, "axis")
    operator = ops.CumSum(
        call.axis(axis, call.rank(x)), call.flag("exclusive"), call.flag("reverse")
    )
    return call.emit(operator, [x])


@lowers("LpNormalization")
def _norm(call: Call) -> Entry:
    """x / norm, and 0 where the norm is."""
    x, p = call.value(), call.integer("p", 2)
    if p not in (1, 2):
        raise call.invalid(f"a norm of order {p}")
    axis = call.axis(call.integer("axis", -1), call.rank(x))
    total = reduced(call, x, "abs_sum" if p == 1 else "square_sum", [axis], True)
    norm = total if p == 1 else call.step(ops.Power(0.5), [total], "norm")
    quotient = call.step(ops.Eltwise("quotient", broadcast=True), [x, norm], "quotient")
    return call.emit(ops.Where(otherwise=0.0), [norm, quotient])


@lowers("MeanVarianceNormalization")
def _standardized(call: Call) -> Entry:
    """(x - mean) / (deviation + 1e-9)."""
    x, named = call.value(), call.ints("axes")
    axes = sorted(call.axes((0, 2, 3) if named is None else named, call.rank(x)))
    mean = reduced(call, x, "mean", axes, True)
    apart = call.step(ops.Eltwise("difference", broadcast=True), [x, mean], "apart")
    squares = call.step(ops.Power(2.0), [apart], "squares")
    variance = reduced(call.renamed("variance"), squares, "mean", axes, True)
    deviation = call.step(ops.Power(0.5), [variance], "deviation")
    divisor = call.step(ops.Power(shift=1e-9), [deviation], "divisor")
    return call.emit(ops.Eltwise("quotient", broadcast=True), [apart, divisor])
