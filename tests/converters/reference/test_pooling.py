from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.converters.reference.build import noise, plane, pooling, run, torch_of
from upconv.converters.ir.operators import GlobalPool, Pool
from upconv.converters.reference.pooling import LOWEST

TORCH = [
    ((3, 2), (2, 3), (1, 1), (1, 1)),
    ((2, 2), (2, 2), (0, 0), (1, 1)),
    ((3, 3), (1, 2), (1, 0), (2, 1)),
    ((2, 3), (3, 1), (1, 1), (1, 2)),
]
"""kernel, stride, pad, dilation"""


@pytest.mark.parametrize(("kernel", "stride", "pad", "dilation"), TORCH)
@pytest.mark.parametrize("rounding", ["floor", "ceil"])
def test_max_with_indices_is_torch(
    kernel: Any, stride: Any, pad: Any, dilation: Any, rounding: Any
) -> None:
    from torch.nn import functional

    x = np.round(noise(2, 3, 8, 9))  # rounded, so that there are equal values
    op = pooling(
        "max", kernel, stride, pad=pad, dilation=dilation, rounding=rounding, clip="always"
    )
    values, indices = run(op, x, outputs=2)
    expected = functional.max_pool2d(
        torch_of(x), kernel, stride, pad, dilation, rounding == "ceil", return_indices=True
    )
    np.testing.assert_array_equal(values, expected[0].numpy())
    np.testing.assert_array_equal(indices, expected[1].numpy())
    np.testing.assert_array_equal(run(op, x), values)


@pytest.mark.parametrize(("kernel", "stride", "pad"), [case[:3] for case in TORCH])
@pytest.mark.parametrize(("rounding", "counted"), list(product(["floor", "ceil"], [False, True])))
def test_average_is_torch(kernel: Any, stride: Any, pad: Any, rounding: Any, counted: bool) -> None:
    from torch.nn import functional

    x = noise(2, 3, 8, 9)
    op = pooling(
        "average", kernel, stride, pad=pad, rounding=rounding, clip="always", count_padding=counted
    )
    expected = functional.avg_pool2d(torch_of(x), kernel, stride, pad, rounding == "ceil", counted)
    np.testing.assert_allclose(run(op, x), expected.numpy(), atol=1e-13)


def test_volume_is_torch() -> None:
    from torch.nn import functional

    x = noise(1, 2, 5, 4, 6)
    op = pooling("max", (2, 3, 2), (2, 1, 2), pad=(1, 1, 0), rounding="floor")
    expected = functional.max_pool3d(torch_of(x), (2, 3, 2), (2, 1, 2), (1, 1, 0))
    np.testing.assert_array_equal(run(op, x), expected.numpy())


def test_line_is_torch() -> None:
    from torch.nn import functional

    x = noise(2, 2, 9)
    op = pooling("average", (3,), (2,), pad=(1,), rounding="floor")
    np.testing.assert_allclose(
        run(op, x), functional.avg_pool1d(torch_of(x), 3, 2, 1).numpy(), atol=1e-13
    )


def test_caffe_window_outside_of_the_input() -> None:
    """Stride > kernel without padding: the last window starts at the edge, or beyond it."""
    at_edge = noise(1, 1, 4)
    beyond = noise(1, 1, 5)
    maximum, average = pooling("max", (1,), (4,)), pooling("average", (1,), (4,))
    assert run(maximum, at_edge).shape == (1, 1, 2)
    assert run(maximum, at_edge)[0, 0, 1] == LOWEST == -np.finfo(np.float32).max
    assert np.isnan(run(average, at_edge)[0, 0, 1])
    far = pooling("average", (1,), (3,), pads_end=(3,), clip="never", count_padding=False)
    assert run(far, beyond)[0, 0, -1] == 0.0
    negative = pooling("average", (2,), (4,))
    outside = run(negative, noise(1, 1, 3))
    assert outside.shape == (1, 1, 2)
    assert outside[0, 0, 1] == 0.0


def test_an_empty_window_has_no_index() -> None:
    values, indices = run(pooling("max", (1,), (4,)), noise(1, 1, 4), outputs=2)
    assert (values[0, 0, 1], indices[0, 0, 1]) == (LOWEST, -1)


def test_average_counts_the_padding_up_to_its_end() -> None:
    """Caffe: kernel 3, stride 2, pad 1 on 4 pixels: the third window is clipped to in + pad."""
    op = pooling("average", (3,), (2,), pad=(1,))
    y = run(op, np.array([[[3.0, 6.0, 12.0, 24.0]]]))
    np.testing.assert_array_equal(y, [[[9 / 3, 42 / 3, 24 / 2]]])


def test_negative_pads_crop() -> None:
    x = noise(1, 2, 6, 6)
    op = pooling("max", (2, 2), (2, 2), pads_begin=(-1, -2), pads_end=(-1, 0), rounding="floor")
    plain = pooling("max", (2, 2), (2, 2), rounding="floor")
    np.testing.assert_array_equal(run(op, x), run(plain, x[:, :, 1:5, 2:]))


def test_minus_infinity_is_a_value() -> None:
    values, indices = run(pooling("max", (2,), (2,)), np.full((1, 1, 4), -np.inf), outputs=2)
    np.testing.assert_array_equal(values, [[[-np.inf, -np.inf]]])
    np.testing.assert_array_equal(indices, [[[0, 2]]])


def test_not_a_number_wins() -> None:
    values, indices = run(pooling("max", (2,), (2,)), np.array([[[1, np.nan, 2, 1]]]), outputs=2)
    np.testing.assert_array_equal(values, [[[np.nan, 2]]])
    np.testing.assert_array_equal(indices, [[[1, 2]]])


def test_global() -> None:
    x = noise(2, 3, 4, 5)
    np.testing.assert_allclose(run(GlobalPool("average"), x)[:, :, 0, 0], x.mean(axis=(2, 3)))
    values, indices = run(GlobalPool("max"), x, outputs=2)
    np.testing.assert_array_equal(values[:, :, 0, 0], x.max(axis=(2, 3)))
    np.testing.assert_array_equal(indices[:, :, 0, 0], x.reshape(2, 3, -1).argmax(axis=2))


def _golden_pools() -> list[tuple[str, Pool]]:
    """Kernel, stride and pad of the golden net's layers, which their names say."""
    settings = [(2, 2, 0), (3, 2, 0), (3, 2, 1), (3, 3, 1), (2, 2, 1), (5, 3, 2)]
    kinds = [("MAX", "max"), ("AVE", "average")]
    found = [
        (f"p_{k}_{s}_{p}_{word}", pooling(kind, (k, k), (s, s), pad=(p, p)))
        for (k, s, p), (word, kind) in product(settings, kinds)
    ]
    return [*found, ("floor", pooling("max", (3, 3), (2, 2), rounding="floor"))]


@pytest.mark.parametrize(("top", "op"), _golden_pools())
def test_equals_caffe(shared: Path, top: str, op: Pool) -> None:
    values = np.load(shared / "goldens/caffe/pool_ceil/io.npz")
    y, expected = run(op, values["in/data"]), values[f"out/{top}"]
    assert y.shape == expected.shape
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


def test_worked_example() -> None:
    x = plane([[1, 2, 4, 1], [3, 4, 2, 3], [1, 4, 1, 2], [2, 3, 4, 3]])
    values, indices = run(pooling("max", (2, 2), (2, 2)), x, outputs=2)
    np.testing.assert_array_equal(values, plane([[4, 4], [4, 4]]))
    np.testing.assert_array_equal(indices, plane([[5, 2], [9, 14]]))
