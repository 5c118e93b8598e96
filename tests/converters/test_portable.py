"""Other forms of a layer compute what the layer computes, in the reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from upconv.converters.ir import operators as ops
from upconv.converters.ir.inference import infer
from upconv.converters.ir.model import Layer, Model, ModelInput
from upconv.converters.ir.tensors import weight_of
from upconv.converters.passes.portable import alternatives
from upconv.converters.reference.run import run_layer

RNG = np.random.default_rng(3)
KERNELS: list[tuple[Any, Any, float, bool]] = [
    ("nearest", "floor", -0.75, False),
    ("nearest", "ceil", -0.75, False),
    ("nearest", "round_prefer_ceil", -0.75, False),
    ("linear", "floor", -0.75, False),
    ("cubic", "floor", -0.5, True),
]
COORDINATES: list[Any] = ["half_pixel", "asymmetric", "align_corners"]
RESIZES: list[Any] = [
    ops.Resize(mode, where, size=(8, 5), nearest_mode=rounding, cubic_a=a, exclude_outside=inside)
    for mode, rounding, a, inside in KERNELS
    for where in COORDINATES
]
TRANSPOSED = [
    ops.ConvTranspose(4, (3, 2), (2, 3), (1, 1), (1, 0), (0, 0), (0, 0)),
    ops.ConvTranspose(4, (3, 4), (2, 2), (2, 1), (1, 1), (1, 2), (1, 0), 2),
    ops.ConvTranspose(4, (3, 3), (3, 2), (1, 1), (0, 1), (0, 1), (2, 1)),
    ops.ConvTranspose(4, (2, 2), (3, 3), (1, 1), (-1, 0), (0, -1), (0, 0)),
    ops.ConvTranspose(4, (3,), (2,), (2,), (1,), (0,), (1,)),
    ops.ConvTranspose(4, (2, 3, 2), (2, 2, 2), (1, 2, 1), (0, 1, 0), (0, 1, 0), (1, 0, 1)),
]


def forms(operator: Any, shape: tuple[int, ...]) -> list[tuple[Any, Any]]:
    """(what the layer computes, what each of its other forms does) on noise."""
    weights = {}
    if isinstance(operator, ops.ConvTranspose):
        taps = (4, 4 // operator.groups, *operator.kernel)
        weights["weight"] = weight_of(RNG.standard_normal(taps, dtype=np.float32))
        weights["bias"] = weight_of(RNG.standard_normal(4, dtype=np.float32))
    layer = Layer("up", operator, ("x",), ("y",), weights)
    model = Model("one", "", "onnx", (ModelInput("x", shape),), ("y",), (layer,))
    x = RNG.standard_normal(shape)
    (right,) = run_layer(layer, [x])
    return [(right, _run(form, x)) for form in alternatives(layer, model, infer(model))]


def _run(layers: tuple[Layer, ...], x: Any) -> Any:
    assert layers[-1].name == "up"
    assert layers[-1].outputs == ("y",)
    for layer in layers:
        (x,) = run_layer(layer, [x])
    return x


@pytest.mark.parametrize("operator", RESIZES, ids=str)
def test_interpolation_is_a_sum_along_each_axis(operator: ops.Resize) -> None:
    for shape in ((2, 3, 5, 7), (1, 2, 16, 1)):
        ((right, got),) = forms(operator, shape)
        np.testing.assert_allclose(got, right, rtol=0, atol=1e-6)


def test_a_pixel_that_is_made_of_none_has_no_other_form() -> None:
    """It is not a number: the mean of nothing, where all that is outside is left out."""
    words = {"size": (4, 4), "scale": (0.5, 2.0), "exclude_outside": True}
    op = ops.Resize("linear", "asymmetric", **words)  # type: ignore[arg-type]
    assert forms(op, (1, 2, 2, 2)) == []


def test_antialias_is_one_too() -> None:
    linear = ops.Resize("linear", "half_pixel", size=(3, 4, 2), antialias=True)
    cubic = ops.Resize("cubic", "half_pixel", size=(3, 4), cubic_a=-0.5, antialias=True)
    corners = ops.Resize("cubic", "align_corners", size=(1, 4), antialias=True)
    for op, shape in ((linear, (1, 2, 9, 7, 5)), (cubic, (1, 2, 9, 7)), (corners, (1, 2, 9, 7))):
        ((right, got),) = forms(op, shape)
        np.testing.assert_allclose(got, right, rtol=0, atol=1e-6)


@pytest.mark.parametrize("operator", TRANSPOSED, ids=str)
def test_a_transposed_convolution_is_a_box_of_a_plainer_one(operator: ops.ConvTranspose) -> None:
    found = forms(operator, (2, 4, 5, 4, 3)[: 2 + len(operator.kernel)])
    assert len(found) == 4 + (len(operator.kernel) == 3)
    for right, got in found:
        np.testing.assert_allclose(got, right, rtol=0, atol=1e-12)


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_blocks_are_convolutions_by_ones(mode: Any) -> None:
    for op, shape in (
        (ops.DepthToSpace(2, mode), (2, 12, 3, 5)),
        (ops.SpaceToDepth(3, mode), (1, 2, 6, 9)),
    ):
        ((right, got),) = forms(op, shape)
        np.testing.assert_array_equal(got, right)


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("corners", [False, True])
def test_sampling_at_known_places_is_one_matrix(mode: Any, padding: Any, corners: bool) -> None:
    """Places far outside of the image too, and halves."""
    for sizes, out in (((5, 7), (3, 4)), ((3, 4, 5), (2, 3, 2)))[: 1 + (mode != "cubic")]:
        grid = RNG.uniform(-2.6, 2.6, (1, *out, len(sizes))).astype(np.float32)
        grid[0, 0, 0] = [0, 1, -1][: len(sizes)]
        layer = Layer("up", ops.GridSample(mode, padding, corners), ("x", "g"), ("y",))
        held = Layer("g", ops.Constant(grid.shape), (), ("g",), {"value": weight_of(grid)})
        x = RNG.standard_normal((1, 3, *sizes))
        model = Model("one", "", "onnx", (ModelInput("x", x.shape),), ("y",), (held, layer))
        (form,) = alternatives(layer, model, infer(model))
        (right,) = run_layer(layer, [x, grid])
        np.testing.assert_allclose(_run(form, x), right, rtol=0, atol=1e-5)


def test_an_open_size_has_no_matrix() -> None:
    from upconv.converters.ir.dims import symbol

    layer = Layer("up", ops.Resize("linear", "half_pixel", factor=(2, 2)), ("x",), ("y",))
    entry = ModelInput("x", (1, 2, symbol("H"), 4))
    model = Model("one", "", "onnx", (entry,), ("y",), (layer,))
    assert list(alternatives(layer, model, infer(model))) == []
