"""A bound by parts is never more than the theorem's."""

from __future__ import annotations

import numpy as np
import pytest

from tests.converters.reference.build import convolution, layer, noise
from upconv.converters.reference.bounded_blocks import Place, in_bounded_blocks
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

    def check(place: Place, exact: Array, bound: Array) -> None:
        np.testing.assert_allclose(exact, whole.exact[place], atol=1e-12)
        assert (bound <= limit[place]).all()
        assert (bound > 0).all()
        seen[place] += 1

    in_bounded_blocks(one, [x.astype(np.float32)], check)
    assert (seen == 1).all()
