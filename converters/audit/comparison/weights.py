"""Weights of two layers in one place: equal to the bit, equal but for rounding, or different."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal

from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer
from upconv.converters.ir.records import record
from upconv.converters.ir.tensors import Weight

ROUNDING: Final = 2.0**-18
"""How far folded weights may lie apart, relative to the largest: folding takes a few products and
a root, each rounded to float32 (2^-24) in one order or another."""

DEFAULTS: Final = {"bias": 0.0, "scale": 1.0, "mean": 0.0, "variance": 1.0}
"""What a weight is that a layer does not have."""


def is_idle(layer: Layer) -> bool:
    """Whether all weights of a layer are what they are where there are none."""
    return all(
        weight.present and (weight.array() == DEFAULTS.get(name)).all()
        for name, weight in layer.weights.items()
    )


@record(frozen=True, slots=True)
class WeightDifference:
    """One weight of two layers. `verdict`: "shape", "values" or "unknown" (one is not stored);
    `largest`: the largest absolute difference; `count`: how many values differ, of `size`."""

    name: str
    verdict: Literal["shape", "values", "unknown"]
    largest: float = 0.0
    count: int = 0
    size: int = 0
    detail: str = ""

    def __str__(self) -> str:
        if self.verdict == "values":
            differing = f"{self.count} of {self.size} values differ"
            return f"{self.name}: {differing}, by {self.largest:.3g} at most"
        return f"{self.name}: {self.detail}"


def weight_differences(left: Layer, right: Layer, rounded: bool) -> Iterator[WeightDifference]:
    """The weights that differ; where folded weights are among them (`rounded`), by more than
    rounding. A weight that neither layer stores is not compared."""
    for name in dict.fromkeys((*left.weights, *right.weights)):
        one, other = left.weights.get(name), right.weights.get(name)
        found = _difference(name, left, right, one, other, rounded)
        if found is not None:
            yield found


def _difference(
    name: str, left: Layer, right: Layer, one: Weight | None, other: Weight | None, rounded: bool
) -> WeightDifference | None:
    stored = [weight for weight in (one, other) if weight is not None and weight.present]
    absent = [weight for weight in (one, other) if weight is not None and not weight.present]
    if absent:
        return None if not stored else _unknown(name, one is not None and one.present)
    values = [_values(name, *pair) for pair in ((left, one), (right, other))]
    known = [v for v in values if v is not None]
    a, b = (v if v is not None else _default(name, known[0]) for v in values)
    if a is None or b is None:
        return WeightDifference(name, "shape", detail=f"only {'A' if b is None else 'B'} has it")
    if name == "weight" and a.shape != b.shape:
        a, b = _dense(left, a), _dense(right, b)
    if a.shape != b.shape and a.size > 1 and b.size > 1:
        detail = f"{_text(a.shape)} in A, {_text(b.shape)} in B"
        return WeightDifference(name, "shape", detail=detail)
    return _compared(name, a, b, rounded)


def _unknown(name: str, is_left: bool) -> WeightDifference:
    detail = f"stored in {'A' if is_left else 'B'} only, so it was not compared"
    return WeightDifference(name, "unknown", detail=detail)


def _values(name: str, layer: Layer, weight: Weight | None) -> Any:
    if weight is None:
        return None
    op, values = layer.operator, weight.array()
    turned = name == "weight" and isinstance(op, ops.Linear) and op.transposed
    return values.T if turned else values


def _default(name: str, like: Any) -> Any:
    import numpy as np

    return np.full(like.shape, DEFAULTS[name], np.float32) if name in DEFAULTS else None


def _dense(layer: Layer, weight: Any) -> Any:
    """A grouped kernel as a dense one, zero between the groups; others as they are.

    Shapes: Conv (C_out, C_in/g, k...) becomes (C_out, C_in, k...), ConvTranspose (C_in, C_out/g,
    k...) becomes (C_in, C_out, k...).
    """
    import numpy as np

    groups = getattr(layer.operator, "groups", 1)
    if groups == 1:
        return weight
    rows, columns = weight.shape[0] // groups, weight.shape[1]
    dense = np.zeros((weight.shape[0], columns * groups, *weight.shape[2:]), np.float32)
    for group in range(groups):
        inside = slice(group * rows, (group + 1) * rows)
        dense[inside, group * columns : (group + 1) * columns] = weight[inside]
    return dense


def _compared(name: str, a: Any, b: Any, rounded: bool) -> WeightDifference | None:
    import numpy as np

    if a.shape == b.shape and np.array_equal(a, b, equal_nan=True):
        return None
    with np.errstate(invalid="ignore"):
        apart = np.abs(np.subtract(a, b, dtype=np.float64))
    apart = np.where(np.isnan(apart), np.where(np.isnan(a) & np.isnan(b), 0.0, np.inf), apart)
    scale = float(np.nanmax(np.abs(np.concatenate((a.ravel(), b.ravel()))))) if a.size else 0.0
    allowed = ROUNDING * scale if rounded else 0.0
    count = int((apart > allowed).sum())
    if not count:
        return None
    return WeightDifference(name, "values", float(apart.max()), count, apart.size)


def _text(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
