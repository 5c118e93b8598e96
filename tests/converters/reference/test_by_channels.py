"""Some channels of a layer are what they are in the whole of it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.converters.reference.build import convolution, deconvolution, layer, noise
from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer, Model, ModelInput
from upconv.converters.reference import by_channels, run_layer
from upconv.converters.reference.by_channels import results_of, some_outputs
from upconv.converters.reference.run import Evaluation


@pytest.mark.parametrize(
    ("operator", "weight"),
    [
        (convolution(channels=6, kernel=(3, 2), stride=(2, 1), pad=(1, 0)), (6, 4, 3, 2)),
        (deconvolution(channels=6, kernel=(3, 4), stride=(2, 3)), (4, 6, 3, 4)),
    ],
)
def test_some_outputs_are_those_of_the_layer(
    operator: ops.Operator, weight: tuple[int, ...]
) -> None:
    one = layer(operator, weight=noise(*weight), bias=noise(6, seed=1))
    x = noise(2, 4, 7, 5, seed=2)
    chosen = [0, 3, 5]
    some = some_outputs(one, chosen)
    assert some is not None
    np.testing.assert_allclose(
        run_layer(some, [x])[0], run_layer(one, [x])[0][:, chosen], atol=1e-12
    )


def test_of_groups_and_of_other_layers_there_are_no_some_outputs() -> None:
    grouped = layer(convolution(channels=6, groups=2), weight=noise(6, 2, 3, 3))
    assert some_outputs(grouped, [0]) is None
    assert some_outputs(layer(ops.Relu()), [0]) is None


POOL = ops.Pool("max", (2, 3), (2, 1), (1, 1), (0, 1), (0, 1), "ceil", "if_padded", True)


@pytest.mark.parametrize(
    "operator",
    [ops.Relu(0.1), POOL, ops.Eltwise("sum", (1.0, -2.0)), ops.Eltwise("max")],
)
def test_results_by_channels_are_those_of_the_whole(
    operator: ops.Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("x", "z") if isinstance(operator, ops.Eltwise) else ("x",)
    one = Layer("one", operator, names, ("y",))
    inputs = tuple(ModelInput(name, (2, 3, 7, 5)) for name in names)
    feeds = {name: noise(2, 3, 7, 5, seed=at) for at, name in enumerate(names)}
    evaluation = Evaluation.of(Model("net", "", "caffe", inputs, ("y",), (one,)), feeds)
    whole = results_of(evaluation, one)[0]
    monkeypatch.setattr(by_channels, "SLICE", 1)
    np.testing.assert_array_equal(results_of(evaluation, one)[0], whole)
    np.testing.assert_array_equal(whole, evaluation.results(one)[0])
