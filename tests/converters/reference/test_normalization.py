from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.converters.reference.build import noise, run, torch_of
from upconv.converters.ir import operators as ops


@pytest.mark.parametrize("size", [(), (5,), (4, 5), (2, 3, 4)])
def test_batch_norm_is_torch(size: tuple[int, ...]) -> None:
    from torch.nn import functional

    x = noise(2, 3, *size)
    mean, scale, bias = (noise(3, seed=i) for i in (1, 2, 3))
    variance = np.abs(noise(3, seed=4))
    statistics = torch_of(x), torch_of(mean), torch_of(variance)
    expected = functional.batch_norm(*statistics, torch_of(scale), torch_of(bias), eps=1e-3)
    y = run(ops.BatchNorm(1e-3), x, mean=mean, variance=variance, scale=scale, bias=bias)
    np.testing.assert_allclose(y, expected.numpy(), atol=1e-12)
    bare = run(ops.BatchNorm(1e-3), x, mean=mean, variance=variance)
    plain = functional.batch_norm(*statistics, eps=1e-3)
    np.testing.assert_allclose(bare, plain.numpy(), atol=1e-12)


@pytest.mark.parametrize("size", [3, 5])
def test_lrn_across_channels_is_torch(size: int) -> None:
    from torch.nn import functional

    x = noise(2, 7, 3, 4)
    expected = functional.local_response_norm(torch_of(x), size, alpha=0.3, beta=0.75, k=2.0)
    y = run(ops.Lrn(size, 0.3, 0.75, 2.0, "across"), x)
    np.testing.assert_allclose(y, expected.numpy(), atol=1e-12)


def test_lrn_of_even_size_reaches_further_behind() -> None:
    """ONNX LRN: channels c - floor((size-1)/2) to c + ceil((size-1)/2)."""
    x = noise(1, 6, 2, 3)
    sums = [np.square(x[:, max(c - 1, 0) : c + 3]).sum(axis=1) for c in range(6)]
    expected = x / (1.5 + 0.5 / 4 * np.stack(sums, axis=1)) ** 0.6
    np.testing.assert_allclose(run(ops.Lrn(4, 0.5, 0.6, 1.5, "across"), x), expected)


def test_lrn_within_a_channel_divides_by_the_whole_window() -> None:
    x = noise(1, 2, 4, 5)
    padded = np.pad(np.square(x), [(0, 0), (0, 0), (1, 1), (1, 1)])
    total = sum(padded[:, :, i : i + 4, j : j + 5] for i in range(3) for j in range(3))
    expected = x / (1 + 0.2 / 9 * total) ** 0.75
    np.testing.assert_allclose(run(ops.Lrn(3, 0.2, 0.75, 1.0, "within"), x), expected)


@pytest.mark.parametrize(("across", "axes"), [(False, (2, 3)), (True, (1, 2, 3))])
def test_mean_variance_norm(across: bool, axes: Any) -> None:
    x = noise(2, 3, 4, 5)
    centred = x - x.mean(axis=axes, keepdims=True)
    np.testing.assert_allclose(run(ops.MeanVarianceNorm(False, across, 1e-9), x), centred)
    expected = centred / (x.std(axis=axes, keepdims=True) + 0.1)
    np.testing.assert_allclose(run(ops.MeanVarianceNorm(True, across, 0.1), x), expected)


def test_mean_variance_norm_of_constants_is_zero() -> None:
    y = run(ops.MeanVarianceNorm(True, False, 1e-9), np.full((1, 2, 3, 3), 5.0))
    np.testing.assert_array_equal(y, 0)


@pytest.mark.parametrize(("across", "axes"), [(False, 1), (True, (1, 2, 3))])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_l2_normalize(across: bool, axes: Any, count: int) -> None:
    x = noise(2, 3, 4, 5)
    scale = noise(count, seed=1) if count else None
    expected = x / np.sqrt((x * x).sum(axis=axes, keepdims=True) + 0.5)
    if scale is not None:
        expected = expected * scale.reshape(1, -1, 1, 1)
    y = run(ops.L2Normalize(across, 0.5), x, scale=scale)
    np.testing.assert_allclose(y, expected, atol=1e-14)


@pytest.mark.parametrize("size", [(7,), (4, 5), (2, 3, 4)])
@pytest.mark.parametrize("groups", [1, 2, 6])
def test_group_norm_is_torch(groups: int, size: tuple[int, ...]) -> None:
    from torch.nn import functional

    x, scale, bias = noise(2, 6, *size), noise(6, seed=1), noise(6, seed=2)
    expected = functional.group_norm(torch_of(x), groups, torch_of(scale), torch_of(bias), 1e-3)
    y = run(ops.GroupNorm(groups, 1e-3), x, scale=scale, bias=bias)
    np.testing.assert_allclose(y, expected.numpy(), atol=1e-12)
    plain = functional.group_norm(torch_of(x), groups, eps=1e-3)
    np.testing.assert_allclose(run(ops.GroupNorm(groups, 1e-3), x), plain.numpy(), atol=1e-12)


@pytest.mark.parametrize("axis", [1, -2, 3])
def test_layer_norm_is_torch(axis: int) -> None:
    from torch.nn import functional

    x = noise(2, 3, 4, 5)
    shape = x.shape[axis:]
    scale, bias = noise(*shape, seed=1), noise(*shape, seed=2)
    expected = functional.layer_norm(torch_of(x), shape, torch_of(scale), torch_of(bias), 1e-3)
    y = run(ops.LayerNorm(axis, 1e-3), x, scale=scale, bias=bias)
    np.testing.assert_allclose(y, expected.numpy(), atol=1e-12)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_softmax_is_torch_and_does_not_overflow(axis: int) -> None:
    from torch.nn import functional

    x = 1000 * noise(3, 4, 5)
    expected = functional.softmax(torch_of(x), axis).numpy()
    np.testing.assert_allclose(run(ops.Softmax(axis), x), expected, atol=1e-14)
