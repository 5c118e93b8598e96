"""Coordinate maps: their algebra, and the offsets they give for the FCN nets."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import ROOT
from upconv.converters.ir import operators as ops
from upconv.converters.ir.alignment import MAPS, AxisMap, Site, convolution_map, relative_map
from upconv.converters.ir.inference import infer
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions

FRACTIONS = st.fractions(min_value=-50, max_value=50, max_denominator=16)
MAPS_ = st.builds(AxisMap, FRACTIONS.filter(bool), FRACTIONS)


@given(MAPS_, MAPS_, MAPS_)
def test_composition_is_associative(a: AxisMap, b: AxisMap, c: AxisMap) -> None:
    assert a.after(b).after(c) == a.after(b.after(c))


@given(MAPS_)
def test_a_map_and_its_inverse_cancel(a: AxisMap) -> None:
    assert a.after(a.inverse()) == AxisMap() == a.inverse().after(a)


@given(st.integers(1, 9), st.integers(1, 5), st.integers(1, 3), st.integers(0, 4))
def test_a_transposed_convolution_inverts_its_convolution(
    kernel: int, stride: int, dilation: int, pad: int
) -> None:
    settings = ((kernel,), (stride,), (dilation,), (pad,), (pad,))
    down = convolution_map(ops.Conv(1, *settings), 0)
    up = convolution_map(ops.ConvTranspose(1, *settings, (0,)), 0)
    assert down.after(up) == AxisMap()


@pytest.mark.parametrize("factor", [2, 3, 4, 5, 8])
def test_the_bilinear_convention_is_half_pixel_aligned(factor: int) -> None:
    kernel = 2 * factor - factor % 2
    up = ops.ConvTranspose(1, (kernel,), (factor,), (1,), (factor // 2,), (factor // 2,), (0,))
    assert convolution_map(up, 0) == AxisMap(Fraction(1, factor), Fraction(1 - factor, 2 * factor))


SITE = Site(((1, 4, 8, 9),), ((1, 4, 8, 9),))


def test_entries_of_another_axis_stay_where_they_are() -> None:
    channels, rows = ops.Gather(1, (2, 0)), ops.Gather(2, (2, 0))
    assert MAPS[ops.Gather](channels, 0, SITE) == AxisMap()
    assert MAPS[ops.Gather](rows, 0, SITE) is None
    assert MAPS[ops.Gather](ops.Gather(1), 0, SITE) is None


def test_a_strided_slice_lies_where_it_takes() -> None:
    every_third = ops.StridedSlice(3, 1, 3, 3)
    assert MAPS[ops.StridedSlice](every_third, 1, SITE) == AxisMap(Fraction(3), Fraction(1))
    assert MAPS[ops.StridedSlice](every_third, 0, SITE) == AxisMap()
    assert MAPS[ops.StridedSlice](ops.StridedSlice(-1, 8, 9, -1), 1, SITE) is None


def _offsets(path: Path) -> dict[str, tuple[Fraction | int, ...]]:
    model = open_model(str(path), ReadOptions())
    shapes = infer(model).shapes
    found: dict[str, tuple[Fraction | int, ...]] = {}
    for layer in model.layers:
        if isinstance(layer.operator, ops.Crop):
            value, reference = layer.inputs[:2]
            maps = relative_map(model, value, reference, shapes)
            assert maps is not None
            assert all(one.scale == 1 for one in maps)
            found[layer.name] = tuple(one.shift for one in maps)
    return found


def test_the_fixture_crops_where_the_maps_say() -> None:
    offsets = _offsets(ROOT / "fixtures/fcn8s/fcn8s.prototxt")
    assert offsets == {"score_pool4c": (5, 5), "score_pool3c": (9, 9), "score": (31, 31)}


PUBLISHED = {
    "voc-fcn32s": {"score": 19},
    "voc-fcn16s": {"score_pool4c": 5, "score": 27},
    "voc-fcn8s": {"score_pool4c": 5, "score_pool3c": 9, "score": 31},
    "voc-fcn-alexnet": {"score": 18},
}


@pytest.mark.parametrize("net", PUBLISHED)
def test_published_fcn_offsets(net: str, shared: Path) -> None:
    for file in ("deploy.prototxt", "val.prototxt"):
        path = shared / "corpus/caffe/shelhamer__fcn.berkeleyvision.org" / net / file
        if path.exists() and "shape" in path.read_text():
            expected = {name: (offset, offset) for name, offset in PUBLISHED[net].items()}
            assert _offsets(path) == expected
