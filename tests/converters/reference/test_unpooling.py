from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.converters.reference.build import deconvolution, noise, plane, pooling, run, torch_of
from upconv.converters.ir.dims import like
from upconv.converters.ir.errors import UpconvError
from upconv.converters.ir.operators import Unpool, WindowUnpool


def _window(kind: Any, kernel: Any, stride: Any, size: Any, begin: Any = (0, 0)) -> WindowUnpool:
    return WindowUnpool(kind, kernel, stride, begin, size)


def test_worked_example_by_the_maxima() -> None:
    maxima = plane([[1, 2, 4, 1], [3, 4, 2, 3], [1, 4, 1, 2], [2, 3, 4, 3]])
    _, indices = run(pooling("max", (2, 2), (2, 2)), maxima, outputs=2)
    y = run(Unpool((like("x2", 2), like("x2", 3))), plane([[1, 2], [3, 4]]), indices, maxima)
    np.testing.assert_array_equal(
        y, plane([[0, 0, 2, 0], [0, 1, 0, 0], [0, 3, 0, 0], [0, 0, 4, 0]])
    )


def test_worked_examples_by_windows() -> None:
    x = plane([[1, 2], [3, 4]])
    bed = run(_window("corner", (2, 2), (2, 2), (4, 4)), x)
    np.testing.assert_array_equal(
        bed, plane([[1, 0, 2, 0], [0, 0, 0, 0], [3, 0, 4, 0], [0, 0, 0, 0]])
    )
    nearest = run(_window("tile", (2, 2), (2, 2), (4, 4)), x)
    np.testing.assert_array_equal(
        nearest, plane([[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]])
    )


def test_unpool_is_torch() -> None:
    from torch.nn import functional

    x = noise(2, 3, 8, 6)
    values, indices = run(pooling("max", (2, 3), (2, 3)), x, outputs=2)
    expected = functional.max_unpool2d(
        torch_of(values), torch_of(indices).long(), (2, 3), output_size=(9, 6)
    )
    np.testing.assert_array_equal(run(Unpool((9, 6)), values, indices), expected.numpy())


def test_the_last_of_equal_indices_wins() -> None:
    y = run(Unpool((2, 2)), np.array([[[[1.0, 2.0, 3.0]]]]), np.array([[[[3.0, 0.0, 3.0]]]]))
    np.testing.assert_array_equal(y, plane([[2, 0], [0, 3]]))


@pytest.mark.parametrize("index", [-1, 4, 0.5, np.nan])
def test_an_index_outside_is_an_error_of_the_data(index: float) -> None:
    with pytest.raises(UpconvError, match="no place of a plane of 4 values"):
        run(Unpool((2, 2)), np.ones((1, 1, 1, 1)), np.full((1, 1, 1, 1), index))


def test_tiles_add_up_where_they_overlap() -> None:
    x = noise(2, 3, 3, 4)
    size, begin = (6, 9), (1, 0)
    op = deconvolution(
        channels=3,
        kernel=(3, 3),
        stride=(2, 2),
        pads_begin=begin,
        target=size,
        groups=3,
    )
    ones = np.ones((3, 1, 3, 3))
    y = run(_window("tile", (3, 3), (2, 2), size, begin), x)
    np.testing.assert_allclose(y, run(op, x, weight=ones), atol=1e-14)


def test_average_divides_by_the_cells_inside() -> None:
    y = run(_window("average", (2, 2), (2, 2), (3, 3)), plane([[4, 6], [8, 3]]))
    np.testing.assert_array_equal(y, plane([[1, 1, 3], [1, 1, 3], [4, 4, 3]]))


def test_windows_outside_write_nothing() -> None:
    x = plane([[1, 2, 3]])
    for kind in ("corner", "tile", "average"):
        y = run(_window(kind, (1, 2), (1, 2), (1, 3), (0, 2)), x)
        divisor = 2 if kind == "average" else 1
        second = 0 if kind == "corner" else 2 / divisor
        np.testing.assert_array_equal(y, plane([[2 / divisor, second, 3]]))
