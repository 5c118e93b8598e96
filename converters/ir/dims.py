"""Sizes as exact integer expressions.

A size is an `int` or a `Dim`: a sum of integer multiples of atoms plus a constant, kept in a
canonical form so that equal linear expressions compare equal. Atoms are symbols, floor
divisions, minima, maxima, products and `Like(tensor, axis)`, which stands for the size of another
tensor. Plain Python operators build them, so every formula of `geometry` works alike on ints, on
Dims and on numpy arrays of ints.

>>> H = symbol("H")
>>> str(ceil_div(H - 3, 2) + 1)
'ceil((H-1)/2)'
>>> evaluate(2 * (H // 2) - 1, {"H": 7})
5
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from math import gcd, prod
from typing import Any, Final, Literal, TypeAlias, Union

from upconv.converters.ir.records import quick_record

Size: TypeAlias = Union[int, "Dim"]
Atom: TypeAlias = Union["Symbol", "Like", "Quotient", "Extreme", "Product"]


MOST_PARTS: Final = 2_000
"""Numbers and names that an expression may be written with. Each size can be made of the one before
twice, so without a bound a file of a hundred layers asks for 2^100 of them."""


class TooLongError(ValueError):
    """An expression beyond MOST_PARTS."""

    def __init__(self) -> None:
        super().__init__(f"a size whose formula has more than {MOST_PARTS} parts")


class Written:
    """What is known of an atom that holds sizes, so that they are not gone through again: its hash,
    how many numbers and names it is written with, and, once somebody has asked, its text.

    Raises TooLongError where there are too many of them.
    """

    __slots__ = ("hash", "parts", "text")

    def __init__(self, kind: str, inner: tuple[Size, ...]) -> None:
        self.hash = hash((kind, inner))
        self.parts = sum(map(parts_of, inner))
        self.text = ""
        if self.parts > MOST_PARTS:
            raise TooLongError


@quick_record(frozen=True, slots=True)
class Symbol:
    """A size the user wrote as a letter."""

    name: str

    def __str__(self) -> str:
        return self.name


@quick_record(frozen=True, slots=True)
class Like:
    """The size of `tensor` along `axis`."""

    tensor: str
    axis: int

    def __str__(self) -> str:
        return f"size({self.tensor}, {self.axis})"


@quick_record(frozen=True, slots=True)
class Quotient:
    """Floor division; a ceiling division is the negative quotient of a negative numerator."""

    numerator: Dim
    divisor: Size
    written: Written = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "written", Written("/", (self.numerator, self.divisor)))

    def __hash__(self) -> int:
        return self.written.hash

    def __str__(self) -> str:
        if not self.written.text:
            text = f"floor({_grouped(self.numerator)}/{_grouped(self.divisor)})"
            self.written.text = text
        return self.written.text


@quick_record(frozen=True, slots=True)
class Extreme:
    """The minimum or maximum of its arguments."""

    kind: Literal["min", "max"]
    arguments: tuple[Size, ...]
    written: Written = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "written", Written(self.kind, self.arguments))

    def __hash__(self) -> int:
        return self.written.hash

    def __str__(self) -> str:
        if not self.written.text:
            self.written.text = f"{self.kind}({', '.join(map(str, self.arguments))})"
        return self.written.text


@quick_record(frozen=True, slots=True)
class Product:
    """A product of two or more non-constant sizes (what a flatten of dynamic axes makes)."""

    factors: tuple[Dim, ...]
    written: Written = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "written", Written("*", self.factors))

    def __hash__(self) -> int:
        return self.written.hash

    def __str__(self) -> str:
        if not self.written.text:
            self.written.text = "*".join(map(_grouped, self.factors))
        return self.written.text


@quick_record(frozen=True, slots=True)
class Dim:
    """sum(coefficient * atom) + constant, with at least one atom; built by operators only."""

    terms: tuple[tuple[Atom, int], ...]
    constant: int = 0

    def __add__(self, other: Size) -> Size:
        if not isinstance(other, int | Dim):
            return NotImplemented
        return _combine(self, other, 1)

    __radd__ = __add__

    def __sub__(self, other: Size) -> Size:
        if not isinstance(other, int | Dim):
            return NotImplemented
        return _combine(self, other, -1)

    def __rsub__(self, other: int) -> Size:
        return -self + other

    def __neg__(self) -> Dim:
        return Dim(tuple((atom, -factor) for atom, factor in self.terms), -self.constant)

    def __mul__(self, other: Size) -> Size:
        if isinstance(other, Dim):
            return _product((self, other))
        if not isinstance(other, int):
            return NotImplemented
        if other == 0:
            return 0
        return Dim(tuple((a, f * other) for a, f in self.terms), self.constant * other)

    __rmul__ = __mul__

    def __floordiv__(self, other: Size) -> Size:
        if not isinstance(other, int | Dim):
            return NotImplemented
        return _quotient(self, other)

    def __rfloordiv__(self, other: int) -> Size:
        return _of(Quotient(Dim((), other), self))

    def __str__(self) -> str:
        signed = sorted(_signed_text(atom, factor) for atom, factor in self.terms)
        text = "".join(f"{'-' if minus else '+'}{part}" for minus, _, part in signed)
        if self.constant or not text:
            text += f"{self.constant:+d}"
        return text.removeprefix("+")


def symbol(name: str) -> Dim:
    """The size named `name`."""
    return _of(Symbol(name))


def like(tensor: str, axis: int) -> Dim:
    """The size of another tensor's axis."""
    return _of(Like(tensor, axis))


