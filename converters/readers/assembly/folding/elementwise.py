"""Arithmetic on known arrays, element by element and along axes; exact on sizes, or refused.

Graphs compute sizes in float32 on the way (`floor(cast(H) * 1.5)`). Here such a number is a
fraction of sizes. Of what float32 rounds, only a quotient by a whole number is followed, whose
floor is right all the same: with denominators up to 2^10, numbers up to 2^12 lie further from the
next whole number than two roundings go. Multiplied, or added to another, it is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import ceil, floor
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from upconv.converters.ir.dims import Dim, Like, Size, Symbol, ceil_div, maximum, minimum
from upconv.converters.readers.assembly.folding import few
from upconv.converters.readers.assembly.folding.arrays import (
    Array,
    Fraction,
    NotFoldableError,
    by_either,
    is_symbolic,
    objects,
    require_small,
)
from upconv.converters.readers.assembly.folding.few import Few, joint_shape

if TYPE_CHECKING:
    from numpy.typing import NDArray

Ratio: TypeAlias = tuple[Size, int]
"""(numerator, denominator > 0)."""

SHORT: Final = 1 << 10
"""Fractions p/q, p and q up to here, times sizes up to 2^14 are exact in float32."""


def _ratio(value: Any) -> Ratio:
    if isinstance(value, Fraction):
        return value.numerator, value.denominator
    if isinstance(value, Dim):
        return value, 1
    if not isinstance(value, int | float):
        raise TypeError(f"{type(value).__name__} in arithmetic")
    over, under = value.as_integer_ratio()
    if under > SHORT or (under > 1 and abs(over) > SHORT):
        raise NotFoldableError(f"sizes are multiplied with {value!r} in float32, which rounds")
    return over, under


def _value(over: Size, under: int) -> Any:
    """The quotient: whole where it is for every size, a number where it is one."""
    if isinstance(over, int):
        return over // under if over % under == 0 else over / under
    whole = over // under
    if whole * under == over:
        return whole
    if under > SHORT:
        raise NotFoldableError(f"a size divided by {under} in float32, which rounds")
    return Fraction(over, under)


def _is_dyadic(under: int) -> bool:
    """Whether float32 holds all n/under."""
    return under & (under - 1) == 0


def _require_one_rounded(*unders: int) -> None:
    if sum(not _is_dyadic(under) for under in unders) > 1:
        raise NotFoldableError("fractions of sizes added to each other, which float32 rounds")


def _are_plain(a: Any, b: Any) -> bool:
    """Whether Python's own arithmetic does: both are sizes, or both numbers."""
    return any(isinstance(a, kind) and isinstance(b, kind) for kind in (Dim | int, float | int))


def _sum(sign: int) -> Callable[[Any, Any], Any]:
    def add(a: Any, b: Any) -> Any:
        if _are_plain(a, b):
            return a + sign * b
        (over, under), (other, below) = _ratio(a), _ratio(b)
        _require_one_rounded(under, below)
        return _value(over * below + sign * other * under, under * below)

    return add


def _product(a: Any, b: Any) -> Any:
    if _are_plain(a, b):
        return a * b
    (over, under), (other, below) = _ratio(a), _ratio(b)
    for one, factor in ((under, other), (below, over)):
        power = isinstance(factor, int) and _is_dyadic(abs(factor))
        if not _is_dyadic(one) and not power:
            raise NotFoldableError("a fraction of a size multiplied, which float32 rounds")
    return _value(over * other, under * below)


def _true_quotient(a: Any, b: Any) -> Any:
    """A quotient by a number, or by a size that divides it."""
    (over, under), (other, below) = _ratio(a), _ratio(b)
    if isinstance(other, int):
        if other == 0:
            raise ZeroDivisionError("division by zero")
        sign = 1 if other > 0 else -1
        return _value(over * below * sign, under * abs(other))
    whole = over // other
    if under == below == 1 and whole * other == over:
        return whole
    raise NotFoldableError("a size divided by another, with a fraction")


def _whole_quotient(a: Any, b: Any) -> Any:
    """Of sizes, which are not negative: rounded down is rounded to zero."""
    if isinstance(a, Dim | int) and isinstance(b, Dim | int):
        return a // b
    return _truncated(_true_quotient(a, b))


def _compare(test: Callable[[float], bool]) -> Callable[[Any, Any], bool]:
    def compare(a: Any, b: Any) -> bool:
        difference = _sum(-1)(a, b)
        if isinstance(difference, int | float):
            return test(difference)
        if isinstance(difference, Dim) and _is_positive(difference):
            return test(1)
        if isinstance(difference, Dim) and _is_positive(-difference):
            return test(-1)
        raise NotFoldableError("a comparison that depends on the input's size")

    return compare


def _is_positive(size: Dim) -> bool:
    """Whether a sum of sizes, which are 0 or more, is above 0: no size is -1."""
    plain = all(isinstance(atom, Symbol | Like) and factor > 0 for atom, factor in size.terms)
    return plain and size.constant > 0


_COMPARISONS: Final[Mapping[str, Callable[[float], bool]]] = {
    "equal": lambda d: d == 0,
    "not_equal": lambda d: d != 0,
    "greater": lambda d: d > 0,
    "greater_equal": lambda d: d >= 0,
    "less": lambda d: d < 0,
    "less_equal": lambda d: d <= 0,
}

