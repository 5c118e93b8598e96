from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.converters.onnx_writer.support import (
    ALL_OPSETS,
    compare_one,
    convert_and_compare,
    letters,
    model,
    one_layer,
    values,
)
from upconv.converters.ir.dims import like, symbol
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.model import Layer
from upconv.converters.ir.operators import Resize, WindowUnpool
from upconv.converters.onnx_writer import WriteOptions, write_onnx

MODES = ("half_pixel", "asymmetric", "align_corners")
INTERPOLATED = 1e-5
"""onnxruntime computes source coordinates in float32."""


@pytest.mark.parametrize("opset", ALL_OPSETS)
@pytest.mark.parametrize("coordinates", MODES)
def test_modes_at_every_opset(opset: int, coordinates: Any, tmp_path: Path) -> None:
    x = values(2, 3, 5, 6)
    for mode in ("nearest", "linear", "cubic"):
        for size in ((10, 18), (7, 9), (3, 4), (1, 1)):
            operator = Resize(mode, coordinates, size=size)
            compare_one(operator, tmp_path, x, opsets=(opset,), tolerance=INTERPOLATED)


@pytest.mark.parametrize("rounding", ["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"])
@pytest.mark.parametrize("coordinates", MODES)
def test_nearest_roundings(rounding: Any, coordinates: Any, tmp_path: Path) -> None:
    for size in ((10, 12), (15, 6)):
        operator = Resize("nearest", coordinates, size=size, nearest_mode=rounding)
        compare_one(operator, tmp_path, values(1, 2, 5, 6), tolerance=0)


@pytest.mark.parametrize("dynamic", ["", "HW", "NCHW"])
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_integer_factors(dynamic: str, mode: Any, tmp_path: Path) -> None:
    operator = Resize(mode, "half_pixel", factor=(2, 3))
    compare_one(operator, tmp_path, values(2, 3, 5, 4), dynamic=dynamic, tolerance=INTERPOLATED)


@pytest.mark.parametrize("shape", [(2, 3, 7), (1, 2, 3, 4, 5)])
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("dynamic", ["", "NDHW"])
def test_one_and_three_axes(shape: Any, mode: Any, dynamic: str, tmp_path: Path) -> None:
    operator = Resize(mode, "half_pixel", size=tuple(2 * size + 1 for size in shape[2:]))
    if mode == "cubic" and len(shape) == 5:
        with pytest.raises(UnsupportedError, match="no cubic interpolation of 3 axes"):
            write_onnx(one_layer(operator, shape), tmp_path / "m.onnx")
        return
    compare_one(operator, tmp_path, values(*shape), dynamic=dynamic, tolerance=INTERPOLATED)


@pytest.mark.parametrize("dynamic", ["", "HW", "NHW"])
def test_size_of_another_tensor(dynamic: str, tmp_path: Path) -> None:
    """Interp's zoom of the input and a size that follows the skip, as in PSPNet."""
    size = (like("skip", 2) - 1, like("skip", 3) * 2)
    layers = [Layer("up", Resize("linear", "align_corners", size=size), ("x", "skip"), ("y",))]
    x, skip = values(2, 3, 5, 4), values(2, 1, 9, 7)
    shapes = {
        "x": letters(x.shape, dynamic),
        "skip": (2, 1, *((symbol("H2"), symbol("W2")) if dynamic else skip.shape[2:])),
    }
    source = model(layers, shapes, ["y"])
    convert_and_compare(source, {"x": x, "skip": skip}, tmp_path, tolerance=INTERPOLATED)


@pytest.mark.parametrize("mode", ["linear", "cubic"])
def test_antialias(mode: Any, tmp_path: Path) -> None:
    operator = Resize(mode, "half_pixel", size=(3, 5), antialias=True, cubic_a=-0.5)
    compare_one(operator, tmp_path, values(1, 2, 9, 11), opsets=(18, 22), tolerance=INTERPOLATED)
    source = one_layer(operator, (1, 2, 9, 11))
    with pytest.raises(UnsupportedError, match=r"antialiasing is not in opset 17.*18 or higher"):
        write_onnx(source, tmp_path / "m.onnx", WriteOptions(opset=17))


