"""Fields of a layer that nobody is known to read are never dropped; forks' known ones are read."""

from __future__ import annotations

import numpy as np
import pytest

from tests.converters.readers.caffe.lowered import caffe_layer, only, operator, output
from tests.converters.readers.caffe.support import DATA, layer, notices, read
from tests.support import shared_file
from upconv.converters.ir import operators as ops
from upconv.converters.ir.errors import UnreadableError, UnsupportedError
from upconv.converters.ir.inference import infer
from upconv.converters.ir.origin import Source
from upconv.converters.onnx_writer.refusals import problems
from upconv.converters.readers.caffe.assemble import lower
from upconv.linter.running.engine import check_source

CONV = "num_output: 4 kernel_size: 3"
ENDS = 'bottom: "x" top: "y"'
IMAGE = [(1, 3, 16, 20)]


def refusals(text: str) -> list[str]:
    model = read(text)
    found = problems(model, infer(model))
    return [str(one) for one in found if "is missing" not in str(one)]


@pytest.mark.parametrize(
    ("kind", "rest", "field"),
    [
        ("Convolution", f"convolution_param {{ {CONV} strides: 2 }}", "strides"),
        ("Convolution", f"convolution_param {{ {CONV} padding: 1 }}", "padding"),
        ("Deconvolution", f"convolution_param {{ {CONV} output_padding: 1 }}", "output_padding"),
        ("Deconvolution", f"convolution_param {{ {CONV} pad_typ: 1 }}", "pad_typ"),
        ("Pooling", "pooling_param { kernel_size: 2 strid: 2 }", "strid"),
        ("Pooling", "pooling_param { kernel_size: 2 } stride: 2", "stride"),
        ("Softmax", "softmax_param { axis: 1 temperature: 2 }", "temperature"),
        ("InnerProduct", "inner_product_param { num_output: 2 normalize: true }", "normalize"),
        ("Reshape", "reshape_param { shape { dim: 0 dims: -1 } }", "dims"),
        ("ReLU", "relu_param { maximum: 6 }", "maximum"),
        ("ReLU", "relu_parm { negative_slope: 0.1 }", "relu_parm"),
        ("ReLU", "negative_slope: 0.1", "negative_slope"),
        ("BatchNorm", "batch_norm_param { epsilon: 0.1 }", "epsilon"),
    ],
)
def test_an_unknown_field_is_refused_once(kind: str, rest: str, field: str) -> None:
    text = DATA + layer(kind, rest)
    (refused,) = refusals(text)
    assert f"unknown field '{field}'" in refused
    assert "which may change the numbers" in refused
    findings = check_source(Source("net.prototxt", text)).findings
    told = [one for one in findings if one.code in ("UP002", "UP003")]
    assert [one.code for one in told] == ["UP002"]
    assert "may change the numbers" in told[0].message


@pytest.mark.parametrize(
    "text",
    [
        'input: "data" input_dim: 1 input_dim: 3 input_dim: 9 input_dim: 9\n'
        'layers { name: "x" type: CONVOLUTION bottom: "data" top: "x" '
        f"convolution_param {{ {CONV} strides: 2 }} }}",
        'input: "data" input_dim: 1 input_dim: 3 input_dim: 9 input_dim: 9\n'
        'layers { layer { name: "x" type: "conv" num_output: 4 kernelsize: 3 kernel_size: 5 } '
        'bottom: "data" top: "x" }',
    ],
)
def test_older_syntax_has_the_same_law(text: str) -> None:
    assert any("unknown field" in one for one in refusals(text))


@pytest.mark.parametrize(
    "rest",
    [
        f"convolution_param {{ {CONV} weight_filler {{ type: 'xavier' mode: 2 }} }}",
        f"convolution_param {{ {CONV} }} need_backward: false",
        f"convolution_param {{ {CONV} }} quantization_param {{ bw_layer_in: 8 scale_in: 0.1 }}",
        f"convolution_param {{ {CONV} engine: CUDNN conv_algorithm: 'auto' }} engine: 'MKLDNN'",
        f"convolution_param {{ {CONV} }} forward_type: FLOAT16 backward_math: FLOAT",
        f"convolution_param {{ {CONV} }} include {{ phase: TEST }} param {{ lr_mul: 1 }}",
    ],
)
def test_what_does_not_change_the_numbers_is_no_refusal(rest: str) -> None:
    assert refusals(DATA + layer("Convolution", rest)) == []


def test_a_field_that_may_change_a_size_ends_the_judgement_of_what_follows() -> None:
    text = (
        DATA
        + layer("Convolution", f"convolution_param {{ {CONV} pad: 1 strides: 1 }}", "a", top="a")
        + layer("Convolution", f"convolution_param {{ {CONV} stride: 2 }}", "b", top="b")
        + 'layer { name: "c" type: "Eltwise" bottom: "a" bottom: "b" top: "c" }'
    )
    codes = {one.code for one in check_source(Source("net.prototxt", text)).findings}
    assert "UP002" in codes
    assert not any(code.startswith("UP1") for code in codes)


