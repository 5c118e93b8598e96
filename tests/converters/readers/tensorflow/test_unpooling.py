"""Unpooling by tf.nn.max_pool_with_argmax and tf.scatter_nd, as users write it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.converters.readers.tensorflow.support import (
    assert_same_as_tensorflow,
    graph_of,
    noise,
    placeholder,
    save_graph,
    shapes,
    tf,
)
from tests.support import shared_folder
from upconv.converters.ir import operators as ops
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions
from upconv.service.python.calls import convert

Unpooling = Callable[[Any, Any, Any], Any]


def flat(net: Any, mask: Any, shape: Any) -> Any:
    size = tf.cast(tf.reduce_prod(shape), mask.dtype)
    indices, values = tf.reshape(mask, [-1, 1]), tf.reshape(net, [-1])
    return tf.reshape(tf.scatter_nd(indices, values, tf.reshape(size, [1])), shape)


def by_batch(net: Any, mask: Any, shape: Any) -> Any:
    """Rows of (sample, index in it)."""
    count = tf.size(net, mask.dtype)
    samples = tf.reshape(tf.range(shape[0], dtype=mask.dtype), [shape[0], 1, 1, 1])
    samples = tf.reshape(tf.ones_like(mask) * samples, tf.stack([count, 1]))
    indices = tf.concat([samples, tf.reshape(mask, tf.stack([count, 1]))], 1)
    whole = [shape[0], shape[1] * shape[2] * shape[3]]
    made = tf.scatter_nd(indices, tf.reshape(net, [count]), tf.cast(whole, mask.dtype))
    return tf.reshape(made, shape)


def taken_apart(net: Any, mask: Any, shape: Any) -> Any:
    """Columns of (sample, y, x, channel), stacked and transposed."""
    size = tf.cast(shape, mask.dtype)
    ones = tf.ones_like(mask)
    samples = ones * tf.reshape(tf.range(size[0], dtype=mask.dtype), [size[0], 1, 1, 1])
    y = mask // (size[2] * size[3])
    x = mask % (size[2] * size[3]) // size[3]
    channels = ones * tf.range(size[3], dtype=mask.dtype)
    stacked = tf.stack([samples, y, x, channels])
    indices = tf.transpose(tf.reshape(stacked, [4, tf.size(net)]))
    return tf.scatter_nd(indices, tf.reshape(net, [tf.size(net)]), size)


def in_place(net: Any, mask: Any, shape: Any) -> Any:
    """The same numbers, all from an index through the batch, and stacked last."""
    size = tf.cast(shape, mask.dtype)
    samples = mask // (size[1] * size[2] * size[3])
    y = mask // (size[2] * size[3]) % size[1]
    x = mask // size[3] % size[2]
    indices = tf.stack([samples, y, x, mask % size[3]], axis=-1)
    return tf.scatter_nd(indices, net, size)


def graph(
    shape: tuple[int | None, ...],
    unpooling: Unpooling,
    through: bool,
    ksize: int = 2,
    stride: int = 2,
    padding: str = "SAME",
) -> Any:
    def build() -> None:
        x = placeholder(*shape)
        size = tf.shape(x) if None in shape else tf.constant(shape)
        net, mask = tf.nn.max_pool_with_argmax(
            x, ksize, stride, padding, include_batch_in_index=through
        )
        tf.identity(unpooling(net * 2.0, mask, size), name="y")

    return graph_of(build)


CASES: dict[str, tuple[Unpooling, bool]] = {
    "flat": (flat, True),
    "by batch": (by_batch, False),
    "taken apart": (taken_apart, False),
    "in place": (in_place, True),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("shape", "padding"), [((2, 6, 8, 3), "SAME"), ((3, 7, 5, 2), "VALID")])
def test_as_tensorflow(case: str, shape: tuple[int, ...], padding: str, tmp_path: Path) -> None:
    unpooling, through = CASES[case]
    made = graph(shape, unpooling, through, padding=padding)
    found = assert_same_as_tensorflow(made, tmp_path, {"x": noise(*shape)})
    assert [one for one in found.layers if isinstance(one.operator, ops.Unpool)]


def test_windows_that_leave_pixels_out(tmp_path: Path) -> None:
    made = graph((2, 7, 9, 2), flat, True, ksize=2, stride=3)
    assert_same_as_tensorflow(made, tmp_path, {"x": noise(2, 7, 9, 2)})


def test_open_sizes(tmp_path: Path) -> None:
    made = graph((None, None, None, 3), flat, True, padding="VALID")
    feeds = [{"x": noise(*shape)} for shape in ((2, 6, 8, 3), (1, 9, 5, 3))]
    assert_same_as_tensorflow(made, tmp_path, *feeds)


def test_ones_of_a_function_that_folds_nothing(tmp_path: Path) -> None:
    """The batch is open when the graph is made, and given when it is read."""
    made = graph((None, 6, 8, 3), taken_apart, False)
    options = shapes(x="2x6x8x3")
    assert_same_as_tensorflow(made, tmp_path, {"x": noise(2, 6, 8, 3)}, options=options)


def wider(net: Any, mask: Any, shape: Any) -> Any:
    return taken_apart(net, mask, shape + [0, 0, 1, 0])  # noqa: RUF005 a sum of sizes


REFUSED: dict[str, tuple[Unpooling, bool, int, str]] = {
    "of one sample": (flat, False, 2, "no unpooling to the pooling's input"),
    "overlapping": (flat, True, 3, "windows that overlap"),
    "by another width": (wider, False, 2, "indices"),
    "as data": (lambda n, m, s: n + tf.cast(m, n.dtype), False, 2, "more than an unpooling"),
    "moved": (lambda n, m, s: flat(n, m + 1, s), True, 2, "more than an unpooling"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_unpooling_is_refused(case: str, tmp_path: Path) -> None:
    unpooling, through, ksize, why = REFUSED[case]
    made = graph((2, 6, 8, 3), unpooling, through, ksize)
    found = open_model(str(save_graph(made, tmp_path)), ReadOptions())
    assert any(why in notice.error.message for notice in found.notices)


def test_a_saved_model_of_a_user_is_proven(tmp_path: Path) -> None:
    folder = shared_folder() / "cases" / "refused" / "tf_argmax_unpool"
    if not folder.is_dir():
        pytest.skip("../shared is absent")
    assert convert(folder, tmp_path / "m.onnx").verdict == "pass"
