from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upconv.converters.ir import dims
from upconv.converters.ir.dims import Dim, Like, Size, Symbol, ceil_div, evaluate, symbol

H, W, N = symbol("H"), symbol("W"), symbol("N")


@dataclass(frozen=True)
class Expression:
    """A formula that may be computed with any kind of number."""

    text: str
    of: Callable[[Any, Any], Any]


def _leaf(constant: int) -> Expression:
    return Expression(str(constant), lambda h, w: constant)


def _join(name: str, function: Callable[[Any, Any], Any]) -> Callable[..., Expression]:
    def joined(left: Expression, right: Expression) -> Expression:
        text = f"{name}({left.text}, {right.text})"
        return Expression(text, lambda h, w: function(left.of(h, w), right.of(h, w)))

    return joined


def _divided(name: str, function: Callable[[Any, int], Any]) -> Callable[..., Expression]:
    def divided(left: Expression, divisor: int) -> Expression:
        text = f"{name}({left.text}, {divisor})"
        return Expression(text, lambda h, w: function(left.of(h, w), divisor))

    return divided


LEAVES = st.one_of(
    st.just(Expression("H", lambda h, w: h)),
    st.just(Expression("W", lambda h, w: w)),
    st.builds(_leaf, st.integers(-9, 9)),
)


def _grow(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    joins = [
        ("add", lambda a, b: a + b),
        ("sub", lambda a, b: a - b),
        ("mul", lambda a, b: a * b),
        ("min", dims.minimum),
        ("max", dims.maximum),
    ]
    divisions = [("floor", lambda a, d: a // d), ("ceil", ceil_div), ("times", lambda a, d: a * d)]
    return st.one_of(
        *(st.builds(_join(*one), inner, inner) for one in joins),
        *(st.builds(_divided(*one), inner, st.integers(1, 7)) for one in divisions),
    )


EXPRESSIONS = st.recursive(LEAVES, _grow, max_leaves=8)
NUMBERS = st.integers(0, 50)


@given(EXPRESSIONS, NUMBERS, NUMBERS)
def test_a_dim_evaluates_to_what_ints_give(expression: Expression, h: int, w: int) -> None:
    size = expression.of(H, W)
    assert evaluate(size, {"H": h, "W": w}) == expression.of(h, w)


@given(EXPRESSIONS, st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=6))
def test_arrays_evaluate_element_by_element(
    expression: Expression, pairs: list[tuple[int, int]]
) -> None:
    columns = np.array(pairs, np.int64).T
    found = evaluate(expression.of(H, W), {"H": columns[0], "W": columns[1]})
    wanted = [expression.of(h, w) for h, w in pairs]
    np.testing.assert_array_equal(np.broadcast_to(found, len(pairs)), wanted)
    direct = np.broadcast_to(expression.of(columns[0], columns[1]), len(pairs))
    np.testing.assert_array_equal(direct, wanted)


@given(EXPRESSIONS, NUMBERS, NUMBERS)
def test_substitution_is_evaluation(expression: Expression, h: int, w: int) -> None:
    size = expression.of(H, W)
    values = {"H": h, "W": w}

    def number(leaf: Symbol | Like) -> Size | None:
        assert isinstance(leaf, Symbol)
        return values[leaf.name]

    assert dims.substitute(size, number) == evaluate(size, values)
    assert dims.substitute(size, lambda leaf: None) == size


@given(EXPRESSIONS, EXPRESSIONS, EXPRESSIONS)
def test_linear_laws_are_canonical(a: Expression, b: Expression, c: Expression) -> None:
    x, y, z = (one.of(H, W) for one in (a, b, c))
    assert x + y == y + x
    assert (x + y) + z == x + (y + z)
    assert x - x == 0
    assert (x - y) + y == x
    assert 3 * (x + y) == 3 * x + 3 * y
    assert 0 - (0 - x) == x
    assert dims.minimum(x, y) == dims.minimum(y, x)


@given(EXPRESSIONS, EXPRESSIONS)
def test_equal_dims_hash_alike(a: Expression, b: Expression) -> None:
    x, y = a.of(H, W), b.of(H, W)
    assert hash(x + y) == hash(y + x)


@given(EXPRESSIONS, st.integers(1, 6), st.integers(-5, 5))
def test_divisions_pull_out_what_is_whole(a: Expression, d: int, k: int) -> None:
    x = a.of(H, W)
    assert (d * x + d * k) // d == x + k
    assert ceil_div(d * x + d * k, d) == x + k


@given(st.integers(1, 6), st.integers(1, 6), st.integers(-9, 9))
def test_nested_divisions_are_one(a: int, b: int, c: int) -> None:
    assert ((H + c) // a) // b == (H + c) // (a * b)


def test_products_are_canonical() -> None:
    assert N * H * W == W * (H * N)
    assert (2 * N) * (3 * H) == 6 * (N * H)
    assert (N * H * W) // W == N * H
    assert (4 * N * H) // (2 * N) == 2 * H
    assert evaluate(N * (H + 1), {"N": 2, "H": 4}) == 10


def test_extremes_of_what_differs_by_a_constant_are_decided() -> None:
    assert dims.minimum(H, H + 1) == H
    assert dims.maximum(H - 2, 3, H, 1) == dims.maximum(H, 3)
    assert dims.minimum(3, 5) == 3


TEXTS = [
    (H, "H"),
    (2 * H - 1, "2*H-1"),
    (3 - H, "-H+3"),
    (ceil_div(H, 2), "ceil(H/2)"),
    ((H + 1) // 2 - 1, "floor((H+1)/2)-1"),
    (dims.like("skip", 2) - 1, "size(skip, 2)-1"),
    (dims.minimum(H, W), "min(H, W)"),
    (2 * (H * W), "2*H*W"),
]


@pytest.mark.parametrize(("size", "text"), TEXTS)
def test_text(size: Dim, text: str) -> None:
    assert str(size) == text


def test_leaves_and_constants() -> None:
    size = dims.minimum((H + 1) // 2, dims.like("skip", 3)) + N * W
    assert dims.leaves(size) == {Symbol("H"), Symbol("N"), Symbol("W"), Like("skip", 3)}
    assert dims.is_constant(3, 4)
    assert not dims.is_constant(3, H)
    assert dims.multiply([]) == 1


def test_what_has_no_value() -> None:
    with pytest.raises(KeyError):
        evaluate(H + W, {"H": 1})
    with pytest.raises(KeyError, match="size"):
        evaluate(dims.like("skip", 2), {"H": 1})
    with pytest.raises(ZeroDivisionError):
        _ = H // 0


def test_a_memo_is_shared() -> None:
    half = (H + 1) // 2
    memo: dict[int, Any] = {}
    assert evaluate(half + 1, {"H": 9}, memo) == 6
    assert evaluate(half + 1, {"H": 9}, memo) == 6
    assert memo
