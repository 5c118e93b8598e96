from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.converters.reference.build import noise, run, torch_of
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import like
from upconv.converters.ir.errors import ShapeError


def test_crop_takes_a_box_like_another_tensor() -> None:
    x, other = noise(2, 3, 9, 8), noise(1, 7, 4, 5)
    op = ops.Crop(2, (3, 1), (like("x1", 2), like("x1", 3)))
    y = run(op, x, other)
    np.testing.assert_array_equal(y, x[:, :, 3:7, 1:6])
    assert y.base is None, "a view would keep the whole input alive"


def test_crop_of_a_negative_axis_and_its_bounds() -> None:
    x = noise(1, 2, 5, 6)
    np.testing.assert_array_equal(run(ops.Crop(-1, (2,), (3,)), x), x[..., 2:5])
    with pytest.raises(ShapeError, match="less than offset 4"):
        run(ops.Crop(-1, (4,), (3,)), x)


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge"])
def test_pad_is_torch(mode: Any) -> None:
    from torch.nn import functional

    x = noise(1, 2, 4, 5)
    words = {"edge": "replicate"}
    value = {"value": 2.5} if mode == "constant" else {}
    expected = functional.pad(torch_of(x), (2, 1, 1, 3), words.get(mode, mode), **value).numpy()
    op = ops.Pad((0, 0, 1, 2), (0, 0, 3, 1), mode, 2.5)
    np.testing.assert_array_equal(run(op, x), expected)


def test_pad_symmetric_and_negative() -> None:
    x = np.arange(4.0)[None, None]
    np.testing.assert_array_equal(
        run(ops.Pad((0, 0, 2), (0, 0, -1), "symmetric"), x), [[[1, 0, 0, 1, 2]]]
    )
    np.testing.assert_array_equal(
        run(ops.Pad((0, 0, -1), (1, 0, 1), "constant", 7.0), x),
        [[[1, 2, 3, 7]], [[7, 7, 7, 7]]],
    )


def test_concat_and_slice_are_inverse() -> None:
    x = noise(2, 8, 3, 2)
    parts = run(ops.Slice(1, (2, 5)), x, outputs=3)
    assert [part.shape[1] for part in parts] == [2, 3, 3]
    np.testing.assert_array_equal(run(ops.Concat(1), *parts), x)
    halves = run(ops.Slice(-3), x, outputs=2)
    np.testing.assert_array_equal(run(ops.Concat(-3), *halves), x)


def test_tile_repeats_the_whole_axis() -> None:
    x = noise(2, 3, 2)
    np.testing.assert_array_equal(run(ops.Tile(1, 3), x), np.tile(x, (1, 3, 1)))


def test_reshape_copies_and_infers() -> None:
    x = noise(2, 3, 4, 5)
    np.testing.assert_array_equal(run(ops.Reshape((0, -1, 10)), x), x.reshape(2, 6, 10))


def test_reshape_of_some_axes() -> None:
    x = noise(2, 3, 4, 5)
    y = run(ops.Reshape((2, -1), axis=1, num_axes=2), x)
    np.testing.assert_array_equal(y, x.reshape(2, 2, 6, 5))
    np.testing.assert_array_equal(run(ops.Flatten(1, 2), x), x.reshape(2, 12, 5))
    np.testing.assert_array_equal(run(ops.Permute((0, 2, 3, 1)), x), x.transpose(0, 2, 3, 1))


def test_channel_shuffle_is_torch() -> None:
    from torch.nn.functional import channel_shuffle

    x = noise(2, 6, 2, 3)
    expected = channel_shuffle(torch_of(x), 3).numpy()
    np.testing.assert_array_equal(run(ops.ChannelShuffle(3), x), expected)


def test_crd_is_torch() -> None:
    from torch.nn import functional

    x = noise(2, 12, 3, 4)
    np.testing.assert_array_equal(
        run(ops.DepthToSpace(2, "CRD"), x), functional.pixel_shuffle(torch_of(x), 2).numpy()
    )
    wide = noise(2, 3, 4, 6)
    np.testing.assert_array_equal(
        run(ops.SpaceToDepth(2, "CRD"), wide), functional.pixel_unshuffle(torch_of(wide), 2).numpy()
    )


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_depth_to_space_is_onnxruntime(mode: Any) -> None:
    from onnx import TensorProto, helper
    from onnxruntime import InferenceSession

    x = noise(2, 18, 2, 3)
    node = helper.make_node("DepthToSpace", ["x"], ["y"], blocksize=3, mode=mode)
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in "xy"]
    graph = helper.make_graph([node], "g", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    session = InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    expected = session.run(None, {"x": x.astype(np.float32)})[0]
    np.testing.assert_array_equal(run(ops.DepthToSpace(3, mode), x), expected)


def _reorg(x: Any, stride: int) -> Any:
    """darknet's reorg by its index arithmetic, one value at a time."""
    n, c, h, w = x.shape
    out = np.zeros(x.size)
    flat = x.reshape(-1)
    inner = c // stride**2
    for b, k, j, i in np.ndindex(n, c, h, w):
        row, column = divmod(k // inner, stride)
        wide = i * stride + column + w * stride * (j * stride + row)
        source = wide + w * stride * h * stride * (k % inner + inner * b)
        out[i + w * (j + h * (k + c * b))] = flat[source]
    return out.reshape(n, c * stride**2, h // stride, w // stride)


def test_darknet_is_its_index_arithmetic() -> None:
    x = noise(2, 8, 4, 6)
    np.testing.assert_array_equal(run(ops.SpaceToDepth(2, "darknet"), x), _reorg(x, 2))
    with pytest.raises(ShapeError, match="6 channels do not divide by 4"):
        run(ops.SpaceToDepth(2, "darknet"), noise(1, 6, 4, 4))


@pytest.mark.parametrize("mode", ["DCR", "CRD", "darknet"])
@pytest.mark.parametrize("size", [(6,), (4, 6), (2, 4, 6)])
def test_depth_and_space_are_inverse(mode: Any, size: tuple[int, ...]) -> None:
    x = noise(2, 8, *size)
    deep = run(ops.SpaceToDepth(2, mode), x)
    assert deep.shape == (2, 8 * 2 ** len(size), *(n // 2 for n in size))
    np.testing.assert_array_equal(run(ops.DepthToSpace(2, mode), deep), x)


def test_identity_hands_every_output_the_input() -> None:
    x = noise(1, 2)
    for y in run(ops.Identity(), x, outputs=2):
        np.testing.assert_array_equal(y, x)
