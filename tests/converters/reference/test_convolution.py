from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.converters.reference.build import convolution, noise, run, torch_of
from upconv.converters.ir.operators import Linear
from upconv.converters.reference import convolution as module
from upconv.converters.reference.windows import Windows

CASES: list[tuple[str, int, tuple[int, ...], int, dict[str, Any]]] = [
    ("plain", 3, (5, 7), 4, {"kernel": (3, 3)}),
    ("strided", 3, (7, 6), 2, {"kernel": (3, 2), "stride": (2, 3), "pad": (1, 2)}),
    ("dilated", 2, (9, 8), 3, {"kernel": (3, 3), "dilation": (2, 3), "pad": (2, 2)}),
    ("grouped", 6, (5, 5), 4, {"kernel": (2, 3), "groups": 2, "pad": (0, 1)}),
    ("depthwise", 4, (6, 5), 4, {"kernel": (3, 3), "groups": 4, "pad": (1, 1)}),
    ("line", 3, (11,), 2, {"kernel": (4,), "stride": (2,), "pad": (3,)}),
    (
        "volume",
        4,
        (4, 5, 3),
        2,
        {"kernel": (2, 3, 1), "stride": (1, 2, 2), "pad": (1, 0, 1), "groups": 2},
    ),
]


@pytest.mark.parametrize(("name", "channels", "size", "out", "given"), CASES)
@pytest.mark.parametrize("scratch", [1, 200, 1 << 23])
def test_is_torch_in_any_block_size(
    name: str,
    channels: int,
    size: tuple[int, ...],
    out: int,
    given: dict[str, Any],
    scratch: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from torch.nn import functional

    monkeypatch.setattr(module, "SCRATCH", scratch)
    op = convolution(len(size), out, **given)
    x = noise(2, channels, *size)
    weight = noise(out, channels // op.groups, *op.kernel, seed=1)
    bias = noise(out, seed=2)
    apply = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}[len(size)]
    expected = apply(
        *map(torch_of, (x, weight, bias)), op.stride, op.pads_begin, op.dilation, op.groups
    )
    y = run(op, x, weight=weight, bias=bias)
    np.testing.assert_allclose(y, expected.numpy(), atol=1e-12)


def test_asymmetric_and_negative_pads_crop_or_widen_the_input() -> None:
    x, weight = noise(2, 3, 6, 7), noise(2, 3, 3, 2, seed=1)
    op = convolution(channels=2, kernel=(3, 2), pads_begin=(-1, 2), pads_end=(3, -2))
    moved = np.zeros((2, 3, 8, 7))
    moved[:, :, :5, 2:] = x[:, :, 1:, :5]
    plain = convolution(channels=2, kernel=(3, 2))
    np.testing.assert_allclose(run(op, x, weight=weight), run(plain, moved, weight=weight))


def test_dilation_zero_reads_one_pixel() -> None:
    x, weight = noise(1, 2, 4, 3), noise(3, 2, 3, 3, seed=1)
    op = convolution(channels=3, kernel=(3, 3), dilation=(0, 0))
    summed = weight.sum(axis=(2, 3), keepdims=True)
    expected = run(convolution(channels=3), x, weight=summed)
    # The summed kernel is rounded to float32, as every stored weight is.
    np.testing.assert_allclose(run(op, x, weight=weight), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("scratch", [1, 1 << 23])
def test_linear(transposed: bool, scratch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SCRATCH", scratch)
    x, weight, bias = noise(2, 3, 4, 5), noise(7, 20, seed=1), noise(7, seed=2)
    op = Linear(7, axis=2, transposed=transposed)
    y = run(op, x, weight=weight.T if transposed else weight, bias=bias)
    np.testing.assert_allclose(y, x.reshape(2, 3, 20) @ weight.T + bias, atol=1e-12)


def test_linear_over_every_axis() -> None:
    y = run(Linear(2, axis=0), np.arange(3.0), weight=[[1, 0, 2], [0, 1, 0]])
    np.testing.assert_array_equal(y, [4, 1])


BACKGROUND: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((19, 23), {"kernel": (3, 3), "pad": (1, 1)}),
    ((31,), {"kernel": (4,), "pad": (3,)}),
    ((6, 9, 11), {"kernel": (2, 3, 3), "pad": (1, 1, 0)}),
    ((21, 17), {"kernel": (3, 2), "dilation": (3, 2), "pad": (2, 2)}),
]


@pytest.mark.parametrize(("size", "given"), BACKGROUND)
def test_windows_that_repeat_are_torchs_too(size: tuple[int, ...], given: dict[str, Any]) -> None:
    """Impulses on a background: most windows are the one before them."""
    from torch.nn import functional

    op = convolution(len(size), 5, **given)
    x = np.full((2, 3, *size), 0.25)
    x.reshape(-1)[[0, 7, -1, x.size // 2, x.size // 3]] = (1.0, -4.0, 16.0, -64.0, np.pi)
    weight = noise(5, 3, *op.kernel, seed=1)
    apply = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}[len(size)]
    expected = apply(*map(torch_of, (x, weight)), None, op.stride, op.pads_begin, op.dilation)
    np.testing.assert_allclose(run(op, x, weight=weight), expected.numpy(), atol=1e-12)


@pytest.mark.parametrize(("name", "channels", "size", "out", "given"), CASES)
def test_sizes_of_parts_lie_between_the_sum_and_its_magnitude(
    name: str, channels: int, size: tuple[int, ...], out: int, given: dict[str, Any]
) -> None:
    op = convolution(len(size), out, **given)
    x, weight = noise(2, channels, *size), noise(out, channels // op.groups, *op.kernel, seed=1)
    values = run(op, x, weight=weight)
    magnitudes = run(op, np.abs(x), weight=np.abs(weight))
    sizes = np.empty_like(values)

    def keep(block: module.Block) -> None:
        assert block.sizes is not None
        sizes[block.n, :, block.rows] = block.sizes

    windows, spatial = Windows.of(op), tuple(values.shape[2:])
    work = module.Convolution(x, weight, windows, spatial, op.groups)
    module.each_block(work, keep, sized=True)
    assert (sizes >= np.abs(values) * (1 - 1e-12)).all()
    assert (sizes <= magnitudes * (1 + 1e-12)).all()
