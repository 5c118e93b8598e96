"""Size expressions of torch.export as sizes: read by their syntax, never evaluated.

A file holds them as SymPy writes them for itself, `FloorDiv(Symbol('s0'), Integer(2))`, or, in
older files, as people would, `(s0//2)`. Both are parsed as Python syntax, and of that only the
functions in a table, the operators and plain numbers mean anything.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import Final, TypeAlias

from upconv.converters.ir.dims import Size, ceil_div, is_constant, is_larger, maximum, minimum
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.quiet import quietly

MAX_LENGTH: Final = 20_000
CHECKED_SIZES: Final = 1 << 14
MAX_DENOMINATOR: Final = 10_000
LARGEST: Final = 1 << 63
MAX_PARTS: Final = 300
MAX_ARGUMENTS: Final = 64

SymbolTable: TypeAlias = Callable[[str], Size]


@dataclass(frozen=True, slots=True)
class Ratio:
    """A real number that a size is made of on the way: numerator / denominator.

    `factor`: the float the file multiplies with, where the product is a rounded one.
    """

    numerator: Size
    denominator: int = 1
    factor: float | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for what no size of a network is made of, on the way to it."""
        size = self.numerator
        numbers = [size] if isinstance(size, int) else [factor for _, factor in size.terms]
        if max(map(abs, (*numbers, self.denominator)), default=0) >= LARGEST:
            raise ValueError("a number of more than 64 bits")
        if is_larger(size, MAX_PARTS):
            raise ValueError(f"an expression of more than {MAX_PARTS} sizes")


def parse_size(text: str, symbols: SymbolTable) -> Size:
    """The size an expression stands for; `symbols` turns a symbol's name into a size.

    Raises UnsupportedError for what is no such expression, or cannot be said exactly in integers.

    >>> from upconv.converters.ir.dims import symbol
    >>> str(parse_size("Add(FloorDiv(Symbol('s0'), Integer(2)), Integer(1))", symbol))
    'floor(s0/2)+1'
    >>> str(parse_size("2*(s0//3) - 1", symbol))
    '2*floor(s0/3)-1'
    """
    if len(text) > MAX_LENGTH:
        raise UnsupportedError(f"a size expression of {len(text)} characters")
    try:
        with quietly():
            body = ast.parse(text, mode="eval").body
        value = _value(body, symbols)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UnsupportedError(f"the size '{_short(text)}' is no expression: {error}") from None
    except ZeroDivisionError:
        raise UnsupportedError(f"the size '{_short(text)}' divides by zero") from None
    if value.denominator != 1:
        raise UnsupportedError(f"the size '{_short(text)}' is no whole number")
    return value.numerator


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}..."


def _value(node: ast.expr, symbols: SymbolTable) -> Ratio:
    match node:
        case ast.Constant(value=bool()):
            raise ValueError("a truth value is no size")
        case ast.Constant(value=int() as number):
            return Ratio(number)
        case ast.Constant(value=float() as number):
            return of_float(number)
        case ast.Name(id=name):
            return Ratio(symbols(name))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return times([Ratio(-1), _value(operand, symbols)])
        case ast.BinOp(left=left, op=operator, right=right):
            if type(operator) in _OPERATORS:
                pair = [_value(left, symbols), _value(right, symbols)]
                return _OPERATORS[type(operator)](pair)
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return _call(name, arguments, symbols)
    raise ValueError(f"'{_short(ast.unparse(node))}' is not understood")


def _call(name: str, arguments: Sequence[ast.expr], symbols: SymbolTable) -> Ratio:
    if name in _LITERALS:
        return _LITERALS[name]([_literal(argument) for argument in arguments], symbols)
    if name not in _FUNCTIONS:
        raise ValueError(f"the function {name} is not known")
    if len(arguments) > MAX_ARGUMENTS:
        raise ValueError(f"{name} of {len(arguments)} sizes")
    return _FUNCTIONS[name]([_value(argument, symbols) for argument in arguments])


def _literal(node: ast.expr) -> object:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
    raise ValueError(f"'{_short(ast.unparse(node))}' is no literal")


def of_float(number: float) -> Ratio:
    """The simple fraction that people meant by a float (1.7 is 17/10)."""
    fraction = Fraction(number).limit_denominator(MAX_DENOMINATOR)
    if float(fraction) != number:
        raise UnsupportedError(f"sizes are multiplied with {number!r}, which is no simple fraction")
    return Ratio(fraction.numerator, fraction.denominator, number)


