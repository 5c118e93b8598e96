from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.converters.reference.build import deconvolution, noise, run
from upconv.converters.ir import kernels
from upconv.converters.ir.geometry import bilinear_kernel_size, bilinear_pad, conv_transpose_size
from upconv.converters.ir.operators import Resize
from upconv.converters.readers.caffe.caffemodel import read_caffemodel

FACTORS = [1, 2, 3, 4, 5, 7, 8, 12, 16, 32]


def _layer(factor: int, weight: Any, x: Any, pad: int | None = None) -> Any:
    """A depthwise bilinear upsampling of x (N, C, H, W)."""
    k, channels = weight.shape[-1], x.shape[1]
    pads = (bilinear_pad(factor) if pad is None else pad,) * 2
    op = deconvolution(
        channels=channels, kernel=(k, k), stride=(factor,) * 2, pad=pads, groups=channels
    )
    return run(op, x, weight=weight)


@pytest.mark.parametrize("net", ["bilinear_x2", "bilinear_x3", "bilinear_x4", "bilinear_dense"])
def test_filler_is_caffes_bit_for_bit(shared: Path, net: str) -> None:
    model = read_caffemodel(shared / "goldens/caffe" / net / "net.caffemodel")
    (layer,) = [found for found in model.layers if found.blobs]
    stored = layer.blobs[0].array()
    np.testing.assert_array_equal(
        kernels.caffe_bilinear_filler(stored.shape).view(np.uint32),
        np.ascontiguousarray(stored).view(np.uint32),
    )


def test_float64_filler_differs_by_rounding_alone() -> None:
    for k in range(1, 65):
        narrow = kernels.bilinear_kernel(k)
        wide = kernels.bilinear_kernel(k, np.float64)
        assert (narrow.dtype.name, wide.dtype.name) == ("float32", "float64")
        assert np.abs(narrow - wide).max() <= kernels.FILLER_TOLERANCE / 2
    assert np.abs(kernels.bilinear_kernel(5) - kernels.bilinear_kernel(5, np.float64)).max() > 0


def test_filler_fills_every_pair_and_refuses_what_caffe_refuses() -> None:
    filled = kernels.caffe_bilinear_filler((3, 2, 4, 4))
    assert filled.flags.writeable
    for kernel in filled.reshape(-1, 4, 4):
        np.testing.assert_array_equal(kernel, kernels.bilinear_kernel(4))
    for shape in [(3, 2, 4), (3, 2, 4, 3), (1, 1, 2, 2, 2)]:
        with pytest.raises(ValueError, match="four axes and a square kernel"):
            kernels.caffe_bilinear_filler(shape)


