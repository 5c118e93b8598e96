"""What reviewers point at: where it is, and where it is not."""

from __future__ import annotations

import pytest

from tests.linter.test_noise import data, found, layer
from upconv.converters.ir.origin import Source
from upconv.linter.running.engine import CheckOptions, check_source

UP = "convolution_param {{ num_output: 4 kernel_size: {} stride: 2 }}"


def stretched(kernel: int, size: int, between: str = "ReLU", how: str = "NEAREST") -> str:
    text = data(1, 4, 9, 9) + layer("Deconvolution", "up", "data", UP.format(kernel))
    text += layer(between, "mid", "up", "convolution_param { num_output: 4 kernel_size: 1 }")
    written = f"resample_param {{ width: {size} height: {size} type: {how} }}"
    return text + layer("Resample", "big", "mid", written)


@pytest.mark.parametrize(
    ("net", "fires"),
    [
        (stretched(1, 18), True),  # 17 to 18
        (stretched(2, 18), False),  # 18 as they are
        (stretched(1, 34), False),  # twice as many: meant
        (stretched(1, 18, how="LINEAR"), False),  # between pixels, none is repeated
        (stretched(1, 18, "Convolution"), False),  # another layer makes what is stretched
    ],
)
def test_a_pixel_is_repeated(net: str, fires: bool) -> None:
    assert bool(found(net, "UP118")) is fires


def normalised(bias: str, after: str, more: str = "", loss: bool = True) -> str:
    params = f"convolution_param {{ num_output: 4 kernel_size: 2 stride: 2 {bias} }}"
    text = data(1, 4, 8, 12) + layer("Deconvolution", "up", "data", params)
    text += layer(after, "norm", "up") + more
    return text + (layer("SoftmaxWithLoss", "loss", "norm data") if loss else "")


READ_TWICE = layer("ReLU", "other", "up")


@pytest.mark.parametrize(
    ("net", "fires"),
    [
        (normalised("", "BatchNorm"), True),
        (normalised("bias_term: false", "BatchNorm"), False),
        (normalised("", "ReLU"), False),
        (normalised("", "BatchNorm", READ_TWICE), False),
        (normalised("", "BatchNorm", loss=False), False),  # trained: its weights have it
    ],
)
def test_a_bias_is_taken_away(net: str, fires: bool) -> None:
    assert bool(found(net, "UP220")) is fires


@pytest.mark.parametrize(
    ("select", "fires"),
    [((), False), (("UP3",), False), (("UP327",), True), (("UP", "UP327"), True)],
)
def test_what_is_off_is_on_where_its_code_is_selected(select: tuple[str, ...], fires: bool) -> None:
    code = "import torch.nn as nn\nup = nn.PixelShuffle(2)\n"
    report = check_source(Source("a.py", code), CheckOptions(select=select))
    assert ("UP327" in [f.code for f in report.findings]) is fires
