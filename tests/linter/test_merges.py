"""UP103's arithmetic: which layer made the difference, in numbers and in symbols."""

from __future__ import annotations

from itertools import pairwise

import pytest

from upconv.converters.ir.dims import Size, symbol
from upconv.converters.ir.origin import Source
from upconv.converters.readers.options import ReadOptions
from upconv.linter.running.engine import CheckOptions, check_source


def layer(name: str, kind: str, bottoms: str, words: str = "") -> str:
    read = " ".join(f'bottom: "{bottom}"' for bottom in bottoms.split())
    return f'layer {{ name: "{name}" type: "{kind}" {read} top: "{name}" {words} }}\n'


def pool(name: str, bottom: str, words: str) -> str:
    return layer(name, "Pooling", bottom, f"pooling_param {{ pool: MAX {words} }}")


def deconv(name: str, bottom: str, words: str) -> str:
    params = f'num_output: 3 weight_filler {{ type: "xavier" }} {words}'
    return layer(name, "Deconvolution", bottom, f"convolution_param {{ {params} }}")


def mismatch(text: str, *shape: Size) -> str:
    options = CheckOptions(ReadOptions(inputs={"data": shape}), select=("UP103",))
    (finding,) = check_source(Source("a", 'input: "data"\n' + text), options).findings
    return finding.message


UP2 = "kernel_size: 4 stride: 2 pad: 1"


def test_the_issue_of_the_odd_pool() -> None:
    net = pool("pool3", "data", "kernel_size: 2 stride: 2") + deconv("up", "pool3", UP2)
    message = mismatch(net + layer("fuse", "Eltwise", "up data"), 1, 3, 75, 80)
    assert "height differs at the merge: 'up' is 1x3x76x80, 'data' is 1x3x75x80" in message
    assert "pool3: ceil((75-2)/2)+1 = 38; up: 2*(38-1)+4-2*1 = 76; merged with data's 75" in message
    assert message.endswith("'pool3' rounded 37.5 up to 38, which is 1 pixel at the merge")


def test_order_of_the_inputs_does_not_matter() -> None:
    net = pool("pool3", "data", "kernel_size: 2 stride: 2") + deconv("up", "pool3", UP2)
    message = mismatch(net + layer("fuse", "Concat", "data up"), 1, 3, 75, 75)
    assert "pool3: ceil((75-2)/2)+1 = 38; up: 2*(38-1)+4-2*1 = 76; merged with data's 75" in message


def test_clipped_window_is_said() -> None:
    net = pool("pool", "data", "kernel_size: 2 stride: 2 pad: 1")
    net += deconv("up", "pool", "kernel_size: 2 stride: 2")
    message = mismatch(net + layer("fuse", "Eltwise", "up data"), 1, 3, 7, 8)
    assert "pool: ceil((7+2*1-2)/2)+1-1 (clipped to the padded input) = 4" in message


def test_both_branches_are_shown() -> None:
    net = pool("a", "data", "kernel_size: 3 stride: 2") + pool(
        "b", "data", "kernel_size: 3 stride: 2 round_mode: FLOOR"
    )
    message = mismatch(net + layer("fuse", "Eltwise", "a b"), 1, 3, 8, 9)
    assert "a: ceil((8-3)/2)+1 = 4; merged with b's 3 (b: floor((8-3)/2)+1 = 3)" in message


def test_symbols_are_kept() -> None:
    net = layer("conv", "Convolution", "data", "convolution_param { num_output: 3 kernel_size: 3 }")
    message = mismatch(net + layer("fuse", "Eltwise", "conv data"), 1, 3, symbol("H"), symbol("W"))
    assert "conv: H-3+1 = H-2; merged with data's H" in message


def test_sizes_that_a_symbol_may_make_equal_are_not_judged() -> None:
    net = pool("pool3", "data", "kernel_size: 2 stride: 2") + deconv("up", "pool3", UP2)
    options = CheckOptions(ReadOptions(inputs={"data": (1, 3, symbol("H"), 80)}))
    text = 'input: "data"\n' + net + layer("fuse", "Eltwise", "up data")
    codes = {finding.code for finding in check_source(Source("a", text), options).findings}
    assert "UP103" not in codes


@pytest.mark.parametrize("depth", [3, 9])
def test_long_ways_are_shortened_to_the_steps_that_tell(depth: int) -> None:
    names = ["data", *(f"p{index}" for index in range(depth))]
    net = "".join(
        pool(after, before, "kernel_size: 2 stride: 2") for before, after in pairwise(names)
    )
    stride = 2**depth
    net += deconv("up", names[-1], f"kernel_size: {stride} stride: {stride}")
    message = mismatch(net + layer("fuse", "Eltwise", "up data"), 1, 3, 1023, 1023)
    assert ("...; " in message) is (depth == 9)
    assert message.endswith("'p0' rounded 511.5 up to 512, which is 1 pixel at the merge")


def test_other_strides_are_said() -> None:
    net = pool("p1", "data", "kernel_size: 2 stride: 2") + pool(
        "p2", "p1", "kernel_size: 2 stride: 2"
    )
    net += deconv("up", "p2", UP2)
    message = mismatch(net + layer("fuse", "Eltwise", "up data"), 1, 3, 64, 64)
    assert message.endswith("The strides differ: in all they scale 'up' by 1/2 and 'data' by 1")


def test_the_layer_with_the_largest_share_is_blamed() -> None:
    net = layer(
        "valid", "Convolution", "data", "convolution_param { num_output: 3 kernel_size: 5 }"
    )
    net += pool("pool", "valid", "kernel_size: 2 stride: 2") + deconv("up", "pool", UP2)
    message = mismatch(net + layer("fuse", "Eltwise", "data up"), 1, 3, 63, 63)
    assert message.endswith("'valid' lost 4 pixels")


def test_channels_name_the_layers_that_made_them() -> None:
    net = layer("a", "Convolution", "data", "convolution_param { num_output: 4 kernel_size: 1 }")
    message = mismatch(net + layer("fuse", "Eltwise", "a data"), 1, 3, 8, 8)
    assert "'a' has 4 (from num_output of 'a') and 'data' has 3 (from the input 'data')" in message


KERAS = """
from tensorflow.keras import Input, layers
x = Input((75, 75, 3))
y = layers.MaxPooling2D(2)(x)
up = layers.UpSampling2D(2)(y)
both = layers.Concatenate()([up, x])
"""


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.py", KERAS, "with Cropping layers (Cropping2D), or feed"),
        (
            "a.prototxt",
            'input: "data" input_shape { dim: 1 dim: 3 dim: 75 dim: 75 }\n'
            + pool("pool", "data", "kernel_size: 2 stride: 2")
            + deconv("up", "pool", UP2)
            + layer("fuse", "Eltwise", "up data"),
            "with a Crop layer, or feed",
        ),
    ],
)
def test_the_cure_is_said_in_the_framework_s_words(name: str, text: str, words: str) -> None:
    report = check_source(Source(name, text), CheckOptions(select=("UP103",)))
    (finding,) = report.findings
    assert words in finding.help
