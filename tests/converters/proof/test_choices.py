"""Indices are judged by the values they point at."""

from __future__ import annotations

import numpy as np
import pytest

from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer, Model, ModelInput
from upconv.converters.proof.choices import chooser_of, chosen_values, index_outputs

POOL = ops.Pool(
    "max", (2, 2), (2, 2), (1, 1), (0, 0), (0, 0), "ceil", "if_padded", count_padding=True
)
X = np.array([[[[1.0, 5.0], [2.0, 7.0]], [[4.0, 3.0], [9.0, 0.0]]]])


def layer(operator: ops.Operator, *outputs: str) -> Layer:
    return Layer("pick", operator, ("x",), outputs)


@pytest.mark.parametrize(
    ("operator", "indices", "values"),
    [
        (ops.ArgMax(1, 1, "indices"), [[[[1, 0], [1, 0]]]], [[[[4, 5], [9, 7]]]]),
        (ops.ArgMax(None, 2, "indices"), [[[6, 3]]], [[[9, 7]]]),
        (ops.ArgMax(None, 2, "both"), [[[6, 3], [9, 7]]], [[[9, 7], [9, 7]]]),
    ],
)
def test_an_argmax_points_at_values(
    operator: ops.Operator, indices: object, values: object
) -> None:
    found = chosen_values(layer(operator, "i"), X, np.array(indices, np.float64))
    assert found is not None
    assert np.array_equal(found, np.array(values))


def test_a_mask_points_into_its_plane() -> None:
    mask = np.array([[[[3.0]], [[2.0]]]])
    found = chosen_values(layer(POOL, "y", "m"), X, mask)
    assert found is not None
    assert found.ravel().tolist() == [7, 9]


def test_a_global_mask_points_into_its_plane() -> None:
    whole = layer(ops.GlobalPool("max"), "y", "m")
    assert index_outputs(whole) == ("m",)
    found = chosen_values(whole, X, np.array([[[[3.0]], [[2.0]]]]))
    assert found is not None
    assert found.ravel().tolist() == [7, 9]


@pytest.mark.parametrize("index", [-1.0, 4.0, 0.5, np.nan])
def test_an_index_that_is_no_place_points_nowhere(index: float) -> None:
    mask = np.array([[[[index]], [[2.0]]]])
    assert chosen_values(layer(POOL, "y", "m"), X, mask) is None


def test_choices_are_followed_through_identities() -> None:
    pool, same = layer(POOL, "y", "m"), Layer("same", ops.Identity(), ("m",), ("z",))
    model = Model("n", "", "caffe", (ModelInput("x", (1, 2, 2, 2)),), ("z", "y"), (pool, same))
    assert index_outputs(pool) == ("m",)
    assert chooser_of(model, "z") == (pool, "m")
    assert chooser_of(model, "y") is None
    assert chooser_of(model, "x") is None
