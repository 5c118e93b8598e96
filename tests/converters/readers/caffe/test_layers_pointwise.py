"""Pointwise layers: defaults, presence of fields, weights and refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.converters.readers.caffe.lowered import (
    C,
    H,
    N,
    W,
    fillers,
    lowered,
    only,
    operator,
    output,
    output_shape,
    weights,
)
from upconv.converters.ir import operators as ops
from upconv.converters.ir.errors import UnreadableError

ENDS = 'bottom: "x" top: "y"'

CASES = {
    'type: "ReLU"': ops.Relu(0.0),
    'type: "ReLU" relu_param { negative_slope: 0.1 }': ops.Relu(0.1),
    'type: "ReLU6"': ops.Clip(0.0, 6.0),
    'type: "ELU"': ops.Elu(1.0),
    'type: "ELU" elu_param { alpha: 0.5 }': ops.Elu(0.5),
    'type: "Sigmoid"': ops.Sigmoid(),
    'type: "TanH"': ops.Tanh(),
    'type: "AbsVal"': ops.Abs(),
    'type: "BNLL"': ops.Softplus(),
    'type: "Power"': ops.Power(1.0, 1.0, 0.0),
    'type: "Power" power_param { power: 2 scale: 3 shift: 4 }': ops.Power(2.0, 3.0, 4.0),
    'type: "Exp"': ops.Exp(None, 1.0, 0.0),
    'type: "Exp" exp_param { base: 2 scale: 3 shift: 4 }': ops.Exp(2.0, 3.0, 4.0),
    'type: "Exp" exp_param { base: -1 }': ops.Exp(None, 1.0, 0.0),
    'type: "Log"': ops.Log(None, 1.0, 0.0),
    'type: "Log" log_param { base: 10 shift: 1 }': ops.Log(10.0, 1.0, 1.0),
    'type: "Threshold"': ops.Compare("greater", 0.0),
    'type: "Threshold" threshold_param { threshold: 0.5 }': ops.Compare("greater", 0.5),
    'type: "Clip" clip_param { min: -1 max: 2 }': ops.Clip(-1.0, 2.0),
    'type: "Swish"': ops.Swish(1.0),
    'type: "Swish" swish_param { beta: 2 }': ops.Swish(2.0),
}


@pytest.mark.parametrize("body", CASES)
def test_an_activation_keeps_its_parameters_and_its_shape(body: str) -> None:
    assert operator(f"{body} {ENDS}") == CASES[body]
    assert output_shape(f"{body} {ENDS}", (N, C, H, W)) == (N, C, H, W)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('type: "Clip" clip_param { min: 0 }', "clip_param gives no max"),
        ('type: "Clip"', "clip_param gives no min"),
        ('type: "Exp" exp_param { base: 0 }', "base is 0; it must be positive, or -1 for e"),
        ('type: "Log" log_param { base: -2 }', "base is -2; it must be positive, or -1 for e"),
        ('type: "Scale" bottom: "a" bottom: "b"', "Scale takes 1 to 2 bottoms, but it has 3"),
    ],
)
def test_what_caffe_aborts_on_is_refused_with_its_place(body: str, message: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        lowered(f"{body} {ENDS}")
    assert str(caught.value).startswith(f"net.prototxt:2:7: layer 'it': {message}")


def test_prelu_has_a_slope_per_channel_unless_shared() -> None:
    body = f'type: "PReLU" {ENDS}'
    made = only(body, [(1, 3, 4, 5)])
    assert made.operator == ops.PRelu()
    assert made.weights["slope"].shape == (3,)
    assert fillers(made) == {"slope": ("constant", 0.25, False)}
    shared = f'type: "PReLU" {ENDS} prelu_param {{ channel_shared: true filler {{ value: 2 }} }}'
    assert only(shared, [(1, 3, 4, 5)]).weights["slope"].shape == (1,)
    assert fillers(only(shared)) == {"slope": ("constant", 2.0, True)}


@pytest.mark.parametrize("stored", [np.float32(0.5), [[[[0.5]]]], [0.5]])
def test_a_shared_slope_may_be_stored_in_any_shape(stored: object) -> None:
    body = f'type: "PReLU" {ENDS} prelu_param {{ channel_shared: true }}'
    assert weights(only(body, [(1, 3, 2, 2)], [stored])) == {"slope": [0.5]}
    assert output(body, [[[[-2.0]], [[4.0]], [[-6.0]]]], blobs=[stored]).ravel().tolist() == [
        -1.0,
        4.0,
        -3.0,
    ]


def test_a_slope_of_another_length_is_refused() -> None:
    with pytest.raises(UnreadableError, match=r"its slope has 2 values .* but it takes 3"):
        only(f'type: "PReLU" {ENDS}', [(1, 3, 2, 2)], [[1, 2]])


def test_scale_with_one_bottom_has_weights() -> None:
    body = f'type: "Scale" {ENDS} scale_param {{ bias_term: true }}'
    made = only(body, [(1, 3, H, W)])
    assert made.operator == ops.Scale(1, "none")
    assert {name: weight.shape for name, weight in made.weights.items()} == {
        "scale": (3,),
        "bias": (3,),
    }
    assert fillers(made) == {"scale": ("constant", 1.0, False), "bias": ("constant", 0.0, False)}
    assert weights(only(body, [(1, 2, 1, 1)], [[2, 3], [4, 5]])) == {
        "scale": [2.0, 3.0],
        "bias": [4.0, 5.0],
    }
    assert output(body, [[[[10.0]], [[20.0]]]], blobs=[[2, 3], [4, 5]]).ravel().tolist() == [24, 65]


def test_without_bias_term_there_is_no_bias() -> None:
    assert list(only(f'type: "Scale" {ENDS}', [(1, 3, 4, 4)]).weights) == ["scale"]
    with pytest.raises(UnreadableError, match=r"2 blobs for it, but it takes 1 \(scale\)"):
        only(f'type: "Scale" {ENDS}', [(1, 1, 4, 4)], [[1], [0]])


def test_scale_covers_the_axes_it_names() -> None:
    def shape(settings: str) -> tuple[int, ...] | None:
        body = f'type: "Scale" {ENDS} scale_param {{ {settings} }}'
        return only(body, [(2, 3, 4, 5)]).weights["scale"].shape

    assert shape("axis: 0 num_axes: 2") == (2, 3)
    assert shape("axis: 1 num_axes: -1") == (3, 4, 5)
    assert shape("axis: -1") == (5,)
    assert shape("num_axes: 0") == ()
    with pytest.raises(UnreadableError, match="axis 2 and num_axes 3 reach outside"):
        shape("axis: 2 num_axes: 3")


def test_a_single_value_scales_everything() -> None:
    body = f'type: "Scale" {ENDS} scale_param {{ num_axes: 0 }}'
    assert output(body, [[[[1.0, 2.0]]]], blobs=[np.float32(3)]).ravel().tolist() == [3, 6]


def test_weights_of_unknown_rank_are_taken_as_stored() -> None:
    body = f'type: "Scale" {ENDS} scale_param {{ num_axes: -1 }}'
    assert only(body).weights["scale"].shape is None
    assert only(body, blobs=[np.ones((2, 3))]).weights["scale"].shape == (2, 3)


def test_a_second_bottom_is_the_scale_and_the_bias_may_stay() -> None:
    body = 'type: "Scale" bottom: "x" bottom: "s" top: "y" scale_param { axis: 0 bias_term: true }'
    made = only(body, [(1, 2, 1, 2), (1, 2)], [[[10, 20]]])
    assert made.operator == ops.Scale(0, "scale")
    assert made.weights["bias"].array().tolist() == [[10.0, 20.0]]
    assert list(made.weights) == ["bias"]
    x = [[[[1.0, 2.0]], [[3.0, 4.0]]]]
    assert output(body, x, [[2.0, 3.0]], blobs=[[[10, 20]]]).ravel().tolist() == [12, 14, 29, 32]


def test_bias_adds_its_blob_or_its_second_bottom() -> None:
    made = only(f'type: "Bias" {ENDS} bias_param {{ filler {{ value: 7 }} }}', [(1, 3, 2, 2)])
    assert made.operator == ops.Scale(1, "none")
    assert fillers(made) == {"bias": ("constant", 7.0, True)}
    body = 'type: "Bias" bottom: "x" bottom: "b" top: "y" bias_param { axis: 1 }'
    assert operator(body) == ops.Scale(1, "bias")
    assert output(body, [[[1.0], [2.0]]], [10.0, 20.0]).ravel().tolist() == [11, 22]


@pytest.mark.parametrize("factor", [[[2.0, 3.0]], [[[[2.0]], [[3.0]]]]])
def test_axpy_is_a_scale_and_a_sum(factor: object) -> None:
    body = 'type: "Axpy" bottom: "a" bottom: "x" bottom: "z" top: "y"'
    x, z = np.array([[[[1.0, 2.0]], [[3.0, 4.0]]]]), np.full((1, 2, 1, 2), 100.0)
    assert output(body, factor, x, z).ravel().tolist() == [102, 104, 109, 112]
    assert [made.suffix for made in lowered(body)] == ["factor", "scaled", ""]


def test_exponentials_in_the_reference() -> None:
    exp = f'type: "Exp" {ENDS} exp_param {{ base: 2 scale: 3 shift: 1 }}'
    assert output(exp, [[2.0]]).item() == pytest.approx(2.0 ** (1 + 3 * 2))
    log = f'type: "Log" {ENDS} log_param {{ base: 10 scale: 5 shift: 50 }}'
    assert output(log, [[10.0]]).item() == pytest.approx(math.log10(100))
