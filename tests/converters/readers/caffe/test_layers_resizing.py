"""Interp, by the fields that are present, and FlowNet2's Resample."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from tests.converters.readers.caffe.lowered import (
    C,
    H,
    N,
    W,
    lowered,
    operator,
    output,
    output_shape,
)
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import like
from upconv.converters.ir.errors import UnreadableError, UnsupportedError

IMAGE = (N, C, H, W)


def _interp(fields: str, bottoms: str = 'bottom: "x"') -> str:
    return f'type: "Interp" {bottoms} top: "y" interp_param {{ {fields} }}'


def _resample(fields: str, bottoms: str = 'bottom: "x"') -> str:
    return f'type: "Resample" {bottoms} top: "y" resample_param {{ {fields} }}'


BOTH = 'bottom: "x" bottom: "ref"'


@pytest.mark.parametrize(
    ("fields", "height", "width"),
    [
        ("zoom_factor: 8", 8 * 33 - 7, 8 * 41 - 7),
        ("shrink_factor: 2", 17, 21),
        ("shrink_factor: 1", 33, 41),
        ("height: 65 width: 129", 65, 129),
        ("shrink_factor: 2 zoom_factor: 3", 17 + 16 * 2, 21 + 20 * 2),
        ("zoom_factor: 2 height: 10 width: 10", 65, 81),
        ("shrink_factor: 2 zoom_factor: 3 height: 10 width: 12", 10, 12),
        ("zoom_factor: 2 pad_beg: -1 pad_end: -2", 59, 75),
    ],
)
def test_interps_size_follows_the_fields_that_are_present(
    fields: str, height: int, width: int
) -> None:
    assert output_shape(_interp(fields), (1, 3, 33, 41)) == (1, 3, height, width)


def test_interps_size_is_an_expression_of_its_input() -> None:
    assert output_shape(_interp("zoom_factor: 8"), IMAGE) == (N, C, H * 8 - 7, W * 8 - 7)
    (resize,) = lowered(_interp("shrink_factor: 4"))
    expected = tuple((like("x", axis) - 1) // 4 + 1 for axis in (2, 3))
    assert resize.operator == ops.Resize("linear", "align_corners", size=expected)


def test_interp_crops_by_its_pads_before_it_resizes() -> None:
    crop, resize = lowered(_interp("height: 1 width: 5 pad_beg: 0 pad_end: -1"))
    assert crop.operator == ops.Pad((0, 0, 0, 0), (0, 0, -1, -1))
    assert (crop.outputs, resize.inputs) == (("y/cropped",), ("y/cropped",))
    found = output(
        _interp("height: 1 width: 5 pad_beg: 0 pad_end: -1"), [[[[0.0, 2.0, 9.0], [9.0, 9.0, 9.0]]]]
    )
    assert found.ravel().tolist() == [0, 0.5, 1, 1.5, 2]


def test_interp_follows_a_reference() -> None:
    body = _interp("", BOTH)
    assert output_shape(body, IMAGE, (1, 7, 65, W)) == (N, C, 65, W)
    found = output(body, [[[[0.0, 2.0]]]], np.zeros((1, 9, 1, 5)))
    assert found.ravel().tolist() == [0, 0.5, 1, 1.5, 2]


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        (_interp(""), UnreadableError, "gives no output size"),
        (_interp("height: 5"), UnreadableError, "gives no output size"),
        (_interp("zoom_factor: 0"), UnreadableError, "zoom_factor must be at least 1"),
        (_interp("zoom_factor: 2 pad_beg: 1"), UnreadableError, "pad_beg is 1 and pad_end 0"),
        (_interp("zoom_factor: 2", BOTH), UnsupportedError, "has a reference bottom and a size"),
        (
            _interp("zoom_factor: 2 align_corners: false"),
            UnsupportedError,
            "gives align_corners, which DeepLab's Interp does not have",
        ),
        (_resample("height: 5"), UnreadableError, "width is missing"),
        (_resample("factor: 2"), UnsupportedError, "gives a factor"),
        (_resample("height: 5 width: 5 type: AREA"), UnsupportedError, "type AREA has weights"),
        (
            _resample("height: 5 width: 5 type: CUBIC antialias: false"),
            UnsupportedError,
            "type CUBIC without antialias has weights",
        ),
    ],
)
def test_what_cannot_be_said_is_refused(body: str, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as caught:
        lowered(body)
    assert str(caught.value).startswith(f"net.prototxt:2:7: layer 'it': {message}")


def _triangle(distance: float) -> float:
    return max(0.0, 1.0 - abs(distance))


def _cubic(distance: float) -> float:
    d = abs(distance)
    if d <= 1:
        return d * d * (1.5 * d - 2.5) + 1
    return d * (d * (-0.5 * d + 2.5) - 4) + 2 if d < 2 else 0.0


def _flownet(x: np.ndarray, size: tuple[int, int], kind: str, antialias: bool) -> np.ndarray:
    """FlowNet2's kernels for one plane, restated; each axis is shifted by the other's factor."""
    fy, fx = Fraction(x.shape[0], size[0]), Fraction(x.shape[1], size[1])
    stretch = (fy, fx) if antialias and max(fx, fy) > 1 else (1, 1)
    kernel = _cubic if kind == "CUBIC" else _triangle
    out = np.zeros(size)
    for row, column in np.ndindex(size):
        at = (row * fy + (fx - 1) / 2, column * fx + (fy - 1) / 2)
        if kind == "NEAREST":
            out[row, column] = x[tuple(math.floor(c + Fraction(1, 2)) for c in at)]
            continue
        taps = [
            np.array([kernel(float((c - i) / s)) for i in range(n)])
            for c, s, n in zip(at, stretch, x.shape, strict=True)
        ]
        weight = np.outer(*taps)
        out[row, column] = (weight * x).sum() / weight.sum()
    return out


@pytest.mark.parametrize("kind", ["NEAREST", "LINEAR", "CUBIC"])
@pytest.mark.parametrize("size", [(8, 12), (2, 3), (6, 9), (4, 6), (28, 42)])
def test_resample_equals_flownets_kernels(kind: str, size: tuple[int, int]) -> None:
    x = np.random.default_rng(3).normal(size=(4, 6))
    body = _resample(f"height: {size[0]} width: {size[1]} type: {kind}")
    found = output(body, x[None, None])[0, 0]
    np.testing.assert_allclose(found, _flownet(x, size, kind, True), rtol=0, atol=1e-12)


def test_resample_without_antialias() -> None:
    x = np.random.default_rng(4).normal(size=(6, 8))
    body = _resample("height: 3 width: 4 type: LINEAR antialias: false")
    expected = _flownet(x, (3, 4), "LINEAR", False)
    np.testing.assert_allclose(output(body, x[None, None])[0, 0], expected, rtol=0, atol=1e-12)


def test_resample_smooths_only_where_it_may_shrink() -> None:
    body = _resample("", BOTH)
    size = (like("ref", 2), like("ref", 3))
    grown = operator(body, [(1, 1, 4, 6), (1, 1, 8, 12)])
    assert grown == ops.Resize("linear", "half_pixel", size=size)
    shrunk = operator(body, [(1, 1, 8, 12), (1, 1, 4, 6)])
    assert shrunk == ops.Resize("linear", "half_pixel", size=size, antialias=True)


def test_resample_by_two_factors_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="resizes 4x6 to 8x6, by factors that are not known"):
        lowered(_resample("height: 8 width: 6"), [(1, 1, 4, 6)])
    with pytest.raises(UnsupportedError, match="resizes HxW to 8x6"):
        lowered(_resample("height: 8 width: 6"), [IMAGE])


def test_resample_by_a_symbolic_factor_is_known_to_be_one() -> None:
    body = _resample("type: NEAREST", BOTH)
    assert output_shape(body, IMAGE, (N, 1, H * 2, W * 2)) == (N, C, H * 2, W * 2)
