from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.converters.reference.build import noise, run
from upconv.converters.ir import operators as ops


def test_arg_max_along_an_axis() -> None:
    x = noise(2, 5, 3, 4)
    y = run(ops.ArgMax(1, 1, "indices"), x)
    np.testing.assert_array_equal(y, x.argmax(axis=1)[:, None])
    top = run(ops.ArgMax(-3, 3, "values"), x)
    np.testing.assert_array_equal(top, -np.sort(-x, axis=1)[:, :3])


def test_arg_max_over_everything() -> None:
    x = noise(2, 3, 4, 5)
    flat = x.reshape(2, -1)
    order = np.argsort(-flat, axis=1)[:, :4]
    values = np.take_along_axis(flat, order, axis=1)
    both = run(ops.ArgMax(None, 4, "both"), x)
    assert both.shape == (2, 2, 4, 1)
    np.testing.assert_array_equal(both[:, 0, :, 0], order)
    np.testing.assert_array_equal(both[:, 1, :, 0], values)
    indices = run(ops.ArgMax(None, 4, "indices"), x)
    np.testing.assert_array_equal(indices[:, 0, :, 0], order)


def test_of_equal_values_caffe_takes_the_last() -> None:
    """It sorts pairs (value, index) with std::greater."""
    x = np.array([[1.0, 7.0, 7.0, 0.0, 7.0]])
    np.testing.assert_array_equal(run(ops.ArgMax(1, 3, "indices"), x), [[4, 2, 1]])
    np.testing.assert_array_equal(run(ops.ArgMax(1, 1, "indices"), 0 * x), [[4]])


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("sum", lambda x: x.sum(axis=(1, 2))),
        ("mean", lambda x: x.mean(axis=(1, 2))),
        ("abs_sum", lambda x: np.abs(x).sum(axis=(1, 2))),
        ("square_sum", lambda x: (x * x).sum(axis=(1, 2))),
    ],
)
def test_reduce(kind: Any, expected: Any) -> None:
    x = noise(3, 4, 5)
    for axis in (1, -2):
        y = run(ops.Reduce(kind, axis, -0.5), x)
        np.testing.assert_allclose(y, -0.5 * expected(x), atol=1e-13)


def test_reduce_everything_to_a_scalar() -> None:
    y = run(ops.Reduce("sum", 0), np.ones((2, 3)))
    assert y.shape == ()
    assert float(y) == 6.0
