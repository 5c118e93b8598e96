"""Size expressions of torch.export as sizes: read by their syntax, never evaluated.

A file holds them as SymPy writes them for itself, `FloorDiv(Symbol('s0'), Integer(2))`, or, in
older files, as people would, `(s0//2)`. Both are parsed as Python syntax, and of that only the
functions in a table, the operators and plain numbers mean anything.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from upconv.converters.ir.dims import Size, ceil_div, maximum, minimum
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.quiet import quietly
from upconv.converters.readers.torch.aten.ratios import (
    NoSizeError,
    Ratio,
    ceil,
    divide,
    floor,
    of_float,
    plus,
    times,
)

MAX_LENGTH: Final = 20_000
MAX_ARGUMENTS: Final = 64

SymbolTable: TypeAlias = Callable[[str], Size]


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
        value = _value(_parsed(text), symbols)
    except (NoSizeError, RecursionError) as error:
        raise UnsupportedError(f"the size '{_short(text)}' is no expression: {error}") from None
    if value.denominator != 1:
        raise UnsupportedError(f"the size '{_short(text)}' is no whole number")
    return value.numerator


def _parsed(text: str) -> ast.expr:
    try:
        with quietly():
            return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, MemoryError) as error:
        raise NoSizeError(str(error)) from None


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}..."


def _value(node: ast.expr, symbols: SymbolTable) -> Ratio:
    match node:
        case ast.Constant(value=bool()):
            raise NoSizeError("a truth value is no size")
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
                pair = (_value(left, symbols), _value(right, symbols))
                return _OPERATORS[type(operator)](*pair)
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return _call(name, arguments, symbols)
    raise NoSizeError(f"'{_short(ast.unparse(node))}' is not understood")


def _call(name: str, arguments: Sequence[ast.expr], symbols: SymbolTable) -> Ratio:
    if name in _LITERALS:
        return _LITERALS[name]([_literal(argument) for argument in arguments], symbols)
    if name not in _FUNCTIONS:
        raise NoSizeError(f"the function {name} is not known")
    if len(arguments) > MAX_ARGUMENTS:
        raise NoSizeError(f"{name} of {len(arguments)} sizes")
    return _FUNCTIONS[name]([_value(argument, symbols) for argument in arguments])


def _literal(node: ast.expr) -> object:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
    raise NoSizeError(f"'{_short(ast.unparse(node))}' is no literal")


def _whole(parts: Sequence[Ratio]) -> list[Size]:
    if any(part.denominator != 1 for part in parts):
        raise NoSizeError("an integer function of fractions")
    return [part.numerator for part in parts]


def _quotient(over: Ratio, under: Ratio) -> tuple[Size, Size]:
    """Both sides of a division of whole numbers."""
    left, right = _whole([over, under])
    if right == 0:
        raise NoSizeError("a division by zero")
    return left, right


def _floor_divide(over: Ratio, under: Ratio) -> Ratio:
    left, right = _quotient(over, under)
    return Ratio(left // right)


def _ceil_divide(over: Ratio, under: Ratio) -> Ratio:
    return Ratio(ceil_div(*_quotient(over, under)))


def _modulo(over: Ratio, under: Ratio) -> Ratio:
    """What Python's % leaves, which for sizes is SymPy's Mod too."""
    left, right = _quotient(over, under)
    return Ratio(left - left // right * right)


def _power(base: Ratio, exponent: Ratio) -> Ratio:
    count = exponent.numerator
    if not isinstance(count, int) or exponent.denominator != 1 or not -1 <= count <= 8:
        raise NoSizeError("a power that is no small number")
    return divide(Ratio(1), base) if count == -1 else times([base] * count)


def _minus(left: Ratio, right: Ratio) -> Ratio:
    return plus([left, times([Ratio(-1), right])])


def _extreme(choose: Callable[..., Size]) -> _Function:
    def apply(parts: Sequence[Ratio]) -> Ratio:
        if not parts:
            raise NoSizeError("the extreme of nothing")
        return Ratio(choose(*_whole(parts)))

    return apply


def _of_one(function: Callable[[Ratio], Ratio]) -> _Function:
    def apply(parts: Sequence[Ratio]) -> Ratio:
        if len(parts) != 1:
            raise NoSizeError(f"a function of one number is given {len(parts)}")
        return function(parts[0])

    return apply


def _of_two(function: Callable[[Ratio, Ratio], Ratio]) -> _Function:
    def apply(parts: Sequence[Ratio]) -> Ratio:
        if len(parts) != 2:
            raise NoSizeError(f"a function of two numbers is given {len(parts)}")
        return function(parts[0], parts[1])

    return apply


def _symbol(values: Sequence[object], symbols: SymbolTable) -> Ratio:
    if not values or not isinstance(values[0], str):
        raise NoSizeError("a symbol without a name")
    return Ratio(symbols(values[0]))


def _integer(values: Sequence[object], symbols: SymbolTable) -> Ratio:
    if not values or not isinstance(values[0], int):
        raise NoSizeError("an Integer that is none")
    return Ratio(values[0])


def _float(values: Sequence[object], symbols: SymbolTable) -> Ratio:
    if not values or not isinstance(values[0], str | int | float):
        raise NoSizeError("a Float that is none")
    try:
        return of_float(float(values[0]))
    except (ValueError, OverflowError) as error:
        raise NoSizeError(str(error)) from None


def _rational(values: Sequence[object], symbols: SymbolTable) -> Ratio:
    match values:
        case [int() as over, int() as under] if under > 0:
            return Ratio(over, under)
    raise NoSizeError("a Rational that is none")


_Function: TypeAlias = Callable[[Sequence[Ratio]], Ratio]

_LITERALS: Final = {
    "Symbol": _symbol,
    "Integer": _integer,
    "Float": _float,
    "Rational": _rational,
}

_FUNCTIONS: Final[dict[str, _Function]] = {
    "Add": plus,
    "Mul": times,
    **dict.fromkeys(("Pow", "PowByNatural"), _of_two(_power)),
    **dict.fromkeys(("FloorDiv", "CleanDiv"), _of_two(_floor_divide)),
    "CeilDiv": _of_two(_ceil_divide),
    **dict.fromkeys(("Mod", "PythonMod"), _of_two(_modulo)),
    "Max": _extreme(maximum),
    "Min": _extreme(minimum),
    **dict.fromkeys(("TruncToInt", "FloorToInt", "floor"), _of_one(floor)),
    **dict.fromkeys(("CeilToInt", "ceiling"), _of_one(ceil)),
    **dict.fromkeys(("ToFloat", "Identity"), _of_one(lambda part: part)),
    **dict.fromkeys(("IntTrueDiv", "FloatTrueDiv"), _of_two(divide)),
}
"""TruncToInt rounds as floor does: of sizes, which are not negative."""

_OPERATORS: Final[dict[type[ast.operator], Callable[[Ratio, Ratio], Ratio]]] = {
    ast.Add: lambda left, right: plus([left, right]),
    ast.Sub: _minus,
    ast.Mult: lambda left, right: times([left, right]),
    ast.Div: divide,
    ast.FloorDiv: _floor_divide,
    ast.Mod: _modulo,
    ast.Pow: _power,
}
