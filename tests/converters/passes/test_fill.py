"""Weights made from fillers: only what was asked for, only where the filler says it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from upconv.converters.ir import operators as ops
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.model import Layer, Model, ModelInput
from upconv.converters.ir.tensors import Filler, Weight, missing, weight_of
from upconv.converters.passes.fill import fill_missing

UP = ops.ConvTranspose(3, (4, 4), (2, 2), (1, 1), (1, 1), (1, 1), (0, 0), 3)


def model(weight: Weight, bias: Weight | None = None) -> Model:
    weights = {"weight": weight} | ({"bias": bias} if bias else {})
    layer = Layer("up", UP, ("data",), ("up",), weights)
    return Model("n", "", "caffe", (ModelInput("data", (1, 3, 5, 7)),), ("up",), (layer,))


def filled(source: Model, *kinds: str) -> Weight:
    return fill_missing(source, kinds).layers[0].weights["weight"]


def test_bilinear_is_caffes() -> None:
    weight = filled(model(missing(None, Filler("bilinear"))), "bilinear")
    assert weight.shape == (3, 1, 4, 4)
    row = np.array([0.25, 0.75, 0.75, 0.25], np.float32)
    assert np.array_equal(weight.array()[2, 0], np.outer(row, row))


def test_constant_has_its_value() -> None:
    weight = filled(model(missing(None, Filler("constant", 0.5))), "constant")
    assert np.array_equal(weight.array(), np.full((3, 1, 4, 4), 0.5, np.float32))


@pytest.mark.parametrize("kinds", [(), ("constant",), ("bilinear", "constant")])
def test_other_fillers_stay_missing(kinds: tuple[str, ...]) -> None:
    assert not filled(model(missing(None, Filler("xavier"))), *kinds).present


def test_no_filler_is_never_zeros() -> None:
    undeclared = Filler("constant", 0.0, declared=False)
    assert not filled(model(missing(None, undeclared)), "constant").present


def test_a_bias_without_filler_is_caffes_zero() -> None:
    undeclared = missing(None, Filler("constant", 0.0, declared=False))
    source = model(missing(None, Filler("bilinear")), undeclared)
    bias = fill_missing(source, ("constant", "bilinear")).layers[0].weights["bias"]
    assert np.array_equal(bias.array(), np.zeros(3, np.float32))


def test_stored_weights_are_left_alone() -> None:
    stored = weight_of(np.ones((3, 1, 4, 4), np.float32))
    assert filled(model(stored), "bilinear", "constant") is stored


@pytest.mark.parametrize("kernel", [1 << 14, 4294967295])
def test_a_kernel_too_large_to_make_is_refused_before_it_is_made(kernel: int) -> None:
    operator = replace(UP, kernel=(kernel, kernel))
    source = model(missing(None, Filler("bilinear")))
    source = replace(source, layers=(replace(source.layers[0], operator=operator),))
    with pytest.raises(UnsupportedError, match="layer 'up': its weight of 3x1x"):
        fill_missing(source, ("bilinear",))
