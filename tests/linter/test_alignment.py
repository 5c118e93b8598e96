"""Places composed along a net, and what UP105, UP106 and UP116 make of them."""

from __future__ import annotations

from fractions import Fraction

import pytest

from tests.linter.test_merges import deconv, layer, pool
from upconv.converters.ir.alignment import AxisMap
from upconv.converters.ir.origin import Source
from upconv.converters.ir.places import Coordinates
from upconv.converters.readers.caffe.reader import read_caffe_source
from upconv.converters.readers.options import ReadOptions
from upconv.linter.context import Context
from upconv.linter.finding import Finding
from upconv.linter.running.engine import CheckOptions, check_source

INPUT = 'input: "data" input_shape { dim: 1 dim: 3 dim: 64 dim: 64 }\n'
POOL = "kernel_size: 2 stride: 2"


def coordinates(text: str) -> Coordinates:
    source = Source("a", text)
    return Context("a", source, read_caffe_source(source, ReadOptions())).coordinates


def found(text: str, code: str) -> list[Finding]:
    return [f for f in check_source(Source("a", INPUT + text)).findings if f.code == code]


def crop(words: str, bottoms: str = "up data") -> str:
    return layer("crop", "Crop", bottoms, f"crop_param {{ axis: 2 {words} }}")


def fixed(name: str, bottom: str, words: str) -> str:
    params = f'num_output: 3 group: 3 weight_filler {{ type: "bilinear" }} {words}'
    frozen = "param { lr_mult: 0 }"
    return layer(name, "Deconvolution", bottom, f"{frozen} convolution_param {{ {params} }}")


def test_places_compose_along_the_net() -> None:
    net = INPUT + pool("p", "data", POOL) + pool("q", "p", "kernel_size: 3 stride: 2")
    assert coordinates(net).places["q"].maps == (AxisMap(Fraction(4), Fraction(5, 2)),) * 2


def test_sizes_need_not_be_known() -> None:
    net = pool("p", "data", POOL) + fixed("up", "p", "kernel_size: 4 stride: 2")
    (fit,) = coordinates(net + crop("offset: 0")).crops
    assert [one.shift for one in fit.relative] == [1, 1]


def test_a_crop_that_forks_align_is_asked_about() -> None:
    net = pool("p", "data", POOL) + fixed("up", "p", "kernel_size: 4 stride: 2")
    silent = net + layer("crop", "Crop", "up data") + layer("fuse", "Eltwise", "crop data")
    assert [f.layer for f in found(silent, "UP307")] == ["crop"]
    assert found(silent, "UP105") == found(silent, "UP106") == []
    said = check_source(
        Source("a", INPUT + silent), CheckOptions(read=ReadOptions(dialect="crop=bvlc"))
    )
    assert {"UP105"} == {f.code for f in said.findings if f.code in ("UP105", "UP307", "UP106")}


def test_a_wrong_crop_is_one_finding() -> None:
    """The crops and merges behind it are judged as if it were mended."""
    up = pool("p", "data", POOL) + fixed("up", "p", "kernel_size: 4 stride: 2") + crop("offset: 0")
    net = up + layer("fuse", "Eltwise", "crop data")
    assert [f.layer for f in found(net, "UP105")] == ["crop"]
    assert found(net, "UP106") == []


def test_offsets_are_given_axis_by_axis() -> None:
    words = "kernel_h: 4 kernel_w: 6 stride_h: 2 stride_w: 2 pad_h: 0 pad_w: 0"
    up = deconv("up", "p", words).replace('"xavier"', '"constant" value: 1')
    net = pool("p", "data", POOL) + up + crop("offset: 1 offset: 1")
    (finding,) = found(net, "UP105")
    assert finding.message.startswith("offset 1 is off: pixel i of 'data' lies at i+1, +2")
    assert finding.help == "set offset: 1, 2"


