"""Operators of one pixel that are written in several steps, or in other words."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final, Literal

from upconv.converters.audit.comparison.values import Values
from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer
from upconv.converters.ir.records import record

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


def gelu(layer: Layer, values: Values) -> Layer | None:
    """0.5 * x * (1 + erf(x / sqrt(2))), or its form with tanh, in whatever order."""
    if not isinstance(layer.operator, ops.Eltwise | ops.Power):
        return None
    whole = _product(layer.outputs[0], values)
    if len(whole.factors) != 2:
        return None
    for x, gate in (whole.factors, whole.factors[::-1]):
        found = _one_and(gate, values)
        if found is None or not _near(whole.scale * found[0], 0.5):
            continue
        inner = values.producers.get(found[1])
        if inner is None:
            continue
        if inner.operator == ops.Erf() and _is_line(inner.inputs[0], x, math.sqrt(0.5), values):
            return replace(layer, operator=ops.Gelu(), inputs=(x,))
        if inner.operator == ops.Tanh() and _is_cubic(inner.inputs[0], x, values):
            return replace(layer, operator=ops.Gelu(tanh=True), inputs=(x,))
    return None


def floored(layer: Layer, values: Values) -> Layer | None:
    """The rest m of a division that is floored, by the one that is cut: where it has another sign
    than the divisor b, m + b, and else m."""
    if layer.operator != ops.Where() or len(layer.inputs) != 3:
        return None
    below, moved, rest = (values.producers.get(value) for value in layer.inputs)
    if rest is None or moved is None or below is None or below.operator != ops.Compare("less", 0.0):
        return None
    op, added = rest.operator, moved.operator
    if not isinstance(op, ops.Eltwise) or op.kind != "trunc_mod" or len(rest.inputs) != 2:
        return None
    pair = {rest.outputs[0], rest.inputs[1]}
    signs = _product(below.inputs[0], values).factors
    signed = [values.operator(value, ops.Sign) for value in signs]
    read = {one.inputs[0] for one in signed if one is not None}
    summed = isinstance(added, ops.Eltwise) and added.kind == "sum" and not added.coefficients
    if len(signs) != 2 or read != pair or not summed or set(moved.inputs) != pair:
        return None
    return replace(layer, operator=replace(op, kind="floor_mod"), inputs=rest.inputs)


CUBE: Final = 0.044715
"""The share of x^3 in the form with tanh."""


@record(frozen=True, slots=True)
class _Product:
    """A number times values."""

    scale: float
    factors: tuple[str, ...]


def _product(value: str, values: Values, depth: int = 6) -> _Product:
    """A value as the product that it is; of itself alone where it is none."""
    layer = values.producers.get(value)
    op = layer.operator if layer is not None else None
    if layer is None or depth == 0:
        return _Product(1.0, (value,))
    if isinstance(op, ops.Power) and (op.shift, op.power) == (0.0, 1.0):
        inner = _product(layer.inputs[0], values, depth - 1)
        return _Product(op.scale * inner.scale, inner.factors)
    if isinstance(op, ops.Power) and op in (ops.Power(2.0), ops.Power(3.0)):
        return _Product(1.0, layer.inputs[:1] * int(op.power))
    if isinstance(op, ops.Eltwise) and op.kind == "product":
        parts = [_product(one, values, depth - 1) for one in layer.inputs]
        factors = tuple(one for part in parts for one in part.factors)
        return _Product(math.prod(part.scale for part in parts), factors)
    return _Product(1.0, (value,))


def _one_and(value: str, values: Values) -> tuple[float, str] | None:
    """(c, v) of a value c * (1 + v)."""
    layer = values.operator(value, ops.Power)
    op = layer.operator if layer is not None else None
    if layer is None or not isinstance(op, ops.Power) or op.power != 1:
        return None
    return (op.scale, layer.inputs[0]) if op.scale == op.shift else None


def _is_line(value: str, x: str, slope: float, values: Values) -> bool:
    found = _product(value, values)
    return found.factors == (x,) and _near(found.scale, slope)


def _is_cubic(value: str, x: str, values: Values) -> bool:
    """Whether a value is sqrt(2/pi) * (x + 0.044715 * x^3)."""
    whole = _product(value, values)
    if len(whole.factors) != 1 or not _near(whole.scale, math.sqrt(2 / math.pi)):
        return False
    added = values.operator(whole.factors[0], ops.Eltwise)
    if added is None or added.operator.kind != "sum" or added.operator.coefficients:  # type: ignore[union-attr]
        return False
    parts = [_product(one, values) for one in added.inputs]
    return any(
        one == _Product(1.0, (x,)) and other.factors == (x,) * 3 and _near(other.scale, CUBE)
        for one, other in (parts, parts[::-1])
    )


def _near(number: float, wanted: float) -> bool:
    """Whether a number is another but for float32's rounding."""
    return abs(number - wanted) < 1e-6 * abs(wanted)
