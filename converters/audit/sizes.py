"""Which input sizes a net accepts: its merges and crops as conditions on H and W.

Every size of a net is an exact expression of floor divisions, so that a condition on it repeats
with a period. It is evaluated for one period of sizes large enough to be typical, and the rule
that the valid ones follow is read off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import lcm
from typing import Final, Literal

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import (
    Dim,
    Extreme,
    Like,
    Product,
    Quotient,
    Size,
    Symbol,
    evaluate,
    leaves,
)
from upconv.converters.ir.inference import infer
from upconv.converters.ir.model import Layer, Model
from upconv.converters.ir.shapes import Shape

LONGEST_PERIOD: Final = 512
BASE: Final = 512
"""The first size looked at is a multiple of the period from here on, past what borders do."""


_LISTED: Final = 4
"""How many rests a rule lists; of more it gives the number."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What one layer asks of the net's input: a difference that is 0, or not below 0."""

    layer: Layer
    size: Dim
    kind: Literal["equal", "enough"]

    def holds(self, symbols: Mapping[str, int], memo: dict[int, object]) -> bool:
        value: int = evaluate(self.size, symbols, memo)
        return value == 0 if self.kind == "equal" else value >= 0


@dataclass(frozen=True, slots=True)
class AxisRule:
    """The sizes along one axis that a net accepts: those whose rest by `modulus` is in `rests`.

    `failing` is a size that is not accepted, and `condition` the first that fails there.
    """

    axis: str
    modulus: int
    rests: tuple[int, ...]
    failing: int
    condition: Condition

    def __str__(self) -> str:
        if len(self.rests) > _LISTED:
            return f"{len(self.rests)} of every {self.modulus} values of {self.axis}"
        if len(self.rests) == 1:
            return f"{self.axis} % {self.modulus} == {self.rests[0]}"
        return f"{self.axis} % {self.modulus} in ({', '.join(map(str, self.rests))})"

    def accepts(self, size: int) -> bool:
        return size % self.modulus in self.rests


def conditions(model: Model) -> tuple[Condition, ...]:
    """What the merges, crops and unpoolings of a model with symbolic inputs ask for."""
    shapes = infer(model).shapes
    found: dict[tuple[Dim, str], Condition] = {}
    for layer in model.layers:
        if type(layer.operator) not in _ASKS:
            continue
        for size, kind in _ASKS[type(layer.operator)](layer, shapes):
            if isinstance(size, Dim):
                found.setdefault((size, kind), Condition(layer, size, kind))
    return tuple(found.values())


_Asked = Iterator[tuple[Size, Literal["equal", "enough"]]]
_Shapes = Mapping[str, Shape | None]


def _of_merge(layer: Layer, shapes: _Shapes) -> _Asked:
    first = shapes.get(layer.inputs[0])
    joined = getattr(layer.operator, "axis", None)
    for value in layer.inputs[1:]:
        other = shapes.get(value)
        if first is None or other is None or len(first) != len(other):
            continue
        for axis in range(2, len(first)):
            if joined is None or axis != joined % len(first):
                yield first[axis] - other[axis], "equal"


def _of_unpool(layer: Layer, shapes: _Shapes) -> _Asked:
    data, indices = (shapes.get(value) for value in layer.inputs[:2])
    if data is not None and indices is not None:
        for left, right in zip(data[2:], indices[2:], strict=False):
            yield left - right, "equal"


def _of_crop(layer: Layer, shapes: _Shapes) -> _Asked:
    op = layer.operator
    assert isinstance(op, ops.Crop)
    x, y = shapes.get(layer.inputs[0]), shapes.get(layer.outputs[0])
    if x is None or y is None:
        return
    for index, offset in enumerate(op.offsets, start=op.axis % len(x)):
        if index >= 2:
            yield x[index] - offset - y[index], "enough"


_ASKS: Final[Mapping[type, Callable[[Layer, _Shapes], _Asked]]] = {
    ops.Eltwise: _of_merge,
    ops.Concat: _of_merge,
    ops.Unpool: _of_unpool,
    ops.Crop: _of_crop,
}


def axis_rule(asked: tuple[Condition, ...], axis: str) -> AxisRule | None:
    """The rule that the sizes along one symbol must follow.

    None where all sizes pass, none does, or no rule is found within LONGEST_PERIOD.
    """
    mine = [c for c in asked if leaves(c.size) == {Symbol(axis)}]
    whole = lcm(1, *(period(c.size) for c in mine))
    if not mine or whole > LONGEST_PERIOD:
        return None
    start = whole * -(-BASE // whole)
    failing: dict[int, Condition] = {}
    for size in range(start, start + whole):
        memo: dict[int, object] = {}
        bad = next((c for c in mine if not c.holds({axis: size}, memo)), None)
        if bad is not None:
            failing[size - start] = bad
    if not failing or len(failing) == whole:
        return None
    valid = [rest for rest in range(whole) if rest not in failing]
    modulus, rests = _shortest(whole, valid)
    worst = next(iter(failing))
    return AxisRule(axis, modulus, rests, start + worst, failing[worst])


def _shortest(whole: int, valid: list[int]) -> tuple[int, tuple[int, ...]]:
    """The smallest modulus that says the same.

    >>> _shortest(8, [0, 4])
    (4, (0,))
    """
    for modulus in range(1, whole):
        if whole % modulus == 0:
            rests = sorted({rest % modulus for rest in valid})
            if len(rests) * (whole // modulus) == len(valid):
                return modulus, tuple(rests)
    return whole, tuple(valid)


@lru_cache(maxsize=4096)
def period(size: Size) -> int:
    """After how many steps of its symbols a size has grown evenly again (a multiple of it).

    >>> from upconv.converters.ir.dims import symbol
    >>> period(symbol("H") // 2 + symbol("H") // 3)
    6
    """
    if isinstance(size, int):
        return 1
    return lcm(1, *(_atom_period(atom) for atom, _ in size.terms))


def _atom_period(atom: object) -> int:
    match atom:
        case Quotient(numerator, divisor):
            return period(numerator) * (divisor if isinstance(divisor, int) else 1)
        case Extreme(_, arguments):
            return lcm(1, *map(period, arguments))
        case Product(factors):
            return lcm(1, *map(period, factors))
        case Symbol() | Like():
            return 1
    raise TypeError(f"no period of {atom!r}")