def plus(parts: Sequence[Ratio]) -> Ratio:
    """The sum."""
    denominator = lcm(*(part.denominator for part in parts))
    total: Size = 0
    for part in parts:
        total = total + part.numerator * (denominator // part.denominator)
    return Ratio(total, denominator)


def times(parts: Sequence[Ratio]) -> Ratio:
    """The product; it is rounded as its one float factor makes it."""
    numerator: Size = 1
    denominator = 1
    factors = [part.factor for part in parts if part.factor is not None]
    for part in parts:
        numerator = numerator * part.numerator
        denominator *= part.denominator
    return Ratio(numerator, denominator, factors[0] if len(factors) == 1 else None)


def divide(parts: Sequence[Ratio]) -> Ratio:
    """The quotient by a fixed number."""
    over, under = parts
    divisor = under.numerator
    if not isinstance(divisor, int):
        raise ValueError("a division by a size that is not fixed")
    if divisor == 0:
        raise ZeroDivisionError
    scaled = over.numerator * under.denominator
    sign = 1 if divisor > 0 else -1
    return Ratio(scaled * sign, over.denominator * abs(divisor), None)


def floor(parts: Sequence[Ratio]) -> Ratio:
    """The largest whole number that is not above it."""
    (part,) = parts
    if part.factor is not None:
        _require_exact(part.factor, floor_of_product)
    return Ratio(part.numerator // part.denominator)


def ceil(parts: Sequence[Ratio]) -> Ratio:
    """The smallest whole number that is not below it."""
    (part,) = parts
    if part.factor is not None:
        _require_exact(part.factor, lambda n, fraction: -floor_of_product(n, -fraction))
    return Ratio(ceil_div(part.numerator, part.denominator))


def floor_of_product(size: int, factor: Fraction) -> int:
    """floor(size * factor), exactly.

    >>> floor_of_product(10, Fraction(17, 10))
    17
    """
    return size * factor.numerator // factor.denominator


def exact_factor(factor: float) -> Fraction | None:
    """The simple fraction p/q for which trunc(n * factor), in double precision, is n*p//q for
    every size n up to CHECKED_SIZES; None where there is none.

    >>> exact_factor(1.7)
    Fraction(17, 10)
    """
    fraction = Fraction(factor).limit_denominator(MAX_DENOMINATOR)
    p, q = fraction.numerator, fraction.denominator
    if float(fraction) != factor:
        return None
    exact = all(int(n * factor) == n * p // q for n in range(CHECKED_SIZES))
    return fraction if exact else None


def _require_exact(factor: float, rounded: Callable[[int, Fraction], int]) -> None:
    """A rounded product may fall to the other side of a whole number; then no integers say it."""
    if Fraction(factor).denominator <= 1 << 12:
        return  # exact in double precision for every size there is
    if exact_factor(factor) is None:
        raise UnsupportedError(f"sizes are multiplied with {factor!r} and rounded, inexactly")


def _whole(parts: Sequence[Ratio]) -> list[Size]:
    if any(part.denominator != 1 for part in parts):
        raise ValueError("an integer function of fractions")
    return [part.numerator for part in parts]


def _floor_divide(parts: Sequence[Ratio]) -> Ratio:
    over, under = _whole(parts)
    return Ratio(over // under)


def _ceil_divide(parts: Sequence[Ratio]) -> Ratio:
    over, under = _whole(parts)
    return Ratio(ceil_div(over, under))


def _modulo(parts: Sequence[Ratio]) -> Ratio:
    """What Python's % leaves, which for sizes is SymPy's Mod too."""
    over, under = _whole(parts)
    return Ratio(over - over // under * under)


def _power(parts: Sequence[Ratio]) -> Ratio:
    base, exponent = parts
    count = exponent.numerator
    if not isinstance(count, int) or exponent.denominator != 1 or not -1 <= count <= 8:
        raise ValueError("a power that is no small number")
    return divide([Ratio(1), base]) if count == -1 else times([base] * count)


def _symbol(values: Sequence[object], symbols: SymbolTable) -> Ratio:
    if not values or not isinstance(values[0], str):
        raise ValueError("a symbol without a name")
    return Ratio(symbols(values[0]))


def _integer(values: Sequence[object], symbols: SymbolTable) -> Ratio:
    if not values or not isinstance(values[0], int):
        raise ValueError("an Integer that is none")
    return Ratio(values[0])


def _float(values: Sequence[object], symbols: SymbolTable) -> Ratio:
    if not values or not isinstance(values[0], str | int | float):
        raise ValueError("a Float that is none")
    return of_float(float(values[0]))


def _rational(values: Sequence[object], symbols: SymbolTable) -> Ratio:
    over, under = values
    if not isinstance(over, int) or not isinstance(under, int) or under <= 0:
        raise ValueError("a Rational that is none")
    return Ratio(over, under)


_LITERALS: Final = {
    "Symbol": _symbol,
    "Integer": _integer,
    "Float": _float,
    "Rational": _rational,
}

_FUNCTIONS: Final[dict[str, Callable[[Sequence[Ratio]], Ratio]]] = {
    "Add": plus,
    "Mul": times,
    "Pow": _power,
    "PowByNatural": _power,
    "FloorDiv": _floor_divide,
    "CleanDiv": _floor_divide,
    "CeilDiv": _ceil_divide,
    "Mod": _modulo,
    "PythonMod": _modulo,
    "Max": lambda parts: Ratio(maximum(*_whole(parts))),
    "Min": lambda parts: Ratio(minimum(*_whole(parts))),
    "TruncToInt": floor,
    "FloorToInt": floor,
    "floor": floor,
    "CeilToInt": ceil,
    "ceiling": ceil,
    "ToFloat": lambda parts: parts[0],
    "IntTrueDiv": divide,
    "FloatTrueDiv": divide,
    "Identity": lambda parts: parts[0],
}
"""TruncToInt rounds as floor does: of sizes, which are not negative."""

_OPERATORS: Final[dict[type[ast.operator], Callable[[Sequence[Ratio]], Ratio]]] = {
    ast.Add: plus,
    ast.Sub: lambda parts: plus([parts[0], times([Ratio(-1), parts[1]])]),
    ast.Mult: times,
    ast.Div: divide,
    ast.FloorDiv: _floor_divide,
    ast.Mod: _modulo,
    ast.Pow: _power,
}


def invert(size: Size, name: str, axis: Size) -> Size | None:
    """The symbol `name` as what `axis` says it is, where `size` is the axis in that symbol.

    Only a*name + b can be turned around: name = (axis - b)/a. None for anything else.
    """
    from upconv.converters.ir.dims import Symbol

    if is_constant(size) or isinstance(size, int) or len(size.terms) != 1:
        return None
    atom, factor = size.terms[0]
    if not isinstance(atom, Symbol) or atom.name != name or factor < 1:
        return None
    return (axis - size.constant) // factor