def ceil_div(value: Any, divisor: Any) -> Any:
    """Ceiling division of ints, Dims or integer arrays by a positive divisor.

    >>> ceil_div(7, 2)
    4
    """
    return -((-value) // divisor)


def minimum(*sizes: Any) -> Any:
    """The smallest size, element by element for arrays."""
    return _extreme("min", sizes)


def maximum(*sizes: Any) -> Any:
    """The largest size, element by element for arrays."""
    return _extreme("max", sizes)


def multiply(sizes: Iterable[Size]) -> Size:
    """The product of sizes; 1 of none."""
    result: Size = 1
    for size in sizes:
        result = result * size
    return result


def is_constant(*sizes: Size) -> bool:
    """Whether every size is a plain int."""
    return all(isinstance(size, int) for size in sizes)


def evaluate(size: Size, symbols: Mapping[str, Any], memo: dict[int, Any] | None = None) -> Any:
    """The value of a size where symbols have these ints, or integer arrays of one shape.

    `memo` may be shared between calls that use the same symbols: common parts are computed once.

    Raises KeyError for a symbol without a value.
    """
    if isinstance(size, int):
        return size
    known = {} if memo is None else memo
    key = id(size)
    if key not in known:
        total: Any = size.constant
        for atom, factor in size.terms:
            total = total + factor * _evaluate_atom(atom, symbols, known)
        known[key] = (total, size)  # the size is kept alive, so that its id stays its own
    return known[key][0]


def substitute(size: Size, replacement: Callable[[Symbol | Like], Size | None]) -> Size:
    """The size with symbols and Likes replaced; `None` leaves one as it is."""
    if isinstance(size, int):
        return size
    total: Size = size.constant
    for atom, factor in size.terms:
        total = total + factor * _substitute_atom(atom, replacement)
    return total


def invert(size: Size, name: str, axis: Size) -> Size | None:
    """The symbol `name` as what `axis` says it is, where `size` is the axis in that symbol.

    Only a*name + b can be turned around: name = (axis - b)/a. None for anything else.

    >>> str(invert(2 * symbol("h") + 1, "h", symbol("H")))
    'floor((H+1)/2)-1'
    """
    if isinstance(size, int) or len(size.terms) != 1:
        return None
    atom, factor = size.terms[0]
    if not isinstance(atom, Symbol) or atom.name != name or factor < 1:
        return None
    return (axis - size.constant) // factor


def leaves(size: Size) -> frozenset[Symbol | Like]:
    """Every symbol and Like that a size depends on."""
    if isinstance(size, int):
        return frozenset()
    found: set[Symbol | Like] = set()
    for atom, _ in size.terms:
        if isinstance(atom, Symbol | Like):
            found.add(atom)
        else:
            found.update(*(leaves(part) for part in _parts(atom)))
    return frozenset(found)


def parts_of(size: Size) -> int:
    """With how many numbers and names a size is written, however often one stands in it.

    >>> parts_of(7), parts_of(symbol("H") // 2 + 1)
    (1, 4)
    """
    if isinstance(size, int):
        return 1
    return 1 + sum(
        1 if isinstance(atom, Symbol | Like) else atom.written.parts for atom, _ in size.terms
    )


def is_larger(size: Size, most: int) -> bool:
    """Whether an expression is written with more than `most` numbers and names.

    >>> is_larger(symbol("H") // 2 + 1, 4), is_larger(symbol("H") // 2 + 1, 1)
    (False, True)
    """
    return parts_of(size) > most


def bits_of(size: Size) -> int:
    """The bits of the largest number that a size is written with on its outside.

    >>> bits_of(8 * symbol("H") + 1), bits_of(-1)
    (4, 1)
    """
    if isinstance(size, int):
        return size.bit_length()
    return max(size.constant.bit_length(), *(factor.bit_length() for _, factor in size.terms))


def falls(size: Size) -> bool:
    """Whether a size is written with minus signs: most of its terms are, and a floor of such a
    numerator with a plus is one too.

    >>> H = symbol("H")
    >>> falls(H // 2), falls((-H) // 2), falls(-((-H) // 2))
    (False, True, False)
    """
    if isinstance(size, int) or not size.terms:
        return False
    signs = [-1 if (factor < 0) != is_ceiling(atom) else 1 for atom, factor in size.terms]
    return (sum(signs) or signs[0]) < 0


def is_ceiling(atom: Atom) -> bool:
    """Whether minus this atom is a ceiling: ceil(H/2) is -floor(-H/2)."""
    return isinstance(atom, Quotient) and falls(atom.numerator)


def _parts(atom: Quotient | Extreme | Product) -> tuple[Size, ...]:
    if isinstance(atom, Quotient):
        return (atom.numerator, atom.divisor)
    return atom.arguments if isinstance(atom, Extreme) else atom.factors


def _evaluate_atom(atom: Atom, symbols: Mapping[str, Any], memo: dict[int, Any]) -> Any:
    match atom:
        case Symbol(name):
            return symbols[name]
        case Like():
            raise KeyError(str(atom))
        case Quotient(numerator, divisor):
            return evaluate(numerator, symbols, memo) // evaluate(divisor, symbols, memo)
        case Extreme(kind, arguments):
            return _extreme(kind, tuple(evaluate(a, symbols, memo) for a in arguments))
        case Product(factors):
            return prod((evaluate(f, symbols, memo) for f in factors), start=1)


def _substitute_atom(atom: Atom, replacement: Callable[[Symbol | Like], Size | None]) -> Size:
    if isinstance(atom, Symbol | Like):
        found = replacement(atom)
        return _of(atom) if found is None else found
    parts = tuple(substitute(part, replacement) for part in _parts(atom))
    if isinstance(atom, Quotient):
        return parts[0] // parts[1]
    if isinstance(atom, Extreme):
        result: Size = _extreme(atom.kind, parts)
        return result
    return multiply(parts)


def _of(atom: Atom) -> Dim:
    return Dim(((atom, 1),))


def _rank(atom: Atom) -> tuple[str, str]:
    return type(atom).__name__, str(atom)


def _combine(left: Size, right: Size, sign: int) -> Size:
    if isinstance(right, int) and isinstance(left, Dim) and left.terms:
        return Dim(left.terms, left.constant + sign * right) if right else left
    factors: dict[Atom, int] = dict(left.terms) if isinstance(left, Dim) else {}
    constant = left.constant if isinstance(left, Dim) else left
    if isinstance(right, int):
        constant += sign * right
    else:
        constant += sign * right.constant
        for atom, factor in right.terms:
            factors[atom] = factors.get(atom, 0) + sign * factor
    return _canonical(factors, constant)


def _canonical(factors: Mapping[Atom, int], constant: int) -> Size:
    kept = [(atom, factor) for atom, factor in factors.items() if factor]
    if not kept:
        return constant
    if len(kept) > MOST_PARTS:
        raise TooLongError
    if len(kept) > 1:
        kept.sort(key=lambda term: _rank(term[0]))
    return Dim(tuple(kept), constant)


def _quotient(numerator: Dim, divisor: Size) -> Size:
    if isinstance(divisor, Dim):
        return _cancel(numerator, divisor)
    if divisor == 0:
        raise ZeroDivisionError("a size is divided by zero")
    if divisor < 0:
        return _quotient(-numerator, -divisor)
    if divisor == 1:
        return numerator
    whole = {atom: factor // divisor for atom, factor in numerator.terms if not factor % divisor}
    rest = {atom: factor for atom, factor in numerator.terms if factor % divisor}
    outside, inside = divmod(numerator.constant, divisor)
    if not rest:
        return _canonical(whole, outside)
    whole_part = _canonical(whole, outside)
    remainder = _canonical(rest, inside)
    assert isinstance(remainder, Dim)
    return whole_part + _of(_nested_quotient(remainder, divisor))


def _nested_quotient(numerator: Dim, divisor: int) -> Quotient:
    """floor((floor(a/b) + c)/d) = floor((a + b*c)/(b*d)) for positive integers b and d."""
    if len(numerator.terms) == 1:
        atom, factor = numerator.terms[0]
        if factor == 1 and isinstance(atom, Quotient) and isinstance(atom.divisor, int):
            inner = atom.numerator + atom.divisor * numerator.constant
            assert isinstance(inner, Dim)
            return Quotient(inner, atom.divisor * divisor)
    return Quotient(numerator, divisor)


def _factors(size: Dim) -> tuple[int, list[Dim]]:
    """The number that divides all of a size, and what it multiplies."""
    if len(size.terms) == 1 and not size.constant:
        atom, factor = size.terms[0]
        return factor, list(atom.factors) if isinstance(atom, Product) else [_of(atom)]
    common = gcd(size.constant, *(factor for _, factor in size.terms))
    terms = tuple((atom, factor // common) for atom, factor in size.terms)
    return common, [Dim(terms, size.constant // common)]


def _cancel(numerator: Dim, divisor: Dim) -> Size:
    """numerator // divisor, exact where every factor of the divisor stands in the numerator."""
    top, upper = _factors(numerator)
    bottom, lower = _factors(divisor)
    for factor in list(lower):
        if factor in upper:
            upper.remove(factor)
            lower.remove(factor)
    over, under = multiply(upper), multiply(lower)
    if is_constant(under) and top % bottom == 0:
        return over * (top // bottom)
    return _of(Quotient(numerator, divisor))


def _product(sizes: tuple[Dim, Dim]) -> Size:
    coefficient, factors = 1, []
    for size in sizes:
        factor, parts = _factors(size)
        coefficient *= factor
        factors += parts
    ordered = tuple(sorted(factors, key=str))
    return _of(Product(ordered)) * coefficient


def _extreme(kind: Literal["min", "max"], sizes: tuple[Any, ...]) -> Any:
    if any(hasattr(size, "__array__") for size in sizes):
        import numpy

        reduce = numpy.minimum if kind == "min" else numpy.maximum
        result: Any = sizes[0]
        for size in sizes[1:]:
            result = reduce(result, size)
        return result
    return _symbolic_extreme(kind, sizes)


def _symbolic_extreme(kind: Literal["min", "max"], sizes: tuple[Size, ...]) -> Size:
    choose = min if kind == "min" else max
    kept: list[Size] = []
    for size in sizes:
        rivals = [other for other in kept if isinstance(size - other, int)]
        if not rivals:
            kept.append(size)
            continue
        difference = size - rivals[0]
        assert isinstance(difference, int)
        if choose(difference, 0) == difference:
            kept[kept.index(rivals[0])] = size
    if len(kept) == 1:
        return kept[0]
    return _of(Extreme(kind, tuple(sorted(kept, key=str))))


def _signed_text(atom: Atom, factor: int) -> tuple[bool, str, str]:
    """Whether a term is subtracted, its atom, and the atom with what multiplies it: each written
    once, since an atom's text may be long."""
    text = ""
    if isinstance(atom, Quotient) and factor < 0 and is_ceiling(atom):
        text = f"ceil({_grouped(-atom.numerator)}/{_grouped(atom.divisor)})"
        factor = -factor
    elif isinstance(atom, Product):
        text, factor = _product_text(atom, factor)
    text = text or str(atom)
    return factor < 0, text, text if abs(factor) == 1 else f"{abs(factor)}*{text}"


def _product_text(product: Product, factor: int) -> tuple[str, int]:
    """A product with its ceilings, which are kept as minus a floor; and what multiplies it."""
    turned = [falls(one) for one in product.factors]
    parts = (-one if turn else one for one, turn in zip(product.factors, turned, strict=True))
    return "*".join(_grouped(one) for one in parts), factor * (-1) ** sum(turned)


def _grouped(size: Size) -> str:
    simple = isinstance(size, int) or (len(size.terms) == 1 and not size.constant)
    return str(size) if simple else f"({size})"
