from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upconv.converters.ir.dims import Size, evaluate, invert, like, symbol
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.readers.torch.aten.ratios import exact_factor
from upconv.converters.readers.torch.exported.expressions import parse_size

S0 = "Symbol('s0', positive=True, integer=True)"

SIZES = [
    (f"Add({S0}, Integer(-1))", lambda n: n - 1),
    (f"Mul(Integer(-1), Integer(2), FloorDiv({S0}, Integer(2)))", lambda n: -2 * (n // 2)),
    (f"PythonMod(Mul(Integer(-1), {S0}), Integer(8))", lambda n: -n % 8),
    (f"Mod({S0}, Integer(3))", lambda n: n % 3),
    (f"Max(Integer(1), Add({S0}, Integer(-4)))", lambda n: max(1, n - 4)),
    (f"Min(Integer(5), {S0})", lambda n: min(5, n)),
    (f"TruncToInt(Mul(Float('0.5', precision=53), ToFloat({S0})))", lambda n: n // 2),
    (f"TruncToInt(Mul(Float('1.7', precision=53), ToFloat({S0})))", lambda n: int(1.7 * n)),
    (f"CeilToInt(IntTrueDiv({S0}, Integer(4)))", lambda n: -(-n // 4)),
    (f"FloorToInt(Mul(Rational(2, 3), {S0}))", lambda n: 2 * n // 3),
    (f"Pow({S0}, Integer(2))", lambda n: n * n),
    ("2*((s0//2)) + 3", lambda n: 2 * (n // 2) + 3),
    ("(s0 - 1)**2 % 7", lambda n: (n - 1) ** 2 % 7),
    ("-s0 + 100", lambda n: 100 - n),
    ("17", lambda n: 17),
]


@pytest.mark.parametrize(("text", "wanted"), SIZES)
def test_expressions_are_what_python_computes(text: str, wanted: object) -> None:
    assert callable(wanted)
    size = parse_size(text, symbol)
    for n in (*range(1, 70), 90, 1000):
        assert evaluate(size, {"s0": n}) == wanted(n)


REFUSED = [
    ("__import__('os').system('true')", "is not understood"),
    ("(lambda: 1)()", "is not understood"),
    ("open('x')", "the function open is not known"),
    ("Symbol()", "a symbol without a name"),
    ("Symbol(s0)", "is no literal"),
    ("Integer('x')", "an Integer that is none"),
    ("Float('x')", "could not convert"),
    ("True", "a truth value"),
    ("FloorDiv(Integer(1), Integer(0))", "no expression|divides by zero"),
    ("FloorDiv(Integer(1))", "no expression"),
    ("Rational(1, 0)", "a Rational that is none"),
    ("IntTrueDiv(Symbol('s0'), Integer(2))", "no whole number"),
    ("TruncToInt(Mul(Float('0.7'), Symbol('s0')))", "multiplied with 0.7 and rounded, inexactly"),
    ("Float('0.12345678')", "no simple fraction"),
    ("Pow(Symbol('s0'), Integer(100))", "a power"),
    ("1 +", "no expression"),
    ("[1]", "is not understood"),
    ("(" * 5000 + "1" + ")" * 5000, "no expression"),
    ("1+" * 11_000 + "1", "a size expression of"),
    ("-" * 9_000 + "1", "no expression"),
    ("9" * 10_000, "no expression"),
    ("a\x00b", "no expression"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED, ids=range(len(REFUSED)))
def test_anything_else_is_refused(text: str, message: str) -> None:
    with pytest.raises(UnsupportedError, match=message) as caught:
        parse_size(text, symbol)
    assert len(str(caught.value)) < 400


@given(st.text(alphabet="s0123()+-*/%,'Add FlorDivSymbolInteger.", max_size=60))
def test_any_text_gives_a_size_or_the_one_error(text: str) -> None:
    try:
        size = parse_size(text, symbol)
    except UnsupportedError:
        return
    assert isinstance(size, int) or str(size)


@pytest.mark.parametrize("factor", [0.3, 0.5, 0.6, 0.84, 1.1, 1.25, 1.5, 1.7])
def test_exact_factors(factor: float) -> None:
    fraction = exact_factor(factor)
    assert fraction is not None
    for n in range(5000):
        assert int(n * factor) == n * fraction.numerator // fraction.denominator


def test_a_factor_that_rounding_spoils() -> None:
    assert int(90 * 0.7) == 62
    assert exact_factor(0.7) is None


def test_a_symbol_as_what_an_axis_says() -> None:
    axis: Size = like("x", 2)
    assert invert(8 * symbol("s") + 3, "s", axis) == (axis - 3) // 8
    assert invert(symbol("s") * symbol("s"), "s", axis) is None
    assert invert(symbol("s") // 2, "s", axis) is None
    assert invert(5, "s", axis) is None
