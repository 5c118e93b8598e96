"""Comparisons, truth values and choices by them; truth values are 0 and 1."""

from __future__ import annotations

from typing import Any, Final, Literal

from upconv.converters.ir import operators as ops
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.readers.torch.aten.lowering import EXACT, AtenCall, lowers

Relation = Literal["less", "less_equal", "greater", "greater_equal", "equal", "not_equal"]

RELATIONS: Final[dict[str, Relation]] = {
    "eq": "equal",
    "ne": "not_equal",
    "not_equal": "not_equal",
    "lt": "less",
    "less": "less",
    "le": "less_equal",
    "less_equal": "less_equal",
    "gt": "greater",
    "greater": "greater",
    "ge": "greater_equal",
    "greater_equal": "greater_equal",
}


@lowers(*(f"{name}.{kind}" for name in RELATIONS for kind in ("Scalar", "Tensor")))
def _compare(call: AtenCall) -> None:
    kind, other = RELATIONS[call.node.target.split(".")[1]], call.get("other")
    number = call.scalar(other)
    if number is None or not call.is_value(call.get("self")):
        call.emit(ops.Compare(kind), call.two_operands("self", "other"))
        return
    if call.meta("self").dtype_name != "float32" and abs(number) > EXACT:
        raise UnsupportedError(f"it compares whole numbers with {number:g}")
    call.emit(ops.Compare(kind, float(number)), [call.value("self")])


@lowers("isnan.default")
def _is_nan(call: AtenCall) -> None:
    """What differs from itself."""
    call.emit(ops.Compare("not_equal"), call.two_operands("self", "self"))


BOTH: Final[dict[str, ops.Operator]] = {
    "and": ops.Eltwise("min", broadcast=True),
    "or": ops.Eltwise("max", broadcast=True),
    "xor": ops.Compare("not_equal"),
}


@lowers(
    *(f"logical_{name}.default" for name in BOTH),
    *(f"bitwise_{name}.Tensor" for name in BOTH),
    *(f"__{name}__.Tensor" for name in BOTH),
)
def _both(call: AtenCall) -> None:
    name = call.node.target.split(".")[1]
    left, right = (_truth(call, one, not name.startswith("logical")) for one in ("self", "other"))
    if left == right:
        right = call.step(ops.Identity(), [right], "copy")
    call.emit(BOTH[name.strip("_").rpartition("_")[2]], [left, right])


@lowers("logical_not.default", "bitwise_not.default")
def _negated(call: AtenCall) -> None:
    bits = call.node.target == "aten.bitwise_not.default"
    call.emit(ops.Compare("equal", 0.0), [_truth(call, "self", bits)])


def _truth(call: AtenCall, argument: str, bits: bool) -> str:
    """A tensor as 0 and 1; of whole numbers, bit by bit is another thing."""
    value = call.value(argument)
    if call.is_truth(call.get(argument)):
        return value
    if bits:
        raise UnsupportedError("it works on the bits of whole numbers")
    return call.step(ops.Compare("not_equal", 0.0), [value], f"{argument}_truth")


@lowers("where.self", "where.ScalarSelf", "where.ScalarOther", "where.Scalar")
def _where(call: AtenCall) -> None:
    _choose(call, call.value("condition"), call.get("self"), call.get("other"))


@lowers(
    *(f"masked_fill{place}.{kind}" for place in ("", "_") for kind in ("Scalar", "Tensor")),
)
def _masked_fill(call: AtenCall) -> None:
    _choose(call, call.value("mask"), call.get("value"), call.get("self"))


def _choose(call: AtenCall, condition: str, then: Any, otherwise: Any) -> None:
    numbers = [None if call.is_value(one) else call.scalar(one) for one in (then, otherwise)]
    pairs = zip((then, otherwise), numbers, strict=True)
    chosen = [call.operand(one) for one, number in pairs if number is None]
    operator = ops.Where(*(None if one is None else float(one) for one in numbers))
    call.emit(operator, [condition, *chosen])
