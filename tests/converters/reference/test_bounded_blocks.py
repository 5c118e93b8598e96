"""A bound by parts is never more than the theorem's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from tests.converters.reference.build import convolution, layer, noise
from upconv.converters.reference.bounded_blocks import (
    Near,
    PartNear,
    Place,
    in_bounded_blocks,
    near_blocks,
)
from upconv.converters.reference.bounds import error_bound, sum_of_products
from upconv.converters.reference.call import Array


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("stride", [(1, 1), (2, 1)])
def test_blocks_are_the_layer_and_their_bounds_the_theorems_or_less(
    groups: int, stride: tuple[int, int]
) -> None:
    op = convolution(channels=4, kernel=(3, 2), stride=stride, pad=(2, 1), groups=groups)
    x, weight = noise(2, 6, 7, 5), noise(4, 6 // groups, 3, 2, seed=1)
    one = layer(op, weight=weight, bias=noise(4, seed=2))
    whole = sum_of_products(one, [x])
    assert whole is not None
    limit = error_bound(whole.exact, whole.magnitude, whole.count)
    seen = np.zeros(whole.exact.shape, int)

    def check(place: Place, exact: Array, bound: Array) -> bool:
        np.testing.assert_allclose(exact, whole.exact[place], atol=1e-12)
        assert (bound <= limit[place]).all()
        assert (bound > 0).all()
        seen[place] += 1
        return True

    assert in_bounded_blocks(one, [x.astype(np.float32)], check)
    assert (seen == 1).all()


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("stride", [(1, 1), (2, 1)])
@pytest.mark.parametrize("part", [1, 1 << 14])
def test_what_is_near_is_as_near_as_said(
    groups: int, stride: tuple[int, int], part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of inputs that differ by some roundings, by much, and at one pixel: the exact values of the
    second are within what is said of the first, and its bound is no more than the theorem's."""
    monkeypatch.setattr("upconv.converters.reference.bounded_blocks.PART", part)
    op = convolution(channels=4, kernel=(3, 2), stride=stride, pad=(2, 1), groups=groups)
    x, weight = noise(2, 6, 7, 5), noise(4, 6 // groups, 3, 2, seed=1)
    one = layer(op, weight=weight, bias=noise(4, seed=2))
    of_x = sum_of_products(one, [x])
    assert of_x is not None
    for at, scale in enumerate((1e-6, 10.0, 1e-6)):
        other = x + np.float32(scale) * noise(2, 6, 7, 5, seed=3)
        if at == 2:
            other = x.copy()
            other[1, 4, 3, 2] += 1
        whole = sum_of_products(one, [other])
        assert whole is not None
        limit = error_bound(whole.exact, whole.magnitude, whole.count)
        told: list[float] = []

        seen = np.zeros(whole.exact.shape, int)

        def check(
            parts: Iterable[PartNear],
            whole: Any = whole, limit: Array = limit, told: list[float] = told, seen: Any = seen,
        ) -> bool:  # fmt: skip
            for place, near, lost, bound in parts:
                assert (np.abs(near - whole.exact[place]) <= lost + 1e-12).all()
                assert (bound <= limit[place]).all()
                told.append(float(lost.max()))
                seen[place] += 1
            return True

        def never(place: Place, exact: Array, bound: Array) -> bool:
            raise AssertionError("what is near was near enough")

        exact, within = near_blocks(one, [x], [Near([other], check, never)])
        assert within == [True]
        assert exact is not None
        np.testing.assert_allclose(exact, of_x.exact, atol=1e-12)
        assert (seen == 1).all()
        assert max(told) < 100 * scale * (1e6 if at == 2 else 1)


@pytest.mark.parametrize("stride", [(1, 1), (2, 1)])
def test_what_is_not_within_the_first_bound_has_the_theorems_own(stride: tuple[int, int]) -> None:
    """Of two runs beside one evaluation, each is asked on its own inputs in the end."""
    op = convolution(channels=4, kernel=(3, 2), stride=stride, pad=(2, 1))
    x, weight = noise(2, 6, 7, 5), noise(4, 6, 3, 2, seed=1)
    one = layer(op, weight=weight, bias=noise(4, seed=2))
    asked: list[tuple[str, int, Place]] = []

    def run(number: int) -> Near:
        inputs = x + np.float32(1e-6) * noise(2, 6, 7, 5, seed=3 + number)
        whole = sum_of_products(one, [inputs])
        assert whole is not None
        limit = error_bound(whole.exact, whole.magnitude, whole.count)

        def own(place: Place, exact: Array, bound: Array) -> bool:
            """Satisfied by nothing less than the theorem's bound."""
            np.testing.assert_allclose(exact, whole.exact[place], atol=1e-12)
            asked.append(("own", number, place))
            return bool((bound >= limit[place] * (1 - 1e-4)).all())

        def never(parts: Iterable[PartNear]) -> bool:
            asked.append(("near", number, next(iter(parts))[0]))
            return False

        return Near([inputs], never, own)

    exact, within = near_blocks(one, [x], [run(0), run(1)], kept=False)
    assert (exact, within) == (None, [True, True])
    for number in (0, 1):
        count = sum(which == "near" and other == number for which, other, _ in asked)
        assert count >= 2
        assert sum(which == "own" and other == number for which, other, _ in asked) == 2 * count
    strict = Near([x], lambda parts: False, lambda *block: False)
    assert near_blocks(one, [x], [run(0), strict])[1] == [True, False]
    assert not in_bounded_blocks(one, [x], lambda *block: False)


def test_what_no_number_bounds_is_not_near() -> None:
    """Values beyond float64 in one pixel: its block is asked on its own inputs."""
    op = convolution(channels=2, kernel=(3, 3), pad=(1, 1))
    x, weight = noise(1, 2, 8, 5), noise(2, 2, 3, 3, seed=1)
    x[0, 0, 0, 0] = np.inf
    asked: list[str] = []

    def sink(parts: Iterable[PartNear]) -> bool:
        asked.append("near")
        return True

    def own(place: Place, exact: Array, bound: Array) -> bool:
        asked.append("own")
        return True

    one = layer(op, weight=weight)
    assert near_blocks(one, [x], [Near([x.copy()], sink, own)])[1] == [True]
    assert asked.count("own") == 1
    assert asked.count("near") >= 1
