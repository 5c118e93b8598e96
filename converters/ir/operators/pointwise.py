"""Operators on single elements, and the merges of tensors."""

from __future__ import annotations

from typing import Literal

from upconv.converters.ir.records import record


@record(frozen=True, slots=True)
class Identity:
    """The same values under another name (dropout at inference, a split, noise)."""


@record(frozen=True, slots=True)
class Eltwise:
    """Element by element over two or more inputs; sums may have coefficients.

    The inputs have one shape, or, with `broadcast`, shapes that NumPy's rule makes one: aligned
    at the last axis, sizes of 1 repeated.

    Of exactly two: "power", the first to the power of the second, and the rest of a division, with
    the divisor's sign in "floor_mod" (Python, torch.remainder), the dividend's in "trunc_mod" (C,
    torch.fmod).
    """

    kind: Literal[
        "sum",
        "product",
        "max",
        "min",
        "difference",
        "quotient",
        "power",
        "floor_mod",
        "trunc_mod",
    ]
    coefficients: tuple[float, ...] = ()
    broadcast: bool = False


@record(frozen=True, slots=True)
class Scale:
    """x * scale + bias along the axes axis, axis+1, ...

    `operand` says what a second input is: the "scale", the "bias", or there is "none". What is
    not an input is a weight (scale, bias), each optional.
    """

    axis: int
    operand: Literal["none", "scale", "bias"] = "none"


@record(frozen=True, slots=True)
class Relu:
    """max(x, 0) + slope * min(x, 0)."""

    slope: float = 0.0


@record(frozen=True, slots=True)
class PRelu:
    """max(x, 0) + slope_c * min(x, 0); weight slope (C) or (1)."""


@record(frozen=True, slots=True)
class Elu:
    alpha: float = 1.0


@record(frozen=True, slots=True)
class Sigmoid:
    pass


@record(frozen=True, slots=True)
class Tanh:
    pass


@record(frozen=True, slots=True)
class Power:
    """(shift + scale * x) ** power."""

    power: float = 1.0
    scale: float = 1.0
    shift: float = 0.0


@record(frozen=True, slots=True)
class Exp:
    """base ** (shift + scale * x); base None is e."""

    base: float | None = None
    scale: float = 1.0
    shift: float = 0.0


@record(frozen=True, slots=True)
class Log:
    """log_base(shift + scale * x); base None is e."""

    base: float | None = None
    scale: float = 1.0
    shift: float = 0.0


@record(frozen=True, slots=True)
class Abs:
    pass


@record(frozen=True, slots=True)
class Erf:
    """The error function, 2/sqrt(pi) times the integral of exp(-t^2) from 0 to x."""


@record(frozen=True, slots=True)
class Sin:
    pass


@record(frozen=True, slots=True)
class Cos:
    pass


@record(frozen=True, slots=True)
class Round:
    """The nearest whole number, halves to the even one."""


@record(frozen=True, slots=True)
class Floor:
    pass


@record(frozen=True, slots=True)
class Ceil:
    pass


@record(frozen=True, slots=True)
class Sign:
    """-1, 0 or 1."""


@record(frozen=True, slots=True)
class Softplus:
    """log(1 + exp(x)) (Caffe's BNLL)."""


@record(frozen=True, slots=True)
class Compare:
    """1 where x stands in this relation to the second input, or to the number `other`, else 0.

    The inputs broadcast by NumPy's rule; `other` is a float32 number. Truth values are 0 and 1:
    their minimum is "and", their maximum "or", equality with 0 is "not".
    """

    kind: Literal["less", "less_equal", "greater", "greater_equal", "equal", "not_equal"]
    other: float | None = None


@record(frozen=True, slots=True)
class Where:
    """`then` where the first input is not 0, else `otherwise`: the second and the third input, or
    float32 numbers, which are no inputs. The inputs broadcast by NumPy's rule."""

    then: float | None = None
    otherwise: float | None = None


@record(frozen=True, slots=True)
class Clip:
    low: float
    high: float


@record(frozen=True, slots=True)
class Swish:
    """x * sigmoid(beta * x)."""

    beta: float = 1.0


@record(frozen=True, slots=True)
class Gelu:
    """x * (1 + erf(x / sqrt(2))) / 2, or its approximation by tanh (Hendrycks, Gimpel 2016)."""

    tanh: bool = False
