from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.converters.reference.build import deconvolution, noise, run
from upconv.converters.ir import kernels
from upconv.converters.ir.geometry import (
    BILINEAR_TOLERANCE,
    bilinear_kernel_size,
    bilinear_pad,
    bilinear_taps,
)
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


def test_filler_fills_every_pair_and_refuses_what_caffe_refuses() -> None:
    filled = kernels.caffe_bilinear_filler((3, 2, 4, 4))
    assert filled.flags.writeable
    for kernel in filled.reshape(-1, 4, 4):
        np.testing.assert_array_equal(kernel, kernels.bilinear_kernel(4))
    for shape in [(3, 2, 4), (3, 2, 4, 3), (1, 1, 2, 2, 2)]:
        with pytest.raises(ValueError, match="four axes and a square kernel"):
            kernels.caffe_bilinear_filler(shape)


def border_factor(size: int, factor: int) -> Any:
    """What a bilinear transposed convolution is, over a half-pixel linear Resize, along one axis
    of `size` output pixels: min(1, (i+0.5)/f + 0.5) from either end, (size)."""
    rise = np.minimum(1.0, (np.arange(size) + 0.5) / factor + 0.5)
    return rise * rise[::-1]


@pytest.mark.parametrize("factor", FACTORS)
def test_the_layer_is_resize_times_the_border_factors(factor: int) -> None:
    x = noise(1, 2, 3, 4)
    k = bilinear_kernel_size(factor)
    weight = np.broadcast_to(kernels.bilinear_kernel(k), (2, 1, k, k))
    y = _layer(factor, weight, x)
    resized = run(Resize("linear", "half_pixel", factor=(factor, factor)), x)
    rows, columns = border_factor(3 * factor, factor)[:, None], border_factor(4 * factor, factor)
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


def exact_kernel(k: int) -> Any:
    """(k, k), float64 without any rounding but its own."""
    taps, denominator = bilinear_taps(k)
    row = np.array(taps) / denominator
    return np.outer(row, row)


def _surgery(channels: int, k: int) -> Any:
    """A dense weight with the kernel on its diagonal, made in float64 as net surgery does."""
    weight = np.zeros((channels, channels, k, k))
    weight[range(channels), range(channels)] = exact_kernel(k)
    return weight.astype(np.float32)


def test_forms_of_bilinear_weights() -> None:
    filler = kernels.caffe_bilinear_filler
    assert kernels.bilinear_form(filler((5, 1, 4, 4)), 5) == "grouped"
    assert kernels.bilinear_form(filler((5, 5, 4, 4))) == "every pair"
    assert kernels.bilinear_form(_surgery(5, 4)) == "diagonal"
    assert kernels.bilinear_form(filler((1, 1, 4, 4))) == "grouped"
    assert kernels.bilinear_form(filler((4, 1, 4, 4)), 2) == "every pair"
    assert kernels.bilinear_form(filler((4, 2, 4, 4)), 2) == "every pair"


def test_what_is_not_bilinear() -> None:
    learned = kernels.caffe_bilinear_filler((3, 1, 4, 4))
    learned[1, 0, 2, 2] += np.float32(1e-3)
    assert kernels.bilinear_form(learned, 3) == ""
    assert kernels.bilinear_form(noise(2, 1, 3, 3).astype(np.float32), 2) == ""
    assert kernels.bilinear_form(np.zeros((2, 2, 4, 4), np.float32)) == ""
    assert kernels.bilinear_form(kernels.bilinear_kernel(4)) == ""
    assert kernels.bilinear_form(np.ones((1, 1, 2, 4), np.float32)) == ""
    assert kernels.bilinear_form(np.full((1, 1, 4, 4), np.nan, np.float32)) == ""
    assert kernels.bilinear_form(np.zeros((0, 1, 4, 4), np.float32)) == ""


@pytest.mark.parametrize("k", range(1, 65))
def test_what_makers_of_bilinear_weights_round_stays_inside_the_tolerance(k: int) -> None:
    """Caffe rounds each step to float32; net surgery (and Keras, and PyTorch) round the result."""
    exact = exact_kernel(k)
    for made in (kernels.bilinear_kernel(k), exact.astype(np.float32)):
        assert np.abs(made - exact).max() <= BILINEAR_TOLERANCE / 5
        assert kernels.bilinear_form(made[None, None]) == "grouped"
    assert exact.min() > 200 * BILINEAR_TOLERANCE


@pytest.mark.parametrize("factor", FACTORS)
def test_float16_holds_the_kernels_of_small_powers_of_two(factor: int) -> None:
    k = bilinear_kernel_size(factor)
    stored = kernels.bilinear_kernel(k).astype(np.float16).astype(np.float32)
    held = factor in (1, 2, 4, 8, 16)
    assert kernels.bilinear_form(stored[None, None]) == ("grouped" if held else "")