def test_relu6_of_synopsys() -> None:
    clipped = f'type: "ReLU" {ENDS} relu_param {{ relu6: true }}'
    assert operator(clipped) == ops.Clip(0.0, 6.0)
    assert operator(f'type: "ReLU" {ENDS} relu_param {{ relu6: false }}') == ops.Relu(0.0)
    with pytest.raises(UnsupportedError, match="relu6 with a negative_slope"):
        operator(f'type: "ReLU" {ENDS} relu_param {{ relu6: true negative_slope: 0.1 }}')


@pytest.mark.parametrize("kind", ["Convolution", "Deconvolution"])
def test_pads_of_single_sides(kind: str) -> None:
    sides = "pad_l: 1 pad_r: 2 pad_t: 0 pad_b: 3"
    body = f'type: "{kind}" {ENDS} convolution_param {{ {CONV} {sides} }}'
    made = operator(body, IMAGE)
    assert isinstance(made, ops.Conv | ops.ConvTranspose)
    assert (made.pads_begin, made.pads_end) == ((0, 1), (3, 2))


def test_pads_of_single_sides_of_a_pooling() -> None:
    sides = "pad_l: 1 pad_r: 0 pad_t: 1 pad_b: 0"
    body = f'type: "Pooling" {ENDS} pooling_param {{ kernel_size: 2 stride: 2 {sides} }}'
    made = operator(body, IMAGE)
    assert isinstance(made, ops.Pool)
    assert (made.pads_begin, made.pads_end) == ((1, 1), (0, 0))
    with pytest.raises(UnsupportedError, match="divisor"):
        operator(body.replace("kernel_size", "pool: AVE kernel_size"), IMAGE)


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("pad_type: 1", UnsupportedError),
        ("pad: 1 pad_l: 1", UnreadableError),
        ("pad_h: 1 pad_r: 1", UnreadableError),
        ("relu: true", UnsupportedError),
    ],
)
def test_what_is_not_said_is_refused(words: str, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        operator(f'type: "Convolution" {ENDS} convolution_param {{ {CONV} {words} }}', IMAGE)


def test_side_pads_are_for_two_axes() -> None:
    with pytest.raises(UnreadableError, match="2 spatial axes"):
        operator(
            f'type: "Convolution" {ENDS} convolution_param {{ {CONV} pad_l: 1 }}',
            [(1, 3, 4, 5, 6)],
        )


def test_hole_of_a_pooling_is_its_dilation() -> None:
    text = DATA + layer("Pooling", "pooling_param { kernel_size: 3 hole: 2 }")
    model = read(text)
    assert notices(model) == []
    made = model.layers[0].operator
    assert isinstance(made, ops.Pool)
    assert made.dilation == (2, 2)


NVCAFFE = f'type: "BatchNorm" {ENDS} batch_norm_param {{ scale_bias: true eps: 0.0001 }}'


def test_batch_norm_of_nvcaffe_scales_and_shifts() -> None:
    """NVIDIA/caffe batch_norm_layer.cpp: (x - mean) / sqrt(variance + eps) * scale + bias."""
    rng = np.random.default_rng(3)
    x = rng.standard_normal((2, 3, 4, 5))
    mean, bias, scale = rng.standard_normal((3, 3)).astype(np.float32)
    variance = rng.uniform(0.5, 2, 3).astype(np.float32)
    blobs = [mean, variance, [1.0], scale, bias]
    each = [one.astype(np.float64)[None, :, None, None] for one in (mean, variance, scale, bias)]
    right = (x - each[0]) / np.sqrt(each[1] + 0.0001) * each[2] + each[3]
    np.testing.assert_allclose(output(NVCAFFE, x, blobs=blobs), right, rtol=1e-6, atol=1e-6)


def test_batch_norm_of_nvcaffe_is_told_by_a_filler_and_has_a_least_epsilon() -> None:
    body = NVCAFFE.replace("scale_bias: true eps: 0.0001", "bias_filler { value: 0 } eps: 1e-9")
    made = only(body, [(2, 3, 4, 5)])
    assert made.operator == ops.BatchNorm(1e-5)
    assert list(made.weights) == ["mean", "variance", "scale", "bias"]


def test_a_factor_that_nvcaffe_would_leave_out_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="scale factor other than 1"):
        lower(caffe_layer(NVCAFFE, [(1, 1, 4, 4)], [[1], [1], [999.0], [1], [0]]))


def test_concat_of_intel_that_permutes_is_refused() -> None:
    body = f'type: "Concat" {ENDS} concat_param {{ axis: 1 per_fla_fuse: true }}'
    with pytest.raises(UnsupportedError, match="per_fla_fuse"):
        operator(body)
    assert operator(body.replace("true", "false")) == ops.Concat(1)


@pytest.mark.parametrize(
    ("path", "codes"),
    [
        ("false/up103_unknown_field_concat.prototxt", ["UP003"]),
        ("false/up217_intel_gabor.prototxt", []),
        ("fields/relu6.prototxt", []),
    ],
)
def test_files_of_forks(path: str, codes: list[str]) -> None:
    file = shared_file(f"cases/{path}")
    report = check_source(Source("net.prototxt", file.read_text("utf-8")))
    assert [one.code for one in report.findings] == codes
