"""Upsample in three dialects, and DeconvNet's Unpooling."""

from __future__ import annotations

import numpy as np
import pytest

from tests.converters.readers.caffe.lowered import (
    C,
    H,
    N,
    W,
    lowered,
    only,
    operator,
    output,
    output_shape,
)
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import like
from upconv.converters.ir.errors import UnreadableError, UnsupportedError

ONE = 'type: "Upsample" bottom: "x" top: "y"'
TWO = 'type: "Upsample" bottom: "x" bottom: "m" top: "y"'
UNPOOL = 'type: "Unpooling" bottom: "x" top: "y"'
MASKED = 'type: "Unpooling" bottom: "x" bottom: "m" top: "y"'
IMAGE = (N, C, H, W)


def _upsample(fields: str) -> str:
    return f"{TWO} upsample_param {{ {fields} }}"


def test_segnet_follows_its_input() -> None:
    height, width = like("x", 2), like("x", 3)
    assert operator(_upsample("scale: 2")) == ops.Unpool((height * 2, width * 2))
    assert output_shape(_upsample("scale: 3"), IMAGE, IMAGE) == (N, C, H * 3, W * 3)
    assert output_shape(_upsample("scale_h: 2 scale_w: 3"), IMAGE, IMAGE) == (N, C, H * 2, W * 3)


def test_segnet_takes_its_padding_back() -> None:
    body = _upsample("scale: 2 pad_out_h: true")
    assert output_shape(body, (1, 8, 23, 30), (1, 8, 23, 30)) == (1, 8, 45, 60)


def test_segnets_given_size_counts_before_its_scale() -> None:
    body = _upsample("scale: 2 upsample_h: 45 upsample_w: 60")
    assert output_shape(body, IMAGE, IMAGE) == (N, C, 45, 60)


def test_segnet_scales_by_two_unless_told() -> None:
    assert operator(TWO, dialect="segnet") == ops.Unpool((like("x", 2) * 2, like("x", 3) * 2))


