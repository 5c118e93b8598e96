"""Operators of one pixel that are written in several steps, or in other words."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final, Literal

from upconv.converters.audit.comparison.values import Values
from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer

LEAST: Final = 1e-2
"""The least factor behind a logarithm that is taken for its base, which is e^(1/factor)."""


def activation(layer: Layer, values: Values) -> Layer | None:
    """x * sigmoid(x) as Swish, and other activations under their one name."""
    op = layer.operator
    if isinstance(op, ops.Eltwise) and op.kind == "product" and len(layer.inputs) == 2:
        for value, other in (layer.inputs, layer.inputs[::-1]):
            beta = _gate(value, other, values)
            if beta is not None:
                return replace(layer, operator=ops.Swish(beta), inputs=(other,))
    if op == ops.Clip(0.0, float("inf")):
        return replace(layer, operator=ops.Relu())
    slope = layer.weights.get("slope")
    if isinstance(op, ops.PRelu) and slope is not None and slope.present:
        found = set(slope.array().reshape(-1).tolist())
        if len(found) == 1:
            return replace(layer, operator=ops.Relu(found.pop()), weights={})
    return None


def condition(layer: Layer, values: Values) -> Layer | None:
    """What is not equal, said by "not", and what is chosen where a value is not 0."""
    op = layer.operator
    before = values.operator(layer.inputs[0], ops.Compare) if layer.inputs else None
    if before is None or not isinstance(before.operator, ops.Compare):
        return None
    first = before.operator
    if op == ops.Compare("equal", 0.0) and first.kind in OPPOSITE:
        return replace(
            layer, operator=replace(first, kind=OPPOSITE[first.kind]), inputs=before.inputs
        )
    if isinstance(op, ops.Where) and first == ops.Compare("not_equal", 0.0):
        return replace(layer, inputs=(before.inputs[0], *layer.inputs[1:]))
    return None


OPPOSITE: Final[dict[str, Literal["equal", "not_equal"]]] = {
    "equal": "not_equal",
    "not_equal": "equal",
}
"""The relations of which one holds where the other does not, whatever the numbers; of the others
neither holds for what is no number."""


def _gate(value: str, x: str, values: Values) -> float | None:
    """beta, where a value is sigmoid(beta * x)."""
    gate = values.operator(value, ops.Sigmoid)
    if gate is None:
        return None
    if gate.inputs == (x,):
        return 1.0
    scaled = values.operator(gate.inputs[0], ops.Power)
    op = scaled.operator if scaled is not None and scaled.inputs == (x,) else None
    if not isinstance(op, ops.Power) or op != ops.Power(scale=op.scale):
        return None
    return op.scale


def followed_by(first: Layer, layer: Layer) -> Layer | None:
    """What is scaled and moved, and then again or raised to a power, or taken to one of e, or its
    logarithm, as one layer; and a multiple of a natural logarithm as one of another base."""
    earlier, op = first.operator, layer.operator
    if isinstance(earlier, ops.Power) and earlier.power == 1:
        if not isinstance(op, ops.Power | ops.Exp | ops.Log):
            return None
        scale, shift = op.scale * earlier.scale, op.shift + op.scale * earlier.shift
        whole: ops.Operator = replace(op, scale=scale, shift=shift)
        return replace(layer, operator=whole, inputs=first.inputs)
    if isinstance(earlier, ops.Log) and earlier.base is None and isinstance(op, ops.Power):
        if op != ops.Power(scale=op.scale) or op.scale < LEAST:
            return None
        whole = replace(earlier, base=math.exp(1 / op.scale))
        return replace(layer, operator=whole, inputs=first.inputs)
    return None


def of_e(layer: Layer) -> Layer | None:
    """A power of another base as one of e."""
    op = layer.operator
    if not isinstance(op, ops.Exp) or op.base is None or op.base <= 0:
        return None
    rate = math.log(op.base)
    return replace(layer, operator=ops.Exp(None, rate * op.scale, rate * op.shift))