_OF_SIZES: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "add": _sum(1),
    "subtract": _sum(-1),
    "multiply": _product,
    "true_divide": _true_quotient,
    "divide": _whole_quotient,
    "floor_divide": _whole_quotient,
    "mod": lambda a, b: a - a // b * b,
    "maximum": maximum,
    "minimum": minimum,
    **{name: _compare(test) for name, test in _COMPARISONS.items()},
}
"""What is done to sizes, where NumPy's functions would not do or not be exact."""


def _divide(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """A true division of floats and, of whole numbers, one that rounds to zero."""
    import numpy as np

    if a.dtype.kind in "iu" and b.dtype.kind in "iu":
        return np.asarray(np.trunc(np.true_divide(a, b)), a.dtype)
    return np.asarray(np.true_divide(a, b))


def _squared_difference(a: NDArray[Any], b: NDArray[Any]) -> Any:
    return (a - b) ** 2


_OWN_BINARY: Final[Mapping[str, Callable[[NDArray[Any], NDArray[Any]], Any]]] = {
    "divide": _divide,
    "squared_difference": _squared_difference,
}
"""What NumPy has no function for, or under this name another."""


def binary(name: str, a: Array, b: Array) -> Array:
    """An operation on two arrays, repeated along axes of size 1. "divide" rounds whole numbers to
    zero, and sizes."""
    require_small(*joint_shape(a.shape, b.shape))
    of_sizes = _OF_SIZES.get(name) if is_symbolic(a) or is_symbolic(b) else None
    if isinstance(a, Few) and isinstance(b, Few):
        return few.mapped(of_sizes, [a, b], "O") if of_sizes else few.binary(name, a, b)
    import numpy as np

    if of_sizes:
        return np.asarray(np.frompyfunc(of_sizes, 2, 1)(a, b), object)
    left, right = np.asarray(a), np.asarray(b)
    result = np.asarray((_OWN_BINARY.get(name) or getattr(np, name))(left, right))
    same = result.dtype.kind == "f" and left.dtype == right.dtype
    return result.astype(left.dtype) if same else result


def _own_unary(name: str) -> Callable[[NDArray[Any]], Any] | None:
    """What NumPy has no function for."""
    import numpy as np

    functions: dict[str, Callable[[NDArray[Any]], Any]] = {
        "rsqrt": lambda x: 1 / np.sqrt(x),
        "reciprocal": lambda x: 1 / x,
        "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
        "softplus": lambda x: np.logaddexp(x, 0),
        "relu": lambda x: np.maximum(x, 0),
    }
    return functions.get(name)


def _floor(value: Any) -> Any:
    if isinstance(value, Fraction):
        return value.numerator // value.denominator
    return floor(value) if isinstance(value, float) else value


def _truncated(value: Any) -> Any:
    """Rounded to zero, which for sizes is down."""
    return int(value) if isinstance(value, float) else _floor(value)


def _ceil(value: Any) -> Any:
    if isinstance(value, Fraction):
        return ceil_div(value.numerator, value.denominator)
    return ceil(value) if isinstance(value, float) else value


def _round(value: Any) -> Any:
    if isinstance(value, Fraction):
        raise NotFoldableError("a fraction of a size rounded to the nearest whole number")
    return round(value) if isinstance(value, float) else value


_OF_A_SIZE: Final[Mapping[str, Callable[[Any], Any]]] = {
    "floor": _floor,
    "ceil": _ceil,
    "round": _round,
    "truncate": _truncated,
    "negative": lambda value: _product(value, -1),
    "square": lambda value: _product(value, value),
}


def unary(name: str, x: Array) -> Array:
    """An operation on each value."""
    if is_symbolic(x):
        if name not in _OF_A_SIZE:
            raise NotFoldableError(f"{name} of a size")
        return objects([_OF_A_SIZE[name](item) for item in x.reshape(-1).tolist()]).reshape(x.shape)
    if isinstance(x, Few):
        return few.unary(name, x)
    import numpy as np

    made = np.asarray((_own_unary(name) or getattr(np, name))(x))
    return made.astype(x.dtype) if x.dtype.kind == "f" else made


def cast(x: Array, dtype: str) -> Array:
    """The values as another type; sizes and fractions of them as whole numbers where it is one."""
    if not is_symbolic(x):
        return x.astype(dtype)
    return unary("truncate", x) if dtype.lstrip("<|")[0] in "iu" else x


def where(condition: Array, yes: Array, no: Array) -> Array:
    """Values of `yes` where the condition holds, else of `no`."""
    require_small(*joint_shape(condition.shape, yes.shape, no.shape))
    if is_symbolic(condition) and any(
        isinstance(item, Dim | Fraction) for item in condition.reshape(-1).tolist()
    ):
        raise NotFoldableError("a choice that depends on the input's size")
    return by_either("where", [condition.astype("|b1"), yes, no])


def reduced(name: str, x: Array, axes: tuple[int, ...], *, keepdims: bool = False) -> Array:
    """Products, sums ... along axes."""
    if is_symbolic(x) and name not in ("prod", "sum"):
        raise NotFoldableError(f"{name} of sizes")
    if is_symbolic(x) and not axes:
        return x
    if isinstance(x, Few):
        return few.reduced(name, x, axes, keepdims=keepdims)
    import numpy as np

    made = getattr(np, name)(x, axis=axes, keepdims=keepdims)
    if not is_symbolic(x):
        return np.asarray(made, x.dtype if x.dtype.kind == "f" else None)
    return made if isinstance(made, np.ndarray) else objects([made]).reshape(())
