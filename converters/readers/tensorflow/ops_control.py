"""Nodes that pass on what they read, types, and branches that are decided beforehand."""

from __future__ import annotations

from typing import Final

from upconv.converters.ir import operators as ops
from upconv.converters.readers.assembly import compositions
from upconv.converters.readers.assembly.axes import Value
from upconv.converters.readers.assembly.compositions import composed
from upconv.converters.readers.tensorflow.lowering import Call, lowers
from upconv.converters.readers.tensorflow.values import Dead, Entry, Missing

_SAME: Final = (
    "Identity",
    "ReadVariableOp",
    "StopGradient",
    "PreventGradient",
    "CheckNumerics",
    "Snapshot",
    "EnsureShape",
    "PlaceholderWithDefault",
    "DebugIdentity",
    "Enter",
    "Exit",
)
_WHOLE: Final = frozenset({"int32", "int64", "uint8", "int8", "int16", "uint16", "uint32", "bool"})


@lowers(*_SAME)
def _same(call: Call) -> Entry:
    call.entry(0)
    return call.entries[0]  # a part of a split stays one


@lowers("IdentityN")
def _same_each(call: Call) -> tuple[Entry, ...]:
    return call.entries


@lowers("Cast", "Bitcast")
def _cast(call: Call) -> Entry:
    """Values stay what they are, but floats lose their fraction as whole numbers, and all that is
    not 0 is true."""
    entry = call.entry(0)
    if call.node.op == "Bitcast":
        raise call.unsupported("the bits of a tensor as another type")
    before, after = call.node.dtype("SrcT"), call.node.dtype("DstT")
    if isinstance(entry, Missing):
        return entry
    value = call.value()
    if after.name == "bool" != before.name:
        return call.unary(ops.Compare("not_equal", 0.0), value)
    if after.name in _WHOLE and before.kind == "float" and value.name not in call.work.whole:
        value = call.real(value)
        value = Value(composed(compositions.TRUNCATED, value.name, call.step), value.axes)
        call.work.whole.add(value.name)
    if before.name in _WHOLE:
        call.work.whole.add(value.name)
    return value


@lowers("Switch")
def _switch(call: Call) -> tuple[Entry, ...]:
    """(where the condition is false, where it is true); the other branch is dead."""
    decided = bool(call.scalar(1, "condition"))
    data = call.entry(0)
    return (Dead(), data) if decided else (data, Dead())


@lowers("Merge")
def _merge(call: Call) -> tuple[Entry, ...]:
    alive = [entry for entry in call.entries if not isinstance(entry, Dead)]
    if len(alive) != 1:
        raise call.unsupported("branches that are not decided beforehand")
    return (alive[0], Dead())
