"""What a bilinear kernel makes of a constant, in closed form, against the sums themselves."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from upconv.converters.ir.geometry import bilinear_taps
from upconv.linter.facts.interpolation import gains


@given(st.integers(1, 80), st.integers(1, 90))
def test_gains_are_the_extremes_of_the_sums(kernel: int, stride: int) -> None:
    row, double = bilinear_taps(kernel)
    sums = [sum(row[phase::stride]) / double for phase in range(stride)]
    assert gains(kernel, stride) == (min(sums), max(sums))


def test_numbers_of_any_size_cost_nothing() -> None:
    assert gains(2**32, 2**31) == (1.0, 1.0)
    assert gains(2**32 - 1, 2**40)[0] == 0