@pytest.mark.parametrize(
    ("kernel", "offset", "severity", "said"),
    [
        (5, 1, "info", "half a pixel from offset 1"),
        (5, 2, "info", "half a pixel from offset 2"),
        (5, 3, "error", "it must be 1 or 2"),
        (4, 2, "error", "it must be 1"),
    ],
)
def test_half_pixels(kernel: int, offset: int, severity: str, said: str) -> None:
    up = fixed("up", "p", f"kernel_size: {kernel} stride: 2")
    (finding,) = found(pool("p", "data", POOL) + up + crop(f"offset: {offset}"), "UP105")
    assert finding.severity == severity
    assert said in finding.message


def test_no_offset_can_be_negative() -> None:
    net = pool("p", "data", POOL) + fixed("up", "p", "kernel_size: 4 stride: 2 pad: 3")
    (finding,) = found(net + crop("offset: 0"), "UP105")
    assert finding.severity == "error"
    assert "lies at i-2 of 'up', and an offset cannot be negative" in finding.message


def test_learned_upsampling_makes_it_a_warning() -> None:
    net = pool("p", "data", POOL) + deconv("up", "p", "kernel_size: 6 stride: 2") + crop("")
    (finding,) = found(net, "UP105")
    assert (finding.severity, finding.help) == ("warning", "set offset: 2")
    assert "learned upsampling on the way" in finding.message


def test_inputs_that_are_not_related_are_not_judged() -> None:
    other = 'input: "other" input_shape { dim: 1 dim: 3 dim: 60 dim: 60 }\n'
    text = other + INPUT + crop("offset: 2", "data other")
    assert {f.code for f in check_source(Source("a", text)).findings} == set()


@pytest.mark.parametrize(("pad", "message"), [(1, ""), (0, "pixel 0 lies at pixel 1 of 'data'")])
def test_output_lies_on_the_input(pad: int, message: str) -> None:
    words = f"convolution_param {{ num_output: 3 kernel_size: 3 pad: {pad} }}"
    net = pool("p", "data", POOL) + fixed("up", "p", "kernel_size: 4 stride: 2 pad: 1")
    texts = [f.message for f in found(net + layer("score", "Convolution", "up", words), "UP116")]
    assert [message in text for text in texts] == ([True] if message else [])


def test_smaller_outputs_are_said() -> None:
    net = pool("p", "data", POOL) + pool("q", "p", POOL)
    net += fixed("up", "q", "kernel_size: 4 stride: 2 pad: 1")
    (finding,) = found(net, "UP116")
    assert finding.message.endswith("32x32, the input 64x64: a pixel of it is 2 pixels of 'data'")


SMALL = 'input: "data" input_shape { dim: 1 dim: 3 dim: 33 dim: 33 }\n'


@pytest.mark.parametrize(
    "up",
    [
        layer("up", "Interp", "p", "interp_param { height: 33 width: 33 }"),
        layer("up", "Interp", "p", "interp_param { zoom_factor: 33 }"),
        layer("up", "Upsample", "p", "upsample_param { scale: 33 }"),
        deconv("up", "p", "num_output: 3 kernel_size: 33"),
    ],
)
@pytest.mark.parametrize("order", ["up c", "c up"])
def test_a_single_pixel_that_is_spread_has_no_place(up: str, order: str) -> None:
    """Image pooling: what is merged with it lies where it lay."""
    same = "convolution_param { num_output: 3 kernel_size: 3 pad: 1 }"
    net = pool("p", "data", "pool: AVE kernel_size: 33") + up
    net += layer("c", "Convolution", "data", same) + layer("cat", "Concat", order)
    reported = check_source(Source("a", SMALL + net)).findings
    assert not [f for f in reported if f.code in ("UP006", "UP106", "UP116")]


def test_two_branches_of_one_pixel_have_no_place() -> None:
    both = "".join(
        layer(name, "Interp", "p", "interp_param { height: 33 width: 33 }") for name in "ab"
    )
    net = pool("p", "data", "pool: AVE kernel_size: 33") + both + layer("sum", "Eltwise", "a b")
    assert not [
        f
        for f in check_source(Source("a", SMALL + net)).findings
        if f.code in ("UP006", "UP106", "UP116")
    ]
