"""Comparisons, truth values and choices element by element; truth values are 0 and 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from upconv.converters.ir import operators as ops
from upconv.converters.readers.assembly.axes import Value
from upconv.converters.readers.assembly.known import Known
from upconv.converters.readers.tensorflow.lowering import Call, lowers
from upconv.converters.readers.tensorflow.ops_arithmetic import aligned, number_of
from upconv.converters.readers.tensorflow.values import Entry

Relation = Literal["less", "less_equal", "greater", "greater_equal", "equal", "not_equal"]

_RELATIONS: Final[Mapping[str, Relation]] = {
    "Less": "less",
    "LessEqual": "less_equal",
    "Greater": "greater",
    "GreaterEqual": "greater_equal",
    "Equal": "equal",
    "NotEqual": "not_equal",
}
_MIRRORED: Final[Mapping[Relation, Relation]] = {
    "less": "greater",
    "less_equal": "greater_equal",
    "greater": "less",
    "greater_equal": "less_equal",
    "equal": "equal",
    "not_equal": "not_equal",
}
"""What is said of the second where this is said of the first."""


@lowers(*_RELATIONS)
def _compare(call: Call) -> Entry:
    kind = _RELATIONS[call.node.op]
    for index, relation in ((1, kind), (0, _MIRRORED[kind])):
        number = number_of(call, index)
        if number is not None and isinstance(call.entry(1 - index), Value):
            return call.unary(ops.Compare(relation, number), call.value(1 - index))
    names, axes = aligned(call, [call.tensor(0), call.tensor(1)])
    return Value(call.emit(ops.Compare(kind), names), axes)


_BOTH: Final[Mapping[str, Literal["min", "max"]]] = {"LogicalAnd": "min", "LogicalOr": "max"}


@lowers(*_BOTH)
def _both(call: Call) -> Entry:
    names, axes = aligned(call, [call.tensor(0), call.tensor(1)])
    return Value(call.emit(ops.Eltwise(_BOTH[call.node.op], broadcast=True), names), axes)


@lowers("LogicalNot")
def _negated(call: Call) -> Entry:
    return call.unary(ops.Compare("equal", 0.0), call.value())


@lowers("Select", "SelectV2")
def _select(call: Call) -> Entry:
    """One of two tensors as a whole, where the condition is known and the same everywhere; else
    element by element. Select's condition is as long as both, or one number a sample."""
    condition = call.entry(0)
    if isinstance(condition, Known):
        truths = call.numbers(0, "condition")
        if truths.size and truths.all() == truths.any():
            return call.entry(1 if truths.all() else 2)
    numbers = [number_of(call, index) for index in (1, 2)]
    chosen = [call.tensor(i) for i, number in zip((1, 2), numbers, strict=True) if number is None]
    truth = call.tensor(0)
    if call.node.op == "Select" and any(call.rank(one) != call.rank(truth) for one in chosen):
        raise call.unsupported("a choice with one condition for each sample")
    names, axes = aligned(call, [truth, *chosen])
    return Value(call.emit(ops.Where(*numbers), names), axes)
