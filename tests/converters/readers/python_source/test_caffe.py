"""Layers of a NetSpec are read as Caffe's own reader reads the prototxt they make."""

from __future__ import annotations

import pytest

from tests.converters.readers.python_source.support import read, reasons
from upconv.converters.ir import operators as ops
from upconv.converters.ir.origin import Source
from upconv.converters.readers.caffe.reader import read_caffe_source
from upconv.converters.readers.options import ReadOptions

HEAD = "import caffe\nfrom caffe import layers as L, params as P\n"


@pytest.mark.parametrize(
    ("python", "prototxt"),
    [
        (
            "convolution_param=dict(num_output=21, kernel_size=64, stride=32, bias_term=False),"
            " param=[dict(lr_mult=0)]",
            "convolution_param { num_output: 21 kernel_size: 64 stride: 32 bias_term: false }"
            " param { lr_mult: 0 }",
        ),
        (
            "num_output=8, group=8, kernel_size=[4, 6], stride=[2, 3], pad=(1, 1),"
            " weight_filler=dict(type='bilinear')",
            "convolution_param { num_output: 8 group: 8 kernel_size: 4 kernel_size: 6 stride: 2"
            ' stride: 3 pad: 1 pad: 1 weight_filler { type: "bilinear" } }',
        ),
        (
            "num_output=4, kernel_h=3, kernel_w=5, stride=2,"
            " weight_filler={'type': 'constant', 'value': 0.5}, engine=P.Convolution.CAFFE",
            "convolution_param { num_output: 4 kernel_h: 3 kernel_w: 5 stride: 2"
            ' weight_filler { type: "constant" value: 0.5 } engine: CAFFE }',
        ),
    ],
)
def test_a_deconvolution_is_the_one_its_prototxt_makes(python: str, prototxt: str) -> None:
    (ours,) = read(f"{HEAD}n = caffe.NetSpec()\nn.up = L.Deconvolution(n.x, {python})").layers
    text = (
        'input: "x" input_shape { dim: 1 dim: 8 dim: 5 dim: 5 } '
        f'layer {{ name: "up" type: "Deconvolution" bottom: "x" top: "up" {prototxt} }}'
    )
    theirs = read_caffe_source(Source("n.prototxt", text), ReadOptions()).layer("up")
    assert ours.name == theirs.name
    assert ours.operator == theirs.operator
    assert ours.weights["weight"].filler == theirs.weights["weight"].filler


def test_constants_and_crops() -> None:
    code = HEAD + (
        "OFFSET = 19\n"
        "def net(n, lr):\n"
        "    crop = dict(axis=2, offset=OFFSET)\n"
        "    n.score = L.Crop(n.up, n.data, crop_param=crop)\n"
        "    n.other = L.Deconvolution(n.x, num_output=2, kernel_size=4, param=dict(lr_mult=lr))\n"
    )
    (layer,) = read(code).layers
    assert isinstance(layer.operator, ops.Crop)
    assert layer.operator.offsets == (19, 19)
    assert len(layer.inputs) == 2
    (reason,) = reasons(code)
    assert "(lr_mult: 'lr' is a parameter)" in reason


def test_what_caffe_would_refuse_is_said() -> None:
    (reason,) = reasons(HEAD + "L.Deconvolution(x, num_output=4)")
    assert "kernel_size is missing" in reason