@pytest.mark.parametrize("dynamic", ["", "HW", "NHW"])
@pytest.mark.parametrize("scale", [1.5, 1.7, 0.6, 1.1, 0.84])
@pytest.mark.parametrize(
    ("mode", "coordinates", "rounding"),
    [
        ("linear", "half_pixel", "floor"),
        ("cubic", "half_pixel", "floor"),
        ("nearest", "asymmetric", "floor"),
        ("nearest", "half_pixel", "round_prefer_ceil"),
    ],
)
def test_scale_of_the_coordinate_map(
    mode: Any, coordinates: Any, rounding: Any, scale: float, dynamic: str, tmp_path: Path
) -> None:
    """torch's scale_factor: size floor(in * factor), coordinates by 1/factor, not by the ratio."""
    x = values(1, 2, 7, 25)
    ratio = Fraction(scale).limit_denominator(100)
    size = tuple(like("x0", axis) * ratio.numerator // ratio.denominator for axis in (2, 3))
    operator = Resize(mode, coordinates, size=size, scale=(scale, scale), nearest_mode=rounding)
    compare_one(operator, tmp_path, x, dynamic=dynamic, tolerance=INTERPOLATED)


def test_a_scale_reaches_the_size_that_float32_misses(tmp_path: Path) -> None:
    """150 * 0.84 is 126, in float32 125.99999: floor would lose a pixel."""
    operator = Resize("linear", "asymmetric", size=(126, 4), scale=(0.84, 1.0))
    compare_one(operator, tmp_path, values(1, 1, 150, 4), tolerance=1e-4)


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_a_scale_that_leaves_the_size_still_interpolates(mode: Any, tmp_path: Path) -> None:
    """onnxruntime copies its input where the sizes are equal, whatever the scale."""
    operator = Resize(mode, "asymmetric", size=(7,), scale=(1.1,))
    compare_one(operator, tmp_path, values(1, 2, 7), tolerance=INTERPOLATED)


def test_a_scale_beside_antialiasing_takes_no_margin(tmp_path: Path) -> None:
    operator = Resize("linear", "half_pixel", size=(3, 3), scale=(1.7, 0.9), antialias=True)
    with pytest.raises(UnsupportedError, match="antialiasing takes no margin"):
        write_onnx(one_layer(operator, (1, 2, 10, 20)), tmp_path / "m.onnx")


@pytest.mark.parametrize("dynamic", ["", "HW"])
@pytest.mark.parametrize(
    ("coordinates", "rounding"), [("asymmetric", "floor"), ("half_pixel", "round_prefer_ceil")]
)
@pytest.mark.parametrize("sizes", [(50, 60), (60, 50), (9, 6), (2, 82), (7, 13)])
def test_nearest_pixels_on_the_edge_between_two(
    coordinates: Any, rounding: Any, sizes: tuple[int, int], dynamic: str, tmp_path: Path
) -> None:
    """From 50 to 60 pixels, output 18 lies at 15 exactly; in float32 at 14.999999."""
    before, after = sizes
    scaled = like("x0", 3) * after // before
    operator = Resize("nearest", coordinates, size=(5, scaled), nearest_mode=rounding)
    compare_one(operator, tmp_path, values(1, 2, 5, before), dynamic=dynamic, tolerance=0.0)


@pytest.mark.parametrize("kind", ["corner", "tile", "average"])
@pytest.mark.parametrize("dynamic", ["", "HW", "NHW"])
@pytest.mark.parametrize(
    ("kernel", "stride", "begin", "size"),
    [
        ((2, 2), (2, 2), (0, 0), (6, 8)),
        ((3, 2), (2, 3), (1, 0), (5, 13)),
        ((2, 3), (3, 2), (0, 1), (11, 4)),
        ((3, 3), (1, 1), (0, 0), (5, 6)),
    ],
)
def test_window_unpooling(
    kind: Any, dynamic: str, kernel: Any, stride: Any, begin: Any, size: Any, tmp_path: Path
) -> None:
    operator = WindowUnpool(kind, kernel, stride, begin, size)
    tolerance = 0 if kind == "corner" else 2e-6
    compare_one(operator, tmp_path, values(2, 3, 3, 4), dynamic=dynamic, tolerance=tolerance)


def test_window_unpooling_follows_its_input(tmp_path: Path) -> None:
    size = (like("x0", 2) * 2, like("x0", 3) * 2)
    operator = WindowUnpool("average", (2, 2), (2, 2), (0, 0), size)
    written = compare_one(operator, tmp_path, values(2, 3, 3, 4), dynamic="NHW")
    assert written.forms["layer"] == "Div+ConvTranspose"


def test_bed_of_nails(tmp_path: Path) -> None:
    x = np.array([[[[1, 2], [3, 4]]]], np.float32)
    operator = WindowUnpool("corner", (2, 2), (2, 2), (0, 0), (4, 4))
    compare_one(operator, tmp_path, x, tolerance=0)


def test_dynamic_channels_cannot_be_grouped(tmp_path: Path) -> None:
    operator = WindowUnpool("tile", (2, 2), (2, 2), (0, 0), (4, 4))
    source = one_layer(operator, letters((1, 3, 2, 2), "C"))
    with pytest.raises(UnsupportedError, match="number of channels is dynamic"):
        write_onnx(source, tmp_path / "m.onnx")
