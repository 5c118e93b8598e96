"""Arithmetic and comparisons of numbers and sizes, exact, or refused.

An integer is an int or a Dim; a real number a float or, where sizes are open, a Ratio. Integers
have 64 bits, and a size is an expression of bounded length: a file may hold any.
"""

from __future__ import annotations

import math
import operator
import struct
from collections.abc import Callable
from typing import Final

from upconv.converters.ir.dims import Dim, maximum, minimum
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.least import least, most, never_negative
from upconv.converters.readers.assembly.bounds import excess
from upconv.converters.readers.torch.aten.ratios import (
    Ratio,
    ceil,
    divide,
    floor,
    of_float,
    plus,
    times,
)
from upconv.converters.readers.torch.script.values import Unsure, Value

OPEN: Final = "it depends on sizes that are left open"


def checked(value: Value) -> Value:
    """The number itself; UnsupportedError for an integer or an expression that is too large."""
    size = value.numerator if isinstance(value, Ratio) else value
    problem = excess(size) if isinstance(size, int | Dim) else ""
    if problem:
        raise UnsupportedError(f"it computes {problem}")
    return value


def is_number(value: Value) -> bool:
    """Whether a value is a number, of known or of open sizes."""
    return isinstance(value, int | float | Dim | Ratio)


def is_integer(value: Value) -> bool:
    """Whether a number is an integer in TorchScript's types."""
    return isinstance(value, int | Dim)


def ratio(value: Value) -> Ratio:
    """A number as a ratio of a size."""
    if isinstance(value, Ratio):
        return value
    if isinstance(value, float):
        return of_float(value)
    if isinstance(value, int | Dim):
        return Ratio(value)
    raise UnsupportedError("arithmetic on what is no number")


def single(value: Value) -> Value:
    """A number rounded to float32; of a Ratio only one that needs no rounding."""
    if isinstance(value, int | float):
        try:
            return struct.unpack("<f", struct.pack("<f", value))[0]
        except OverflowError:
            raise UnsupportedError(f"{value!r:.40} in float32") from None
    if isinstance(value, Dim):
        return value
    if value.factor is not None and not _is_short(value.factor):
        raise UnsupportedError(
            f"open sizes are multiplied with {value.factor!r} in float32, which rounds",
            hint="give the sizes as numbers, with --input",
        )
    return value


def _is_short(factor: float) -> bool:
    """Whether products with sizes up to 2^14 are exact in float32."""
    return factor.as_integer_ratio()[0] < 1 << 10 and factor.as_integer_ratio()[1] <= 1 << 10


def _arithmetic(
    plain: Callable[[Value, Value], Value], exact: Callable[[list[Ratio]], Ratio]
) -> Callable[[Value, Value], Value]:
    def compute(left: Value, right: Value) -> Value:
        if all(isinstance(one, int | float) for one in (left, right)):
            return plain(left, right)
        if is_integer(left) and is_integer(right):
            return plain(left, right)
        return exact([ratio(left), ratio(right)])

    return compute


add: Final = _arithmetic(operator.add, plus)
subtract: Final = _arithmetic(operator.sub, lambda p: plus([p[0], times([Ratio(-1), p[1]])]))
multiply: Final = _arithmetic(operator.mul, times)


def quotient(left: Value, right: Value, rounding_mode: str | None = None) -> Value:
    """left / right, a real number, or rounded to an integer as torch.div does."""
    if rounding_mode is None:
        return true_divide(left, right)
    if rounding_mode == "floor":
        return floor_divide(left, right)
    return truncated(true_divide(left, right))


def _require_divisor(value: Value) -> None:
    if value == 0:
        raise UnsupportedError("it divides by zero")


def true_divide(left: Value, right: Value) -> Value:
    """left / right, a real number."""
    _require_divisor(right)
    if all(isinstance(one, int | float) for one in (left, right)):
        return left / right
    return divide(ratio(left), ratio(right))


def floor_divide(left: Value, right: Value) -> Value:
    """left // right, as Python rounds it."""
    _require_divisor(right)
    if all(isinstance(one, int | float) for one in (left, right)):
        return left // right
    if is_integer(left) and is_integer(right):
        return left // right
    return floor(divide(ratio(left), ratio(right))).numerator