def test_segnet_scatters_per_plane_and_the_last_write_wins() -> None:
    x = np.array([[[[1.0, 2.0]], [[3.0, 4.0]]]])
    mask = np.array([[[[5.0, 0.0]], [[7.0, 7.0]]]])
    found = output(_upsample("scale: 2"), x, mask)
    assert found.tolist() == [[[[2, 0, 0, 0], [0, 1, 0, 0]], [[0, 0, 0, 0], [0, 0, 0, 4]]]]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("scale: 1", "the scale is 1x1; each must be at least 2"),
        ("scale: 3 pad_out_w: true", "pad_out_w needs a scale of 2, but the scale is 3"),
        ("scale: 2 scale_h: 2 scale_w: 2", "gives a mix of scale, scale_h and scale_w"),
        ("scale_h: 2", "gives a mix of scale, scale_h and scale_w"),
        ("upsample_h: 0 upsample_w: 3", "upsample_h must be at least 1"),
    ],
)
def test_segnet_refuses_what_it_aborts_on(fields: str, message: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        lowered(_upsample(fields))
    assert str(caught.value).startswith(f"net.prototxt:2:7: layer 'it': {message}")


def test_a_dialect_that_the_layer_cannot_be_is_refused() -> None:
    with pytest.raises(UnreadableError, match="takes 2 bottoms, but has 1"):
        lowered(f"{ONE} upsample_param {{ scale: 2 }}", dialect="segnet")
    with pytest.raises(UnsupportedError, match="gives mode, which SegNet's Upsample does not have"):
        lowered(_upsample("mode: NEAREST"), dialect="segnet")


def test_yolo_repeats_pixels() -> None:
    body = f"{ONE} upsample_param {{ scale: 2 }}"
    assert operator(body) == ops.Resize("nearest", "asymmetric", factor=(2, 2))
    assert output_shape(body, IMAGE) == (N, C, H * 2, W * 2)
    assert output(body, [[[[1.0, 2.0]]]]).tolist() == [[[[1, 1, 2, 2], [1, 1, 2, 2]]]]


def test_tiny_dsod_goes_to_the_size_of_its_reference() -> None:
    body = _upsample("mode: BILINEAR")
    assert output_shape(body, (1, 2, 3, 4), (1, 9, 7, 5)) == (1, 2, 7, 5)
    found = output(body, [[[[0.0, 4.0]]]], np.zeros((1, 1, 1, 5)))
    assert found.ravel().tolist() == [0, 1, 2, 3, 4]
    assert operator(TWO, dialect="tiny-dsod") == operator(body)


def test_tiny_dsods_nearest_rounds_down() -> None:
    found = output(_upsample("mode: NEAREST"), [[[[1.0, 2.0, 3.0]]]], np.zeros((1, 1, 1, 5)))
    index = [w * 3 // 5 for w in range(5)]
    assert found.ravel().tolist() == [[1, 2, 3][i] for i in index]


def test_tiny_dsod_with_one_bottom() -> None:
    sized = f"{ONE} upsample_param {{ height: 9 width: 8 }}"
    assert output_shape(sized, IMAGE) == (N, C, 9, 8)
    scaled = f"{ONE} upsample_param {{ height_scale: 2 width_scale: 3 }}"
    assert output_shape(scaled, IMAGE) == (N, C, H * 2, W * 3)


def test_unpooling_by_mask() -> None:
    fields = "unpool: MAX kernel_size: 2 stride: 2 unpool_size: 4"
    assert operator(f"{MASKED} unpooling_param {{ {fields} }}") == ops.Unpool((4, 4))
    legacy = f"{MASKED} unpooling_param {{ {fields} }}".replace("Unpooling", "UNPOOLING")
    assert output_shape(legacy, (1, 3, 2, 2), (1, 3, 2, 2)) == (1, 3, 4, 4)


def _deconvnet(
    kind: str, x: np.ndarray, kernel: int, stride: int, size: tuple[int, int]
) -> np.ndarray:
    """DeconvNet's loops, restated: every window is cut at the output's edge."""
    out = np.zeros((1, 1, *size))
    for row, column in np.ndindex(x.shape[2:]):
        top, left = row * stride, column * stride
        window = out[0, 0, top : top + kernel, left : left + kernel]
        if kind == "MAX":
            window[0, 0] = x[0, 0, row, column]
        else:
            window += x[0, 0, row, column] / (window.size if kind == "AVE" else 1)
    return out


@pytest.mark.parametrize("kind", ["MAX", "AVE", "TILE"])
@pytest.mark.parametrize(
    ("kernel", "stride", "size"), [(2, 2, (4, 6)), (3, 2, (4, 6)), (3, 2, (5, 7)), (2, 3, (6, 9))]
)
def test_unpooling_without_a_mask(
    kind: str, kernel: int, stride: int, size: tuple[int, int]
) -> None:
    fields = f"kernel_size: {kernel} stride: {stride} unpool_h: {size[0]} unpool_w: {size[1]}"
    body = f"{UNPOOL} unpooling_param {{ unpool: {kind} {fields} }}"
    x = np.arange(1.0, 7.0).reshape(1, 1, 2, 3)
    found = output(body, x)
    np.testing.assert_allclose(found, _deconvnet(kind, x, kernel, stride, size), rtol=1e-12)


def test_only_max_reads_the_mask() -> None:
    fields = "unpool: TILE kernel_size: 2 stride: 2 unpool_size: 4"
    made = only(f"{MASKED} unpooling_param {{ {fields} }}")
    assert made.inputs == ("x",)
    assert made.operator == ops.WindowUnpool("tile", (2, 2), (2, 2), (0, 0), (4, 4))


def test_half_given_pairs_of_unpooling_are_refused() -> None:
    for fields, message in {
        "kernel_h: 2 unpool_size: 4": "gives a mix of kernel_size, kernel_h and kernel_w",
        "unpool_size: 4": "kernel_size is missing",
        "kernel_size: 2 unpool_size: 4 unpool_h: 3": "gives a mix of unpool_size, unpool_h",
        "kernel_size: 2 unpool_size: 4 pad: 1": "pad must be 0",
    }.items():
        with pytest.raises(UnreadableError, match=message):
            lowered(f"{UNPOOL} unpooling_param {{ {fields} }}")


def test_unpooling_of_another_fork_is_refused() -> None:
    with pytest.raises(UnsupportedError) as caught:
        lowered(f"{UNPOOL} unpooling_param {{ kernel_size: 2 stride: 2 }}")
    assert str(caught.value) == (
        "net.prototxt:2:7: layer 'it': gives neither unpool_size nor unpool_h and unpool_w, which "
        "DeconvNet requires: it is written for another fork "
        "(write the output size as unpool_h and unpool_w)"
    )


def test_a_window_that_begins_outside_is_refused() -> None:
    body = f"{UNPOOL} unpooling_param {{ kernel_size: 2 stride: 2 unpool_size: 4 }}"
    with pytest.raises(UnsupportedError, match=r"begins at 4, outside of the output \(4\)"):
        lowered(body, [(1, 1, 2, 3)])
