"""Folding: what is computed with sizes as formulas is what a graph computes with numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upconv.converters.ir.dims import Dim, evaluate, symbol
from upconv.converters.ir.errors import UnreadableError
from upconv.converters.readers.assembly.bounds import MAX_PARTS
from upconv.converters.readers.assembly.folding import arrangement
from upconv.converters.readers.assembly.folding.arrays import (
    Array,
    Fraction,
    NotFoldableError,
    folded,
    objects,
    of_sizes,
    shape_of,
)
from upconv.converters.readers.assembly.folding.elementwise import (
    binary,
    cast,
    reduced,
    unary,
    where,
)

H, W = symbol("H"), symbol("W")
SIZES = [*range(1, 70), 97, 255, 256, 257, 1000, 1023, 1024, 1025, 2047, 4095, 4096]


def fold(compute: Callable[..., Array], *arrays: Array) -> Array:
    (made,) = folded("it", arrays, lambda given: compute(*given), UnreadableError)
    return made


def at(array: Array, height: int, width: int) -> list[float]:
    symbols = {"H": height, "W": width}

    def value(item: Any) -> float:
        if isinstance(item, Fraction):
            return float(evaluate(item.numerator, symbols) / item.denominator)
        return float(evaluate(item, symbols)) if isinstance(item, Dim) else float(item)

    return [value(item) for item in array.reshape(-1).tolist()]


FACTORS = st.sampled_from([0.125, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0, 8.0])
WHOLE = st.integers(1, 40)
STEPS = st.one_of(
    st.tuples(st.just("multiply"), FACTORS),
    st.tuples(st.just("true_divide"), WHOLE.map(float)),
    st.tuples(st.sampled_from(["add", "subtract"]), st.sampled_from([0.5, 1.0, 2.0, 7.0])),
    st.tuples(st.sampled_from(["floor", "ceil"]), st.none()),
)


@given(st.lists(STEPS, max_size=6), st.sampled_from(["floor", "ceil"]))
def test_float32_arithmetic_on_sizes_is_exact_or_refused(
    steps: list[tuple[str, float | None]], last: str
) -> None:
    """cast(shape) * 1.5 / 7 ..., rounded to whole numbers: for every size what float32 gives."""

    def program(x: Array, met: list[float]) -> Array:
        x = cast(x, "<f4")
        for name, number in (*steps, (last, None)):
            operand = np.array(number, np.float32) if number is not None else None
            x = unary(name, x) if operand is None else binary(name, x, operand)
            met += x.tolist()
        return cast(x, "<i4")

    try:
        made = fold(lambda x: program(x, []), of_sizes((H, W)))
    except NotFoldableError:
        return
    for size in SIZES:
        met: list[float] = []
        truth = program(np.array([size, 3], np.int32), met).tolist()
        if min(met) >= 0 and max(met) <= 1 << 12:  # negative numbers are no sizes
            assert at(made, size, 3) == truth, (steps, size)


@pytest.mark.parametrize("number", [1.5, 2.0, 0.5, 0.375])
@pytest.mark.parametrize("rounding", ["floor", "ceil"])
def test_a_scaled_size_is_followed(number: float, rounding: str) -> None:
    made = fold(
        lambda x, f: cast(unary(rounding, binary("multiply", x, f)), "<i8"),
        of_sizes((H,)),
        np.array([number], np.float32),
    )
    whole = {"floor": np.floor, "ceil": np.ceil}[rounding]
    assert [at(made, size, 1) for size in SIZES] == [[int(whole(n * number))] for n in SIZES]


@pytest.mark.parametrize(
    ("compute", "message"),
    [
        (lambda x: binary("multiply", x, np.array(1.7)), "which rounds"),
        (
            lambda x: binary("multiply", binary("true_divide", x, np.array(3)), np.array(3)),
            "multiplied, which float32 rounds",
        ),
        (
            lambda x: binary(
                "add", *(binary("true_divide", x, np.array(n)) for n in (3, 7))
            ),
            "added to each other",
        ),
        (lambda x: unary("round", binary("true_divide", x, np.array(5))), "rounded to the near"),
        (lambda x: binary("true_divide", np.array(1), x), "with a fraction"),
        (lambda x: binary("greater", x, np.array(7)), "a comparison that depends on"),
        (lambda x: unary("sqrt", x), "sqrt of a size"),
        (lambda x: reduced("max", x, (0,)), "max of sizes"),
        (lambda x: x.reshape(arrangement.numbers(x)), "by the input's size"),
        (lambda x: arrangement.filled(x, np.array(0)), "as large as the input"),
        (lambda x: arrangement.ranged(np.array(0), x, np.array(1)), "a range that depends"),
    ],
)  # fmt: skip
def test_what_is_not_exact_or_open_is_refused(
    compute: Callable[[Array], Array], message: str
) -> None:
    with pytest.raises(NotFoldableError, match=message):
        fold(compute, of_sizes((2 * H,)))


BINARY = ("add", "subtract", "multiply", "floor_divide", "divide", "mod", "maximum", "minimum")


@given(st.sampled_from(BINARY), st.sampled_from(BINARY), st.integers(1, 9), st.integers(1, 9))
def test_whole_arithmetic_on_sizes(first: str, second: str, a: int, b: int) -> None:
    def program(x: Array) -> Array:
        return binary(second, binary(first, x, np.array([a, b])), np.array([[b], [a]]))

    made = fold(program, of_sizes((H, W)))
    for height, width in ((1, 1), (7, 2), (12, 33), (640, 481)):
        inner = binary(first, np.array([height, width]), np.array([a, b]))
        if (
            min(inner.tolist()) < 0
        ):  # whole division rounds negative numbers another way; no size is one
            continue
        assert at(made, height, width) == program(np.array([height, width])).reshape(-1).tolist()


def test_a_size_over_one_that_divides_it() -> None:
    made = fold(lambda x, y: binary("true_divide", x, y), of_sizes((6 * H,)), of_sizes((H,)))
    assert made.tolist() == [6]
    assert made.dtype.kind == "i"


def test_sizes_are_moved_like_numbers() -> None:
    """Gather, Slice, Concat, Where, Expand, Tile ... of (N, 3, H, W)."""
    shape = of_sizes((symbol("N"), 3, H, W))

    def program(x: Array) -> Array:
        spatial = arrangement.sliced(x, (2,), (4,))
        last = arrangement.picked(x, np.array(-1), 0)
        backwards = arrangement.sliced(x, (-1,), (-(1 << 62),), (0,), (-2,))
        chosen = where(np.array([True, False]), spatial, np.array([7, 8]))
        parts = (spatial, np.expand_dims(last, 0), backwards, chosen)
        return np.concatenate([*parts, arrangement.unstacked(x, 0)[1].reshape(1)])

    (made,) = folded("it", [shape], lambda given: program(given[0]), UnreadableError)
    numbers = np.array([5, 3, 11, 13])
    symbols = {"N": 5, "H": 11, "W": 13}
    assert [evaluate(size, symbols) for size in made.tolist()] == program(numbers).tolist()


@pytest.mark.parametrize(
    ("compute", "truth"),
    [
        (lambda: arrangement.filled(np.array([2, 3]), np.array(4)), np.full((2, 3), 4.0)),
        (
            lambda: arrangement.expanded(np.arange(3).reshape(3, 1), np.array([2, 1, 4])),
            np.broadcast_to(np.arange(3).reshape(3, 1), (2, 3, 4)),
        ),
        (
            lambda: arrangement.tiled(np.arange(4).reshape(2, 2), np.array([2, 3])),
            np.tile(np.arange(4).reshape(2, 2), (2, 3)),
        ),
        (lambda: arrangement.ranged(*map(np.array, (1, 10, 3))), np.array([1, 4, 7])),
        (lambda: arrangement.joint_shape_of(np.array([2, 1]), np.array([3])), np.array([2, 3])),
        (
            lambda: arrangement.spaced(np.array(0.0), np.array(1.0), np.array(5)),
            np.linspace(0, 1, 5),
        ),
        (lambda: reduced("mean", np.arange(6.0).reshape(2, 3), (1,)), np.array([1.0, 4.0])),
        (lambda: binary("divide", np.array([7, -7]), np.array([2, 2])), np.array([3, -3])),
        (lambda: binary("floor_divide", np.array([7, -7]), np.array([2, 2])), np.array([3, -4])),
    ],
)
def test_operations_on_numbers(compute: Callable[[], Array], truth: Array) -> None:
    made = compute()
    assert made.shape == truth.shape
    assert np.array_equal(made, truth)


def test_products_along_an_axis() -> None:
    made = fold(lambda x: reduced("prod", x, (0,)), of_sizes((2, H, W)))
    assert made.shape == ()
    assert evaluate(made.tolist(), {"H": 5, "W": 7}) == 70


@pytest.mark.parametrize(
    ("compute", "error", "message"),
    [
        (lambda x: binary("multiply", x, x), UnreadableError, "computes a number of 129 bits"),
        (lambda x: binary("floor_divide", x, np.array([0])), UnreadableError, "does not fit"),
        (lambda x: arrangement.filled(np.array([1 << 20] * 2), x), NotFoldableError, "make 1099"),
        (lambda x: arrangement.tiled(x, np.array([2, 2])), UnreadableError, "2 counts for 1 axes"),
    ],
)
def test_what_no_graph_computes(
    compute: Callable[[Array], Array], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        fold(compute, objects([1 << 64]))


def test_formulas_end() -> None:
    def longer(x: Array) -> Array:
        return binary("multiply", binary("add", x, np.array(1)), binary("add", x, np.array(2)))

    def program(x: Array) -> Array:
        for _ in range(MAX_PARTS):
            x = fold(longer, x)
        return x

    with pytest.raises(NotFoldableError, match="a size whose formula is too long"):
        program(of_sizes((H,)))


def test_a_shape_is_of_numbers_and_small() -> None:
    assert shape_of(np.array([2, 3])) == (2, 3)
    with pytest.raises(NotFoldableError):
        shape_of(of_sizes((H, 2)))
    with pytest.raises(NotFoldableError):
        shape_of(np.array([1 << 14, 1 << 14]))