def remainder(left: Value, right: Value) -> Value:
    """What // leaves."""
    _require_divisor(right)
    if all(isinstance(one, int | float) for one in (left, right)):
        return left % right
    return subtract(left, multiply(floor_divide(left, right), right))


def power(left: Value, right: Value) -> Value:
    """left ** right for small whole exponents of sizes; integers stay below 64 bits."""
    if isinstance(left, int | float) and isinstance(right, int | float):
        return _plain_power(left, right)
    if not isinstance(right, int) or not 0 <= right <= 8:
        raise UnsupportedError("a power of an open size")
    result: Value = 1
    for _ in range(right):
        result = multiply(result, left)
    return result


def _plain_power(left: float, right: float) -> Value:
    if isinstance(left, int) and isinstance(right, int) and abs(left) > 1 and right > 64:
        raise UnsupportedError("an integer of more than 64 bits")
    try:
        result: Value = left**right
    except (OverflowError, ZeroDivisionError) as error:
        raise UnsupportedError(f"a power that is no number: {error}") from None
    if isinstance(result, complex):
        raise UnsupportedError("a power that is no real number")
    return result


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise UnsupportedError(f"{value!r} as an integer")
    return value


def truncated(value: Value) -> Value:
    """int(value), which rounds towards zero: of open sizes only where they are never negative."""
    if isinstance(value, Ratio):
        if not never_negative(value.numerator):
            raise UnsupportedError("it rounds an open size that may be negative towards zero",
                                   hint="give the sizes as numbers, with --input")  # fmt: skip
        return floor(value).numerator
    return value if isinstance(value, Dim) else int(_finite(value))


def floored(value: Value) -> Value:
    """The largest integer that is not above a number."""
    if isinstance(value, Ratio):
        return floor(value).numerator
    return value if isinstance(value, Dim) else math.floor(_finite(value))


def ceiled(value: Value) -> Value:
    """The smallest integer that is not below a number."""
    if isinstance(value, Ratio):
        return ceil(value).numerator
    return value if isinstance(value, Dim) else math.ceil(_finite(value))


def _extreme(plain: Callable[..., Value], sizes: Callable[..., Value]) -> Callable[..., Value]:
    def choose(*values: Value) -> Value:
        if values and all(isinstance(one, int | float) for one in values):
            return plain(values)
        if not values or not all(is_integer(one) for one in values):
            raise UnsupportedError("the extreme of open sizes and real numbers")
        return sizes(*values)

    return choose


largest: Final = _extreme(max, maximum)
smallest: Final = _extreme(min, minimum)


def compare(name: str) -> Callable[[Value, Value], Value]:
    """eq, ne, lt, le, gt or ge: a truth value, or Unsure where open sizes decide it.

    >>> from upconv.converters.ir.dims import symbol
    >>> compare("gt")(symbol("H") + 2, 2), compare("gt")(symbol("H"), 2).reason == OPEN
    (True, True)
    """
    judge = getattr(operator, name)

    def decide(left: Value, right: Value) -> Value:
        if not is_number(left) or not is_number(right):
            return _compared(name, left, right)
        if not any(isinstance(one, Dim | Ratio) for one in (left, right)):
            return bool(judge(left, right))
        difference = subtract(left, right)
        if isinstance(difference, Ratio):
            difference = difference.numerator  # the denominator is positive
        return _decided(name, least(difference), most(difference))

    return decide


def _compared(name: str, left: Value, right: Value) -> bool:
    """Values of which one is no number are only told apart."""
    if name not in ("eq", "ne"):
        raise UnsupportedError("it compares what are no numbers")
    return bool(getattr(operator, name)(left, right))


def _decided(name: str, low: int | None, high: int | None) -> Value:
    """How a number from `low` to `high` (None: without end) compares with 0."""
    if name in ("eq", "ne"):
        never = (low is not None and low > 0) or (high is not None and high < 0)
        return (name == "ne") if never else (name == "eq") if low == high == 0 else Unsure(OPEN)
    judge = getattr(operator, name)
    ends = (low, high) if name in ("gt", "ge") else (high, low)
    surely, possibly = (None if end is None else bool(judge(end, 0)) for end in ends)
    return True if surely else False if possibly is False else Unsure(OPEN)
