"""A bound by parts is never more than the theorem's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.converters.reference.build import convolution, layer, noise
from upconv.converters.reference.bounded_blocks import Near, Place, in_bounded_blocks
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
def test_what_is_near_is_as_near_as_said(groups: int, stride: tuple[int, int]) -> None:
    """Of inputs that differ by some roundings, by much, and at one pixel: the exact values of the
    second are within what is said of the first, and its bound is no more than the theorem's."""
    op = convolution(channels=4, kernel=(3, 2), stride=stride, pad=(2, 1), groups=groups)
    x, weight = noise(2, 6, 7, 5), noise(4, 6 // groups, 3, 2, seed=1)
    one = layer(op, weight=weight, bias=noise(4, seed=2))
    for at, scale in enumerate((1e-6, 10.0, 1e-6)):
        other = x + np.float32(scale) * noise(2, 6, 7, 5, seed=3)
        if at == 2:
            other = x.copy()
            other[1, 4, 3, 2] += 1
        whole = sum_of_products(one, [other])
        assert whole is not None
        limit = error_bound(whole.exact, whole.magnitude, whole.count)
        told: list[float] = []

        def check(
            place: Place, near: Array, lost: Array, bound: Array,
            whole: Any = whole, limit: Array = limit, told: list[float] = told,
        ) -> bool:  # fmt: skip
            assert (np.abs(near - whole.exact[place]) <= lost + 1e-12).all()
            assert (bound <= limit[place]).all()
            told.append(float(lost.max()))
            return True

        def never(place: Place, exact: Array, bound: Array) -> bool:
            raise AssertionError("what is near was near enough")

        near = Near([other], check, never)
        assert in_bounded_blocks(one, [x], lambda *block: True, near=near)
        assert told
        assert max(told) < 100 * scale * (1e6 if at == 2 else 1)


@pytest.mark.parametrize("stride", [(1, 1), (2, 1)])
def test_what_is_not_within_the_first_bound_has_the_theorems_own(stride: tuple[int, int]) -> None:
    op = convolution(channels=4, kernel=(3, 2), stride=stride, pad=(2, 1))
    x, weight = noise(2, 6, 7, 5), noise(4, 6, 3, 2, seed=1)
    other = x + np.float32(1e-6) * noise(2, 6, 7, 5, seed=3)
    one = layer(op, weight=weight, bias=noise(4, seed=2))
    asked: dict[str, list[Place]] = {"first": [], "near": [], "own": []}

    def judge(name: str, inputs: Any, place: Place, exact: Array, bound: Array) -> bool:
        """Satisfied by nothing less than the theorem's bound."""
        whole = sum_of_products(one, [inputs])
        assert whole is not None
        limit = error_bound(whole.exact, whole.magnitude, whole.count)
        np.testing.assert_allclose(exact, whole.exact[place], atol=1e-12)
        asked[name].append(place)
        return bool((bound >= limit[place] * (1 - 1e-4)).all())

    def first(place: Place, exact: Array, bound: Array) -> bool:
        return judge("first", x, place, exact, bound)

    def own(place: Place, exact: Array, bound: Array) -> bool:
        return judge("own", other, place, exact, bound)

    def never(place: Place, exact: Array, lost: Array, bound: Array) -> bool:
        asked["near"].append(place)
        return False

    assert in_bounded_blocks(one, [x], first, near=Near([other], never, own))
    blocks = len(asked["near"])
    assert len(asked["first"]) == 2 * blocks
    assert len(asked["own"]) == 2 * blocks
    assert not in_bounded_blocks(one, [x], lambda *block: False)
