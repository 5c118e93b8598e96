"""Picked values against PyTorch and NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from tests.converters.reference.build import noise, run, torch_of
from upconv.converters.ir import operators as ops
from upconv.converters.ir.errors import ShapeError


@pytest.mark.parametrize("axis", [0, 1, -1, 2])
def test_gather_by_stored_numbers_is_torch(axis: int) -> None:
    import torch

    x, indices = noise(3, 4, 5, 6), (2, 0, 2, 1)
    expected = torch_of(x).index_select(axis, torch.tensor(indices)).numpy()
    np.testing.assert_array_equal(run(ops.Gather(axis, indices), x), expected)


@pytest.mark.parametrize("axis", [0, -2])
def test_gather_by_a_tensor_is_numpy(axis: int) -> None:
    x, index = noise(3, 4, 5, 6), np.array([[0.0, -1.0, 2.0], [1.0, -3.0, 0.0]])
    expected = np.take(x, index.astype(int), axis)
    np.testing.assert_array_equal(run(ops.Gather(axis), x, index), expected)


def test_embedding_is_torch() -> None:
    from torch.nn import functional

    table, index = noise(7, 3), np.array([[0, 6, 2], [2, 1, 6]])
    expected = functional.embedding(torch_of(index).long(), torch_of(table)).numpy()
    np.testing.assert_array_equal(run(ops.Embedding(7, 3), index, table=table), expected)


@pytest.mark.parametrize("place", [3, -4, 0.5, np.nan, np.inf])
def test_a_number_that_is_no_entry_is_an_error(place: float) -> None:
    with pytest.raises(ShapeError, match="is no entry of an axis of 3"):
        run(ops.Gather(0), noise(3, 4), np.array([place]))
    with pytest.raises(ShapeError, match="is no row of a table of 3"):
        run(ops.Embedding(3, 4), np.array([place]), table=noise(3, 4))


@pytest.mark.parametrize(("start", "size", "step"), [(0, 3, 2), (4, 5, -1), (3, 2, -2), (1, 4, 1)])
def test_a_strided_slice_is_numpy(start: int, size: int, step: int) -> None:
    x = noise(2, 5, 3)
    last = start + size * step
    expected = x[:, start : last if last >= 0 else None : step]
    np.testing.assert_array_equal(run(ops.StridedSlice(1, start, size, step), x), expected)


@pytest.mark.parametrize(("start", "step"), [(0.0, 1.0), (-3.0, 2.0), (0.1, 0.3)])
def test_arange_is_torch(start: float, step: float) -> None:
    import torch

    count = torch.arange(7, dtype=torch.float64)
    np.testing.assert_array_equal(run(ops.Arange(7, start, step)), (start + step * count).numpy())


def test_expand_is_torch() -> None:
    x = noise(3, 1, 5)
    expected = torch_of(x).expand(2, 3, 4, 5).numpy()
    np.testing.assert_array_equal(run(ops.Expand((2, 3, 4, 5)), x), expected)


@pytest.mark.parametrize("exclusive", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("axis", [0, -1])
def test_sums_along_an_axis_are_tensorflow(axis: int, exclusive: bool, reverse: bool) -> None:
    import tensorflow as tf

    x = noise(3, 4, 5)
    expected = tf.cumsum(x, axis, exclusive=exclusive, reverse=reverse).numpy()
    np.testing.assert_allclose(run(ops.CumSum(axis, exclusive, reverse), x), expected, atol=1e-13)
