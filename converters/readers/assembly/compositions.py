"""What frameworks have as one operation and the representation says with several operators.

A composition is data: a reader's own way of adding a layer turns it into layers (`composed`), under
the reader's own names. What takes one operator used in a way that is not obvious is here too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Literal, TypeAlias, TypeVar

from upconv.converters.ir import operators as ops
from upconv.converters.ir.operators import Operator
from upconv.converters.ir.records import record

Value = TypeVar("Value")
Ints: TypeAlias = tuple[int, ...]
Kind: TypeAlias = Literal["sum", "product", "max", "min", "difference", "quotient"]


@record(frozen=True, slots=True)
class Part:
    """One operator of a composition. It reads the parts with these numbers, 0 being the input;
    `what` says what it computes, "" for the result."""

    what: str
    operator: Operator
    reads: tuple[int, ...]


Composition: TypeAlias = tuple[Part, ...]
Emit: TypeAlias = Callable[[Operator, Sequence[Value], str], Value]
"""(operator, inputs, what) -> the output of a layer that is added."""


def composed(composition: Composition, x: Value, emit: Emit[Value]) -> Value:
    """The result of a composition on `x`, its layers added in order."""
    values = [x]
    for part in composition:
        values.append(emit(part.operator, [values[read] for read in part.reads], part.what))
    return values[-1]


def chain(*steps: tuple[str, Operator]) -> Composition:
    """Operators of one input, each on what the one before it made."""
    return tuple(Part(what, operator, (at,)) for at, (what, operator) in enumerate(steps))


def _beside(operator: Operator, *steps: tuple[str, Operator]) -> Composition:
    """An operator on the input and what a chain makes of it."""
    return (*chain(*steps), Part("", operator, (0, len(steps))))


# Activations

SELU_ALPHA: Final = 1.6732632423543772848170429916717
SELU_SCALE: Final = 1.0507009873554804934193349852946
"""Klambauer et al. 2017, Self-Normalizing Neural Networks, with the digits all frameworks use."""


def selu(alpha: float = SELU_ALPHA, scale: float = SELU_SCALE) -> Composition:
    """scale * elu(x, alpha)."""
    return chain(("elu", ops.Elu(alpha)), ("", ops.Power(scale=scale)))


def celu(alpha: float) -> Composition:
    """alpha * elu(x / alpha)."""
    inner = ("scaled", ops.Power(scale=1 / alpha))
    return chain(inner, ("elu", ops.Elu()), ("", ops.Power(scale=alpha)))


def softplus(beta: float) -> Composition:
    """log(1 + exp(beta x)) / beta."""
    if beta == 1.0:
        return chain(("", ops.Softplus()))
    inner = ("scaled", ops.Power(scale=beta))
    return chain(inner, ("softplus", ops.Softplus()), ("", ops.Power(scale=1 / beta)))


def hard_sigmoid(slope: float = 1 / 6, shift: float = 0.5) -> Composition:
    """clip(slope * x + shift, 0, 1)."""
    return chain(("line", ops.Power(scale=slope, shift=shift)), ("", ops.Clip(0.0, 1.0)))


def hard_swish(slope: float = 1 / 6, shift: float = 0.5) -> Composition:
    """x * clip(slope * x + shift, 0, 1)."""
    line = ("line", ops.Power(scale=slope, shift=shift))
    return _beside(ops.Eltwise("product"), line, ("gate", ops.Clip(0.0, 1.0)))


def soft_shrink(bound: float = 0.5) -> Composition:
    """x - clip(x, -bound, bound)."""
    return _beside(ops.Eltwise("difference"), ("inside", ops.Clip(-bound, bound)))


def hard_shrink(bound: float = 0.5) -> Composition:
    """x where |x| > bound, else 0."""
    above = ("above", ops.Compare("greater", bound))
    return _beside(ops.Eltwise("product"), ("abs", ops.Abs()), above)


MISH: Final = _beside(ops.Eltwise("product"), ("softplus", ops.Softplus()), ("tanh", ops.Tanh()))
"""x * tanh(log(1 + exp(x)))."""

SOFTSIGN: Final = _beside(
    ops.Eltwise("quotient"), ("abs", ops.Abs()), ("add", ops.Power(shift=1.0))
)
"""x / (1 + |x|)."""

TANH_SHRINK: Final = _beside(ops.Eltwise("difference"), ("tanh", ops.Tanh()))
"""x - tanh(x)."""

LOG_SIGMOID: Final = chain(
    ("negative", ops.Power(scale=-1.0)), ("softplus", ops.Softplus()), ("", ops.Power(scale=-1.0))
)
"""-log(1 + exp(-x))."""

SQUAREPLUS: Final = _beside(
    ops.Eltwise("sum", (0.5, 0.5)),
    ("square", ops.Power(power=2.0)),
    ("root", ops.Power(power=0.5, shift=4.0)),
)
"""(x + sqrt(x^2 + 4)) / 2."""

TRUNCATED: Final = (
    Part("size", ops.Abs(), (0,)),
    Part("whole", ops.Floor(), (1,)),
    Part("sign", ops.Sign(), (0,)),
    Part("", ops.Eltwise("product"), (2, 3)),
)
"""Whole numbers towards 0: the sign of x times floor(|x|)."""

ZEROS: Final = chain(("ones", ops.Power(power=0.0)), ("", ops.Power(shift=-1.0)))
"""0 wherever x is, whatever it holds."""

ERFC: Final = chain(("erf", ops.Erf()), ("", ops.Power(scale=-1.0, shift=1.0)))
"""1 - erf(x), what GELU is made of."""

EXPM1: Final = chain(("exp", ops.Exp()), ("", ops.Power(shift=-1.0)))
"""exp(x) - 1, to a rounding of what stands beside it in a network."""


# With a number

LARGEST: Final = 3.4028234663852886e38
"""The largest float32: a bound of Clip where there is none."""

_WITH_NUMBER: Final[dict[Kind, Callable[[float], Operator]]] = {
    "sum": lambda c: ops.Power(shift=c),
    "difference": lambda c: ops.Power(shift=-c),
    "product": lambda c: ops.Power(scale=c),
    "quotient": lambda c: ops.Power(scale=1 / c),
    "max": lambda c: ops.Clip(c, LARGEST),
    "min": lambda c: ops.Clip(-LARGEST, c),
}


def with_number(kind: Kind, number: float) -> Operator:
    """x with a number behind it: x + c, x - c, max(x, c) ... ZeroDivisionError for x / 0."""
    return _WITH_NUMBER[kind](number)


# Pixels


def repeated(factor: Sequence[int]) -> ops.Resize:
    """Every pixel so many times along each spatial axis."""
    return ops.Resize("nearest", "asymmetric", factor=tuple(factor), nearest_mode="floor")


def pool(
    kind: Literal["max", "average"],
    kernel: Ints,
    stride: Ints,
    dilation: Ints = (),
    pads: tuple[Ints, Ints] | None = None,
) -> ops.Pool:
    """A pooling as all but Caffe have it: windows that begin inside are whole or dropped, and what
    is padded counts for nothing."""
    none = (0,) * len(kernel)
    begin, end = pads or (none, none)
    dilation = dilation or (1,) * len(kernel)
    return ops.Pool(kind, kernel, stride, dilation, begin, end, "floor", "never", False)
