from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest

from tests.converters.reference.build import noise, plane, run, torch_of
from upconv.converters.ir.dims import like
from upconv.converters.ir.operators import Resize
from upconv.converters.reference.coordinates import source_coordinates

SIZES = [((3, 5), (7, 4)), ((4, 4), (8, 12)), ((9, 6), (4, 5)), ((1, 5), (3, 1))]
NEAREST = ["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"]
COORDINATES = ["half_pixel", "asymmetric", "align_corners"]


def _interpolate(x: Any, size: Any, mode: str, **given: Any) -> Any:
    from torch.nn.functional import interpolate

    return interpolate(torch_of(x), size=size, mode=mode, **given).numpy()


def test_worked_examples() -> None:
    x = plane([[10, 20], [30, 40]])
    bilinear = run(Resize("linear", "half_pixel", factor=(2, 2)), x)
    expected = [
        [10, 12.5, 17.5, 20],
        [15, 17.5, 22.5, 25],
        [25, 27.5, 32.5, 35],
        [30, 32.5, 37.5, 40],
    ]
    np.testing.assert_array_equal(bilinear, plane(expected))
    nearest = run(Resize("nearest", "asymmetric", factor=(2, 2)), x)
    expected = [[10, 10, 20, 20], [10, 10, 20, 20], [30, 30, 40, 40], [30, 30, 40, 40]]
    np.testing.assert_array_equal(nearest, plane(expected))


@pytest.mark.parametrize(("size", "out"), SIZES)
@pytest.mark.parametrize(
    ("mode", "word", "corners"),
    [
        ("linear", "bilinear", False),
        ("linear", "bilinear", True),
        ("cubic", "bicubic", False),
        ("cubic", "bicubic", True),
    ],
)
def test_smooth_modes_are_torch(size: Any, out: Any, mode: Any, word: str, corners: bool) -> None:
    x = noise(2, 3, *size)
    op = Resize(mode, "align_corners" if corners else "half_pixel", size=out)
    expected = _interpolate(x, out, word, align_corners=corners)
    np.testing.assert_allclose(run(op, x), expected, atol=1e-12)


@pytest.mark.parametrize(("size", "out"), SIZES)
@pytest.mark.parametrize(("mode", "word"), [("linear", "bilinear"), ("cubic", "bicubic")])
def test_antialias_is_torch(size: Any, out: Any, mode: Any, word: str) -> None:
    x = noise(2, 3, *size)
    op = Resize(mode, "half_pixel", size=out, cubic_a=-0.5, antialias=True)
    expected = _interpolate(x, out, word, antialias=True)
    np.testing.assert_allclose(run(op, x), expected, atol=1e-12)


@pytest.mark.parametrize(("size", "out"), SIZES)
def test_nearest_is_torch(size: Any, out: Any) -> None:
    x = noise(2, 3, *size)
    legacy = Resize("nearest", "asymmetric", size=out)
    np.testing.assert_array_equal(run(legacy, x), _interpolate(x, out, "nearest"))
    exact = Resize("nearest", "half_pixel", size=out, nearest_mode="round_prefer_ceil")
    np.testing.assert_array_equal(run(exact, x), _interpolate(x, out, "nearest-exact"))


@pytest.mark.parametrize(("axes", "word"), [(1, "linear"), (3, "trilinear")])
def test_other_ranks_are_torch(axes: int, word: str) -> None:
    x, out = noise(2, 2, *(3, 4, 5)[:axes]), (7, 6, 4)[:axes]
    expected = _interpolate(x, out, word, align_corners=False)
    np.testing.assert_allclose(
        run(Resize("linear", "half_pixel", size=out), x), expected, atol=1e-13
    )


def test_a_given_scale_rules_the_coordinates() -> None:
    from torch.nn.functional import interpolate

    x = noise(1, 2, 10, 7)
    scale = (1.75, 2.3)
    expected = interpolate(torch_of(x), scale_factor=scale, mode="bilinear").numpy()
    op = Resize("linear", "half_pixel", size=(17, 16), scale=scale)
    np.testing.assert_allclose(run(op, x), expected, atol=1e-12)
    ratio = Resize("linear", "half_pixel", size=(17, 16))
    assert np.abs(run(ratio, x) - expected).max() > 1e-3


