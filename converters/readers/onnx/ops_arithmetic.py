"""Sums, products, comparisons, choices: two tensors or more, one of which may be stored."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Final, Literal, TypeAlias

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size
from upconv.converters.readers.assembly.known import Known
from upconv.converters.readers.onnx.entries import Entry, Value
from upconv.converters.readers.onnx.lowering import Call, lowers
from upconv.converters.readers.onnx.ops_activation import truncated
from upconv.converters.readers.onnx.ops_shape import extended

Kind: TypeAlias = Literal["sum", "difference", "product", "quotient", "max", "min"]

KINDS: Final[Mapping[str, Kind]] = {
    **{"Add": "sum", "Sub": "difference", "Mul": "product", "Div": "quotient"},
    **{"Sum": "sum", "Max": "max", "Min": "min", "Mean": "sum"},
}
"""Operator -> what it does to its inputs, from the left."""

_COMPARISONS: Final[
    Mapping[str, Literal["less", "less_equal", "greater", "greater_equal", "equal"]]
] = {
    **{"Less": "less", "LessOrEqual": "less_equal", "Greater": "greater"},
    **{"GreaterOrEqual": "greater_equal", "Equal": "equal"},
}
_LOGIC: Final[Mapping[str, Literal["max", "min"]]] = {"And": "min", "Or": "max"}


@lowers("Add", "Sub", "Mul", "Div")
def _aligned_binary(call: Call) -> Entry:
    """Up to opset 6 the second input is aligned at `axis`, where `broadcast` says so."""
    return combined(call, KINDS[call.node.op], call.entry(0), _aligned(call))


@lowers("Add", "Sub", "Mul", "Div", since=7)
def _binary(call: Call) -> Entry:
    return combined(call, KINDS[call.node.op], call.entry(0), call.entry(1))


def _aligned(call: Call) -> Entry:
    """The second input with axes of size 1 behind it, so that it stands at `axis`."""
    entry, axis = call.entry(1), call.integer("axis", -1)
    if not call.flag("broadcast") or "axis" not in call.node.attributes:
        return entry
    own = len(entry.shape) if isinstance(entry, Known) else call.rank(call.value(1))
    rank = call.rank(call.value(0))
    return extended(call, 1, rank - call.axis(axis, rank) - own)


@lowers("Sum", "Max", "Min", "Mean")
def _variadic(call: Call) -> Entry:
    """Two at a time, from the left."""
    kind, many = KINDS[call.node.op], len(call.entries)
    total = call.entry(0)
    for index in range(1, many):
        is_last = index == many - 1 and call.node.op != "Mean"
        part = call if is_last else call.renamed(f"{kind}{index}")
        total = combined(part, kind, total, call.entry(index))
    if call.node.op == "Mean":
        return call.emit(ops.Power(scale=1 / many), [call.operand(total, "sum")])
    return total if many > 1 else call.emit(ops.Identity(), [call.value()])


def combined(call: Call, kind: Kind, left: Entry, right: Entry) -> Value:
    """left kind right. A number is part of an operator, a stored tensor that lies along some axes
    of the other a Scale, and any other a tensor."""
    if kind == "quotient" and call.kind() == "int":
        pair = [call.operand(left, "input0"), call.operand(right, "input1")]
        operator = ops.Eltwise("quotient", broadcast=True)
        quotient = call.step(operator, pair, "quotient")
        return call.emit(ops.Identity(), [truncated(call, quotient)])
    for first, other, reverse in ((left, right, False), (right, left, True)):
        if isinstance(first, Value) and isinstance(other, Known) and not other.is_symbolic:
            made = _with_known(call, kind, first, other, reverse)
            if made is not None:
                return made
    pair = [call.operand(left, "input0"), call.operand(right, "input1")]
    return call.emit(ops.Eltwise(kind, broadcast=not _same_shape(call, pair)), pair)


def _same_shape(call: Call, pair: list[str]) -> bool:
    left, right = (call.work.shapes.get(name) for name in pair)
    return left is not None and right is not None and left == right


def _with_known(call: Call, kind: Kind, x: Value, other: Known, reverse: bool) -> Value | None:
    rank = call.work.rank(x.name)
    if rank is None or len(other.shape) > rank:
        return None if other.shape else _with_number(call, kind, x, other, reverse)
    if all(size == 1 for size in other.shape):
        return _with_number(call, kind, x, other, reverse)
    return _scaled(call, kind, x, other, reverse)


def _with_number(call: Call, kind: Kind, x: Value, other: Known, reverse: bool) -> Value | None:
    number = float(other.array().reshape(-1).tolist()[0])
    if kind in ("max", "min"):
        bounds = (number, inf) if kind == "max" else (-inf, number)
        return call.emit(ops.Clip(*bounds), [x.name], kind=x.kind)
    if kind == "quotient" and reverse:
        inverse = call.step(ops.Power(-1.0), [x.name], "inverse")
        return call.emit(ops.Power(scale=number), [inverse], kind=x.kind)
    if kind == "quotient" and number == 0:
        return None
    operator = {
        "sum": ops.Power(shift=number),
        "difference": ops.Power(
            scale=-1.0 if reverse else 1.0, shift=number if reverse else -number
        ),
        "product": ops.Power(scale=number),
        "quotient": ops.Power(scale=1 / (number or 1.0)),
    }[kind]
    return call.emit(operator, [x.name], kind=x.kind)


def _scaled(call: Call, kind: Kind, x: Value, other: Known, reverse: bool) -> Value | None:
    """A Scale along the axes that a stored tensor covers; None where that is not what it does."""
    if kind not in ("sum", "product", "difference") or (kind == "difference" and reverse):
        return None
    covered = _covered(call, x, other)
    if covered is None:
        return None
    axis, shape = covered
    sign = -1 if kind == "difference" else 1
    order = (lambda old: shape, lambda values: sign * values.reshape(shape))
    weight = call.weight_of(other, order, ("scale", shape, sign))
    name = "scale" if kind == "product" else "bias"
    return call.emit(ops.Scale(axis), [x.name], {name: weight}, kind=x.kind)


def _covered(call: Call, x: Value, other: Known) -> tuple[int, ops.Ints] | None:
    """(axis, shape): the axes of x that a stored tensor covers once its outer ones are dropped."""
    sizes = call.work.shapes[x.name]
    assert sizes is not None, "asked before"
    first = len(sizes) - len(other.shape)
    places = [at for at, size in enumerate(other.shape) if size != 1]
    begin, end = places[0], places[-1] + 1
    inner = other.shape[begin:end]
    if not all(map(_provably_same, inner, sizes[first + begin : first + end])):
        return None
    return first + begin, inner


@lowers("Pow")
def _power(call: Call) -> Entry:
    base, exponent = call.entry(0), _aligned(call)
    if isinstance(exponent, Known) and exponent.shape in ((), (1,)) and call.kind() == "float":
        return call.emit(ops.Power(call.scalar(1, "exponent")), [call.value()])
    if isinstance(base, Known) and base.shape == () and (number := call.scalar(0, "base")) > 0:
        return call.emit(ops.Exp(number), [call.value(1)])
    pair = [call.value(0), call.operand(exponent, "input1")]
    return call.emit(ops.Eltwise("power", broadcast=True), pair)


def modulo(call: Call) -> Entry:
    """The rest of a division, with the divisor's sign or the dividend's."""
    kind: Literal["trunc_mod", "floor_mod"] = "trunc_mod" if call.flag("fmod") else "floor_mod"
    return call.emit(ops.Eltwise(kind, broadcast=True), [call.value(0), call.value(1)])


@lowers(*_COMPARISONS)
def _compare(call: Call) -> Entry:
    kind = _COMPARISONS[call.node.op]
    other = _aligned(call)
    if isinstance(other, Known) and not other.is_symbolic and other.shape == ():
        number = float(other.array().reshape(-1).tolist()[0])
        return call.emit(ops.Compare(kind, number), [call.value()], kind="bool")
    pair = [call.value(0), call.operand(other, "input1")]
    return call.emit(ops.Compare(kind), pair, kind="bool")


@lowers(*_LOGIC)
def _logic(call: Call) -> Entry:
    operator = ops.Eltwise(_LOGIC[call.node.op], broadcast=True)
    return call.emit(operator, [call.value(0), call.operand(_aligned(call), "input1")], kind="bool")


@lowers("Xor")
def _either(call: Call) -> Entry:
    pair = [call.value(0), call.operand(_aligned(call), "input1")]
    return call.emit(ops.Compare("not_equal"), pair, kind="bool")


@lowers("Where")
def _where(call: Call) -> Entry:
    """Numbers are part of the operator."""
    numbers: list[float | None] = [None, None]
    inputs = [call.value(0)]
    for index in (1, 2):
        entry = call.entry(index)
        if isinstance(entry, Known) and entry.shape == () and not entry.is_symbolic:
            (numbers[index - 1],) = map(float, entry.array().reshape(-1).tolist())
        else:
            inputs.append(call.value(index))
    return call.emit(ops.Where(*numbers), inputs, kind=call.kind(1))


def _provably_same(number: int, size: Size) -> bool:
    return number == size
