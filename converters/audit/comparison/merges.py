"""Merges of several values: each way to write them as one."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from upconv.converters.audit.comparison.rewriting import Change, Net
from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer


def plain_merge(net: Net, layer: Layer) -> Change | None:
    """Merges without weights of 1, and without a rule for shapes that are the same anyhow."""
    op = layer.operator
    if not isinstance(op, ops.Eltwise):
        return None
    weighted = op.coefficients if set(op.coefficients) - {1.0} else ()
    alike = len({net.shape(value) for value in layer.inputs}) == 1
    plain = replace(op, coefficients=weighted, broadcast=op.broadcast and not alike)
    return Change(replace(layer, operator=plain)) if plain != op else None


def nested(net: Net, layer: Layer) -> Change | None:
    """(a + b) + c as a + b + c, what comes first in any other merge, and Concats of Concats."""
    op = layer.operator
    if not isinstance(op, ops.Eltwise | ops.Concat):
        return None
    if isinstance(op, ops.Eltwise) and op.coefficients:
        return None
    anywhere = isinstance(op, ops.Concat) or op.kind in COMMUTATIVE
    for index, value in enumerate(layer.inputs if anywhere else layer.inputs[:1]):
        first = net.before(layer, index)
        whole = _both(first.operator, op) if first is not None else None
        if whole is not None and layer.inputs.count(value) == 1:
            assert first is not None
            inputs = (*layer.inputs[:index], *first.inputs, *layer.inputs[index + 1 :])
            return Change(replace(layer, operator=whole, inputs=inputs), first)
    return None


def _both(first: ops.Operator, second: ops.Eltwise | ops.Concat) -> ops.Operator | None:
    """Two merges as one, where they are of one kind."""
    if isinstance(first, ops.Eltwise) and isinstance(second, ops.Eltwise):
        alike = first.kind == second.kind and not first.coefficients
        return replace(second, broadcast=first.broadcast or second.broadcast) if alike else None
    return second if first == second else None


COMMUTATIVE: Final = ("sum", "product", "max", "min")
"""The Eltwise kinds in which the order of inputs is of no account."""