def _onnx_resize(x: Any, out: Any, **attributes: Any) -> Any:
    from onnx import TensorProto, helper
    from onnx.reference import ReferenceEvaluator

    node = helper.make_node("Resize", ["x", "", "", "sizes"], ["y"], **attributes)
    graph = helper.make_graph(
        [node],
        "resize",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape),
            helper.make_tensor_value_info("sizes", TensorProto.INT64, [4]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)])
    feeds = {"x": x.astype(np.float32), "sizes": np.array([*x.shape[:2], *out], np.int64)}
    results: Any = ReferenceEvaluator(model).run(None, feeds)
    return results[0]


@pytest.mark.parametrize(("size", "out"), SIZES[:3])
@pytest.mark.parametrize(("coordinates", "rounding"), list(product(COORDINATES, NEAREST)))
def test_nearest_is_onnx(size: Any, out: Any, coordinates: Any, rounding: Any) -> None:
    x = noise(1, 1, *size)
    expected = _onnx_resize(
        x,
        out,
        mode="nearest",
        coordinate_transformation_mode=coordinates,
        nearest_mode=rounding,
    )
    op = Resize("nearest", coordinates, size=out, nearest_mode=rounding)
    np.testing.assert_array_equal(run(op, x), expected)


@pytest.mark.parametrize(("size", "out"), SIZES[:3])
@pytest.mark.parametrize(("coordinates", "mode"), list(product(COORDINATES, ["linear", "cubic"])))
def test_smooth_modes_are_onnx(size: Any, out: Any, coordinates: Any, mode: Any) -> None:
    x = noise(1, 1, *size)
    expected = _onnx_resize(x, out, mode=mode, coordinate_transformation_mode=coordinates)
    np.testing.assert_allclose(run(Resize(mode, coordinates, size=out), x), expected, atol=2e-6)


@pytest.mark.parametrize(("size", "out"), [((7, 5), (2, 1)), ((9, 4), (3, 6)), ((5, 8), (1, 3))])
@pytest.mark.parametrize(("coordinates", "mode"), list(product(COORDINATES, ["linear", "cubic"])))
def test_antialias_is_onnx(size: Any, out: Any, coordinates: Any, mode: Any) -> None:
    """The filter is as wide as the sizes ask for, also where corners are aligned."""
    x = noise(1, 1, *size)
    words = {"mode": mode, "coordinate_transformation_mode": coordinates}
    expected = _onnx_resize(x, out, antialias=1, exclude_outside=1, **words)
    op = Resize(mode, coordinates, size=out, antialias=True)
    np.testing.assert_allclose(run(op, x), expected, atol=2e-6)


def test_the_size_of_another_tensor() -> None:
    x, skip = noise(1, 2, 3, 4), noise(1, 5, 6, 9)
    op = Resize("linear", "half_pixel", size=(like("x1", 2), like("x1", 3)))
    plain = Resize("linear", "half_pixel", size=(6, 9))
    np.testing.assert_array_equal(run(op, x, skip), run(plain, x))


def test_same_size_is_identity() -> None:
    x = noise(1, 2, 5, 4)
    for mode, coordinates in product(["nearest", "linear", "cubic"], COORDINATES):
        np.testing.assert_array_equal(run(Resize(mode, coordinates, size=(5, 4)), x), x)  # type: ignore[arg-type]


def test_ties_are_exact() -> None:
    coordinates = source_coordinates(25, 75, "asymmetric")
    exact = [Fraction(i, 3) for i in range(75)]
    assert [Fraction(n, coordinates.denominator) for n in coordinates.numerators] == exact
    assert list(coordinates.nearest("floor")) == [i // 3 for i in range(75)]
    halves = source_coordinates(3, 6, "asymmetric")
    assert list(halves.nearest("round_prefer_floor")) == [0, 0, 1, 1, 2, 2]
    assert list(halves.nearest("round_prefer_ceil")) == [0, 1, 1, 2, 2, 3]


@pytest.mark.parametrize("mode", NEAREST)
def test_rounding_of_negative_coordinates(mode: Any) -> None:
    coordinates = source_coordinates(1, 4, "half_pixel")  # -3/8 -1/8 1/8 3/8
    wanted = {"floor": [-1, -1, 0, 0], "ceil": [0, 0, 1, 1]}.get(mode, [0, 0, 0, 0])
    assert list(coordinates.nearest(mode)) == wanted