def test_nearest_kernel_repeats_pixels() -> None:
    x = noise(1, 1, 3, 2)
    op = deconvolution(kernel=(2, 3), stride=(2, 3))
    y = run(op, x, weight=kernels.nearest_kernel((2, 3))[None, None])
    np.testing.assert_array_equal(y, x.repeat(2, axis=2).repeat(3, axis=3))


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("extra", [0, -1, 2])
def test_interpolation_matrices_are_the_layer(factor: int, extra: int) -> None:
    k = bilinear_kernel_size(factor)
    pad = min(max(bilinear_pad(factor) + extra, 0), (k - 1) // 2)
    x = noise(1, 1, 3, 4)
    kernel = kernels.bilinear_kernel(k)
    factors = kernels.separate(kernel)
    assert factors is not None
    wide = [values.astype(np.float64) for values in factors]
    u_h = kernels.interpolation_matrix(3, factor, wide[0], pad)
    u_w = kernels.interpolation_matrix(4, factor, wide[1], pad)
    assert u_h.shape == (conv_transpose_size(3, k, factor, 1, pad, pad), 3)
    expected = _layer(factor, kernel[None, None], x, pad)[0, 0]
    np.testing.assert_allclose(u_h @ x[0, 0] @ u_w.T, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("factor", FACTORS)
def test_the_matrix_of_the_convention_is_the_hat(factor: int) -> None:
    """U[i, j] = max(0, 1 - |(i+0.5)/f - 0.5 - j|)."""
    k, pad = bilinear_kernel_size(factor), bilinear_pad(factor)
    row = kernels.bilinear_row(k, np.float64)
    found = kernels.interpolation_matrix(5, factor, row, pad)
    i, j = np.arange(5 * factor)[:, None], np.arange(5)
    hat = np.maximum(0, 1 - np.abs((i + 0.5) / factor - 0.5 - j))
    np.testing.assert_allclose(found, hat, atol=1e-14)


@pytest.mark.parametrize("factor", FACTORS)
def test_the_layer_is_resize_times_the_border_factors(factor: int) -> None:
    x = noise(1, 2, 3, 4)
    k = bilinear_kernel_size(factor)
    weight = np.broadcast_to(kernels.bilinear_kernel(k), (2, 1, k, k))
    y = _layer(factor, weight, x)
    resized = run(Resize("linear", "half_pixel", factor=(factor, factor)), x)
    rows = kernels.border_factor(3 * factor, factor)[:, None]
    columns = kernels.border_factor(4 * factor, factor)
    assert (rows[:, 0] < 1).sum() == 2 * (factor // 2)
    np.testing.assert_allclose(y, resized * rows * columns, rtol=0, atol=1e-6)


@pytest.mark.parametrize("k", [*range(1, 25), 32, 33, 64])
def test_caffes_kernels_separate_exactly(k: int) -> None:
    found = kernels.separate(kernels.bilinear_kernel(k))
    assert found is not None
    for part in found:
        assert part.dtype == np.float32
        np.testing.assert_array_equal(part, kernels.bilinear_row(k))


@pytest.mark.parametrize("shape", [(3, 5), (4, 4), (1, 6), (7, 2)])
def test_any_outer_product_separates_within_rounding(shape: tuple[int, int]) -> None:
    column, row = noise(shape[0]), noise(shape[1], seed=1)
    kernel = np.multiply.outer(column, row).astype(np.float32)
    found = kernels.separate(kernel)
    assert found is not None
    product = np.multiply.outer(*(part.astype(np.float64) for part in found))
    np.testing.assert_allclose(product, kernel, rtol=kernels.RANK_ONE_TOLERANCE)


@pytest.mark.parametrize("sign", [1, -1])
def test_signed_symmetric_kernels_separate(sign: int) -> None:
    row = np.array([0.5, -2.0, 0.0, 1.0], np.float32)
    kernel = np.multiply.outer(row, row) * np.float32(sign)
    found = kernels.separate(kernel)
    assert found is not None
    np.testing.assert_array_equal(np.multiply.outer(*found), kernel)


def test_what_does_not_separate() -> None:
    almost = kernels.bilinear_kernel(4).copy()
    almost[1, 2] *= np.float32(1 + 2.0**-19)
    broken = kernels.bilinear_kernel(4).copy()
    broken[0, 0] = np.nan
    for kernel in (almost, broken, np.eye(3, dtype=np.float32), np.zeros((2, 2), np.float32)):
        assert kernels.separate(kernel) is None


def test_phase_sums_are_the_gain_of_constants() -> None:
    kernel = noise(5, 4)
    stride, dilation = (2, 3), (1, 2)
    op = deconvolution(kernel=(5, 4), stride=stride, dilation=dilation)
    y = run(op, np.ones((1, 1, 12, 12)), weight=kernel[None, None])[0, 0]
    sums = kernels.phase_sums(kernel, stride, dilation)
    np.testing.assert_allclose(y[8:10, 9:12], sums, atol=1e-12)


@pytest.mark.parametrize("factor", FACTORS)
def test_bilinear_kernels_keep_constants(factor: int) -> None:
    kernel = kernels.bilinear_kernel(bilinear_kernel_size(factor))
    sums = kernels.phase_sums(kernel, (factor, factor))
    np.testing.assert_allclose(sums, 1, atol=1e-6)


def test_phase_sums_see_holes_and_one_axis() -> None:
    ones = np.ones(2, np.float32)
    np.testing.assert_array_equal(kernels.phase_sums(ones, (3,)), [1, 1, 0])
    np.testing.assert_array_equal(kernels.phase_sums(ones, (2,), (2,)), [2, 0])


def test_centre_of_mass() -> None:
    assert kernels.centre_of_mass(kernels.bilinear_kernel(5)) == pytest.approx((2, 2))
    assert kernels.centre_of_mass(np.array([[0.0, 0.0, 1.0]])) == (0, 2)
    assert kernels.centre_of_mass(np.array([1.0, 3.0])) == (0.75,)
    assert kernels.centre_of_mass(np.array([1.0, -1.0])) is None


def _surgery(channels: int, k: int) -> Any:
    """A dense weight with the kernel on its diagonal, made in float64 as net surgery does."""
    weight = np.zeros((channels, channels, k, k))
    weight[range(channels), range(channels)] = kernels.bilinear_kernel(k, np.float64)
    return weight.astype(np.float32)


def test_forms_of_bilinear_weights() -> None:
    filler = kernels.caffe_bilinear_filler
    assert kernels.bilinear_form(filler((5, 1, 4, 4)), 5) == "grouped"
    assert kernels.bilinear_form(filler((5, 5, 4, 4))) == "every pair"
    assert kernels.bilinear_form(_surgery(5, 4)) == "diagonal"
    assert kernels.bilinear_form(filler((1, 1, 4, 4))) == "grouped"
    assert kernels.bilinear_form(filler((4, 1, 4, 4)), 2) == "every pair"


def test_what_is_not_bilinear() -> None:
    learned = kernels.caffe_bilinear_filler((3, 1, 4, 4))
    learned[1, 0, 2, 2] += np.float32(1e-3)
    assert kernels.bilinear_form(learned, 3) is None
    assert kernels.bilinear_form(noise(2, 1, 3, 3).astype(np.float32), 2) is None
    assert kernels.bilinear_form(np.zeros((2, 2, 4, 4), np.float32)) is None
    assert kernels.bilinear_form(kernels.bilinear_kernel(4)) is None
    assert kernels.bilinear_form(np.ones((1, 1, 2, 4), np.float32)) is None


def test_is_bilinear_wants_channels_apart_and_the_factor() -> None:
    grouped = kernels.caffe_bilinear_filler((5, 1, 4, 4))
    assert kernels.is_bilinear(grouped, 5)
    assert kernels.is_bilinear(grouped, 5, stride=2)
    assert not kernels.is_bilinear(grouped, 5, stride=4)
    assert kernels.is_bilinear(_surgery(3, 5), stride=3)
    assert not kernels.is_bilinear(kernels.caffe_bilinear_filler((3, 3, 4, 4)))
