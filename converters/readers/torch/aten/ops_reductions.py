"""Sums, means, extremes and their places, variances and norms over axes."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, prod
from typing import Final, Literal

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import multiply
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.readers.assembly.reducing import Kind, reduced
from upconv.converters.readers.torch.aten.lowering import AtenCall, lowers

REDUCTIONS: Final[dict[str, Kind]] = {
    "sum": "sum",
    "mean": "mean",
    "amax": "max",
    "amin": "min",
    "max": "max",
    "min": "min",
}


@lowers(
    "mean.default",
    "mean.dim",
    "sum.default",
    "sum.dim_IntList",
    "amax.default",
    "amin.default",
    "max.default",
    "min.default",
)
def _reduce(call: AtenCall) -> None:
    _reduced(call, REDUCTIONS[call.node.target.split(".")[1]], _axes(call))


@lowers("max.dim", "min.dim")
def _extreme_along(call: AtenCall) -> None:
    """The extremes, and their places where those are used."""
    kind: Literal["max", "min"] = "max" if call.node.target == "aten.max.dim" else "min"
    _reduced(call, kind, [call.axis()])
    if len(call.used_outputs()) > 1:
        _places(call, kind, call.axis(), call.node.outputs[1])


@lowers("argmax.default", "argmin.default")
def _extreme_place(call: AtenCall) -> None:
    """Of equal extremes the first; without an axis its place among all values."""
    kind: Literal["max", "min"] = "max" if call.node.target == "aten.argmax.default" else "min"
    if call.get("dim") is None and call.get("keepdim", False):
        raise UnsupportedError("it keeps the axes of an extreme among all values")
    _places(call, kind, None if call.get("dim") is None else call.axis(), call.node.outputs[0])


def _places(call: AtenCall, kind: Literal["max", "min"], axis: int | None, output: str) -> None:
    value = call.value("self")
    if kind == "min":
        value = call.step(ops.Power(scale=-1.0), [value], "negative")
    if axis is None:
        value, axis = call.step(ops.Reshape((-1,)), [value], "all"), 0
    operator = ops.ArgMax(axis, 1, "indices", "first")
    if call.get("keepdim", False):
        call.emit(operator, [value], outputs=[output])
        return
    kept = call.step(operator, [value], "places")
    call.emit(ops.Reshape((), axis, 1), [kept], outputs=[output])


def _axes(call: AtenCall) -> list[int]:
    """The axes that are named, in order; all of them where none is."""
    return sorted(call.axes()) or list(range(call.rank()))


def _reduced(call: AtenCall, kind: Kind, axes: Sequence[int]) -> None:
    """The reduction of the call's own tensor as its output."""
    outputs = call.node.outputs[:1]
    value, rank = call.value("self"), call.rank()
    keep = bool(call.get("keepdim", False))
    if keep and rank > 2 and list(axes) == list(range(2, rank)) and kind in ("mean", "max"):
        pooled = ops.GlobalPool("average" if kind == "mean" else "max")
        call.emit(pooled, [value], outputs=outputs)
        return
    call.emit(ops.Identity(), [reduction(call, value, kind, axes, keep)], outputs=outputs)


def reduction(call: AtenCall, value: str, kind: Kind, axes: Sequence[int], keep: bool) -> str:
    """A tensor of the call's rank reduced over axes, which are brought to the end for it, and come
    back with size 1 where they are kept; the new value."""
    rank = call.rank()
    if not axes and kind in REDUCTIONS.values():
        return value  # of one number
    return reduced(call.step, value, rank, kind, axes, keep=keep)


SPREADS: Final = ("var", "std", "var_mean", "std_mean")


