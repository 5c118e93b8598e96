"""Reorg, PixelShuffle, ShuffleChannel, SimpleCrop, MergeCrop."""

from __future__ import annotations

import numpy as np
import pytest

from tests.converters.readers.caffe.lowered import H, N, W, lowered, operator, output, output_shape
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import like
from upconv.converters.ir.errors import UnreadableError, UnsupportedError

ENDS = 'bottom: "x" top: "y"'
MERGE = 'type: "MergeCrop" bottom: "a" bottom: "b" top: "y"'


def test_reorg_has_darknets_order() -> None:
    body = f'type: "Reorg" {ENDS} reorg_param {{ stride: 2 }}'
    assert operator(body) == ops.SpaceToDepth(2, "darknet")
    assert output_shape(body, (N, 64, 26, 26)) == (N, 256, 13, 13)
    back = f'type: "Reorg" {ENDS} reorg_param {{ stride: 2 reverse: true }}'
    assert operator(back) == ops.DepthToSpace(2, "darknet")
    x = np.arange(4.0 * 4 * 6).reshape(1, 4, 4, 6)
    assert output(back, output(body, x)).tolist() == x.tolist()


def test_reorg_of_another_fork_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="gives flatten, which YOLO's Reorg does not have"):
        lowered(f'type: "Reorg" {ENDS} reorg_param {{ stride: 2 flatten: true }}')
    with pytest.raises(UnreadableError, match="stride is missing"):
        lowered(f'type: "Reorg" {ENDS}')


@pytest.mark.parametrize("param", ["pixel_shuffle_param", "pixelshuffle_param"])
def test_pixel_shuffle_takes_channels_of_a_pixel_together(param: str) -> None:
    body = f'type: "PixelShuffle" {ENDS} {param} {{ upscale_factor: 2 }}'
    assert operator(body) == ops.DepthToSpace(2, "CRD")
    assert output_shape(body, (N, 12, H, W)) == (N, 3, H * 2, W * 2)
    x = np.arange(8.0).reshape(1, 8, 1, 1)
    assert output(body, x).tolist() == [[[[0, 1], [2, 3]], [[4, 5], [6, 7]]]]


def test_shuffle_channel_transposes_groups() -> None:
    body = f'type: "ShuffleChannel" {ENDS} shuffle_channel_param {{ group: 2 }}'
    x = np.arange(6.0).reshape(1, 6, 1, 1)
    assert output(body, x).ravel().tolist() == [0, 3, 1, 4, 2, 5]


def test_simple_crop_takes_the_first_pixels() -> None:
    body = 'type: "SimpleCrop" bottom: "x" bottom: "ref" top: "y"'
    assert operator(body) == ops.Crop(2, (0, 0), (like("ref", 2), like("ref", 3)))
    x = np.arange(6.0).reshape(1, 1, 2, 3)
    assert output(body, x, np.zeros((1, 9, 1, 2))).tolist() == [[[[0, 1]]]]


@pytest.mark.parametrize("name", ["MergeCrop", "Mergecrop"])
def test_merge_crop_takes_the_middle(name: str) -> None:
    body = MERGE.replace("MergeCrop", name)
    small, large = np.zeros((1, 1, 1, 2)), np.arange(15.0).reshape(1, 1, 3, 5)
    assert output(body, small, large).tolist() == [[[[0, 0]], [[6, 7]]]]
    assert output_shape(body, (1, 8, H, W), (1, 8, H + 8, W + 8)) == (1, 16, H, W)


def test_merge_crop_may_add() -> None:
    body = f"{MERGE} mergecrop_param {{ operation: ADD }}"
    small, large = np.ones((1, 1, 1, 2)), np.arange(15.0).reshape(1, 1, 3, 5)
    assert output(body, small, large).tolist() == [[[[7, 8]]]]


def test_merge_crop_works_in_three_dimensions() -> None:
    assert output_shape(MERGE, (1, 4, 5, 6, 7), (1, 4, 9, 10, 11)) == (1, 8, 5, 6, 7)


def _greentea_is_right(batch: int, first: int, second: int) -> bool:
    """Whether the kernel's channel arithmetic, restated, finds every channel in its place."""
    total = first + second
    for index in range(batch * total):
        channel = index % total
        from_second = channel // first % 2 == 1
        found = index % second if from_second else index % first
        expected = channel - first if channel >= first else channel
        if from_second != (channel >= first) or found != expected:
            return False
    return True


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("channels", [(4, 4), (4, 2), (2, 4), (6, 4), (3, 9), (4, 1)])
def test_merge_crop_is_taken_exactly_where_its_kernel_is_right(
    batch: int, channels: tuple[int, int]
) -> None:
    shapes = [(batch, channels[0], 2, 2), (batch, channels[1], 4, 4)]
    if _greentea_is_right(batch, *channels):
        assert len(lowered(MERGE, shapes)) == 2
    else:
        with pytest.raises(UnsupportedError, match=f"stacks {channels[0]} and {channels[1]} chan"):
            lowered(MERGE, shapes)


def test_merge_crop_that_drops_a_bottom_is_refused() -> None:
    body = f"{MERGE} mergecrop_param {{ forward: true forward: false }}"
    with pytest.raises(UnsupportedError, match="forward: false replaces a bottom by zeros"):
        lowered(body)


def test_layers_of_uncertain_meaning_say_why() -> None:
    with pytest.raises(UnsupportedError) as caught:
        lowered(f'type: "ImResize" {ENDS}')
    assert str(caught.value) == (
        "net.prototxt:2:7: layer 'it': OpenPose resizes by OpenCV's cubic over several scales, "
        "which no operator says"
    )
