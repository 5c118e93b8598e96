"""Crops without an offset: 0 in BVLC's Caffe, aligned by coordinates in forks."""

from __future__ import annotations

import pytest

from tests.converters.readers.caffe.support import notices, read
from tests.support import shared_file
from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Model
from upconv.converters.onnx_writer.refusals import notice_problems
from upconv.converters.readers.formats import open_graph
from upconv.converters.readers.options import ReadOptions

SHAPE = "dim: 1 dim: 3 dim: 40 dim: 33"


def net(crop: str, shape: str = SHAPE, pad: str = "pad: 35", up: str = "") -> str:
    """VGG's beginning, as in HED: the pad moves the branches that a Crop brings back together."""
    return f"""
    input: "data" input_shape {{ {shape} }}
    layer {{ name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
      convolution_param {{ num_output: 4 kernel_size: 3 {pad} }} }}
    layer {{ name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
      pooling_param {{ pool: MAX kernel_size: 2 stride: 2 }} }}
    layer {{ name: "up" type: "Deconvolution" bottom: "pool1" top: "up"
      convolution_param {{ num_output: 4 kernel_size: 4 stride: 2 {up} }} }}
    layer {{ name: "score" type: {crop} bottom: "up" bottom: "data" top: "score" }}
    """


def v1(param: str = "") -> str:
    return f"""
    input: "data" input_dim: 1 input_dim: 3 input_dim: 40 input_dim: 33
    layers {{ name: "conv1" type: CONVOLUTION bottom: "data" top: "conv1"
      convolution_param {{ num_output: 4 kernel_size: 3 pad: 20 }} }}
    layers {{ name: "score" type: CROP bottom: "conv1" bottom: "data" top: "score" {param} }}
    """


def offsets(model: Model) -> list[tuple[object, ...]]:
    return [
        tuple(layer.operator.offsets)
        for layer in model.layers
        if isinstance(layer.operator, ops.Crop)
    ]


@pytest.mark.parametrize("text", [net('"Crop"'), v1(), v1("crop_param { axis: 2 }")])
def test_an_offset_that_is_left_out_is_asked_for(text: str) -> None:
    model = read(text)
    ((kind, name, message),) = [one for one in notices(model) if one[0] == "fork-dialect"]
    assert (kind, name) == ("fork-dialect", "score")
    assert "BVLC's Caffe takes 0" in message
    assert [error.layer for error in notice_problems(model)] == ["score"]


@pytest.mark.parametrize(
    ("text", "aligned"),
    [
        (net('"Crop"'), (35, 35)),
        (net('"Crop"', pad="pad_h: 35 pad_w: 20"), (35, 20)),
        (net('"Crop"', "dim: 2 dim: 1 dim: 9 dim: 12 dim: 7", "pad: 4"), (4, 4, 4)),
        (v1(), (19, 19)),
        (net('"AutoCrop"'), (35, 35)),
    ],
)
def test_aligned_is_where_the_reference_lies(text: str, aligned: tuple[int, ...]) -> None:
    model = read(text, dialect="crop=aligned")
    assert offsets(model) == [aligned]
    assert list(notice_problems(model)) == []
    assert offsets(read(text, dialect="yolo,crop=aligned")) == [aligned]


@pytest.mark.parametrize("text", [net('"Crop"'), v1()])
def test_bvlc_is_zero(text: str) -> None:
    model = read(text, dialect="crop=bvlc")
    assert offsets(model) == [(0, 0)]
    assert list(notice_problems(model)) == []


@pytest.mark.parametrize("dialect", ["", "crop=aligned", "crop=bvlc"])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (net('"Crop"  crop_param { axis: 2 offset: 3 }'), (3, 3)),
        (net('"Crop"  crop_param { axis: 2 offset: 0 }'), (0, 0)),
        (net('"Crop"  crop_param { axis: 2 }'), (0, 0)),  # BVLC's word, and its default
        (v1("crop_param { axis: 2 offset: 7 offset: 5 }"), (7, 5)),
        (net('"Crop"', pad="pad: 1", up="pad: 1"), (0, 0)),  # both readings agree
    ],
)
def test_what_is_said_stays(text: str, said: tuple[int, ...], dialect: str) -> None:
    model = read(text, dialect=dialect)
    assert list(notice_problems(model)) == []
    assert offsets(model) == [said]


def test_where_alignment_has_no_offset_only_bvlc_is_left() -> None:
    half = net('"Crop"').replace("kernel_size: 4 stride: 2", "kernel_size: 3 stride: 2")
    scaled = net('"Crop"').replace("kernel_size: 4 stride: 2", "kernel_size: 4 stride: 4")
    for text, why in ((half, "no whole offset"), (scaled, "a pixel of data is 2 of up")):
        assert [one for one in notices(read(text)) if one[0] == "fork-dialect"] == []
        model = read(text, dialect="crop=aligned")
        assert isinstance(model.layer("score").operator, ops.Unknown)
        assert why in notices(model)[-1][2]


def test_an_explicit_offset_before_an_automatic_one_counts_as_it_is() -> None:
    text = """
    input: "data" input_shape { dim: 1 dim: 3 dim: 40 dim: 33 }
    layer { name: "a" type: "Convolution" bottom: "data" top: "a"
      convolution_param { num_output: 3 kernel_size: 1 pad: 10 } }
    layer { name: "b" type: "Convolution" bottom: "data" top: "b"
      convolution_param { num_output: 3 kernel_size: 1 pad: 6 } }
    layer { name: "c" type: "Crop" bottom: "a" bottom: "b" top: "c"
      crop_param { axis: 2 offset: 1 } }
    layer { name: "d" type: "AutoCrop" bottom: "c" bottom: "data" top: "d" }
    """
    assert offsets(read(text)) == [(1, 1), (9, 9)]


def test_an_input_of_unknown_shape_is_no_way_around() -> None:
    text = net('"Crop"').replace(
        'input_shape { dim: 1 dim: 3 dim: 40 dim: 33 }', ""
    )  # fmt: skip
    assert [one[0] for one in notices(read(text))] == ["fork-dialect"]
    assert offsets(read(text, dialect="crop=aligned")) == [(35, 35)]


@pytest.mark.parametrize(
    ("path", "aligned"),
    [
        ("crop-auto/hed_deploy.prototxt", [34, 35, 36, 38, 42]),
        ("crop-auto/fcn8s_old_deploy.prototxt", [5, 9, 31]),
        ("crop-auto/rcf_autocrop.prototxt", [34, 35, 36, 38, 42]),
        ("v1-crop/v1_crop.prototxt", [19]),
    ],
)
def test_public_nets(path: str, aligned: list[int]) -> None:
    options = ReadOptions(dialect="crop=aligned")
    model = open_graph(str(shared_file(f"cases/{path}")), options)
    assert offsets(model) == [(one, one) for one in aligned]