@lowers(
    *(f"{name}.{overload}" for name in SPREADS for overload in ("default", "dim", "correction")),
)
def _spread(call: AtenCall) -> None:
    """The sum of squared distances from the mean, over n - correction; its root."""
    axes, keep = _axes(call), bool(call.get("keepdim", False))
    count = prod(size for axis in axes if isinstance(size := call.shape()[axis], int))
    correction = call.number("correction", 1) if call.get("unbiased", True) else 0.0
    is_open = not all(isinstance(call.shape()[axis], int) for axis in axes)
    if is_open and correction % 1:
        raise UnsupportedError(f"it divides by n - {correction:g}, n an open size")
    if not is_open and count - correction <= 0:
        raise UnsupportedError(f"it divides by {count} - {correction:g}")
    x = call.value("self")
    mean = reduction(call, x, "mean", axes, True)
    apart = call.step(ops.Eltwise("difference", broadcast=True), [x, mean], "apart")
    squares = call.step(ops.Power(2.0), [apart], "squares")
    root = 0.5 if "std" in call.node.target else 1.0
    if is_open and correction:
        total = reduction(call, squares, "sum", axes, keep)
        size = multiply(call.shape()[axis] for axis in axes) - int(correction)
        pair = [total, call.step(ops.SizeOf(size), [], "less")]
        variance = call.step(ops.Eltwise("quotient", broadcast=True), pair, "variance")
        factor = 1.0
    else:
        variance = reduction(call, squares, "mean", axes, keep)
        factor = count / (count - correction) if correction else 1.0
    call.emit(ops.Power(root, factor), [variance], outputs=call.node.outputs[:1])
    if len(call.used_outputs()) > 1:
        again = reduction(call, x, "mean", axes, keep)
        call.emit(ops.Identity(), [again], outputs=call.node.outputs[1:])


@lowers("linalg_norm.default", "linalg_vector_norm.default", "norm.ScalarOpt_dim", "norm.Scalar")
def _norm(call: AtenCall) -> None:
    """The norms of order 1, 2 and infinity."""
    name = "ord" if "linalg" in call.node.target else "p"
    order = call.number(name, 2.0) if call.get(name) is not None else 2.0
    axes, keep, x = _axes(call), bool(call.get("keepdim", False)), call.value("self")
    if call.get("dtype") is not None:
        raise UnsupportedError("it computes in another type")
    of_matrix = call.node.target == "aten.linalg_norm.default" and len(axes) != 1
    if of_matrix and call.get(name) is not None:
        raise UnsupportedError("it is the norm of a matrix")
    if not axes:
        call.emit(ops.Abs(), [x])
    elif order == 2:
        squares = reduction(call, x, "square_sum", axes, keep)
        call.emit(ops.Power(0.5), [squares])
    elif order == 1:
        call.emit(ops.Identity(), [reduction(call, x, "abs_sum", axes, keep)])
    elif order in (inf, -inf):
        sizes = call.step(ops.Abs(), [x], "sizes")
        kind: Kind = "max" if order == inf else "min"
        call.emit(ops.Identity(), [reduction(call, sizes, kind, axes, keep)])
    else:
        raise UnsupportedError(f"a norm of order {order:g}")


@lowers("logsumexp.default")
def _log_sum_exp(call: AtenCall) -> None:
    """m + log(sum(exp(x - m))), m the largest, so that nothing overflows."""
    axes, keep, x = _axes(call), bool(call.get("keepdim", False)), call.value("self")
    largest = reduction(call, x, "max", axes, True)
    below = call.step(ops.Eltwise("difference", broadcast=True), [x, largest], "below")
    powers = call.step(ops.Exp(), [below], "exp")
    total = reduction(call, powers, "sum", axes, keep)
    logarithm = call.step(ops.Log(), [total], "log")
    for index, axis in enumerate(reversed(axes if not keep else [])):
        largest = call.step(ops.Reshape((), axis, 1), [largest], f"largest{index}")
    call.emit(ops.Eltwise("sum"), [logarithm, largest])


@lowers("cumsum.default")
def _cum_sum(call: AtenCall) -> None:
    call.emit(ops.CumSum(call.axis()), [call.value("self")])
