"""Entries picked by constant numbers or read backwards, products of two tensors, and constants
that only computing them gives, against TensorFlow."""

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
    tf,
)
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions

SIZE = (2, 6, 7, 4)

FIXED: dict[str, Callable[[Any], Any]] = {
    "channels": lambda x: tf.gather(x, [2, 0, 1, 1], axis=-1),
    "one channel": lambda x: tf.gather(x, 2, axis=-1) + 1.0,
    "columns": lambda x: tf.gather(x, [0, 1, 2, 6], axis=2),
    "samples": lambda x: tf.gather(x, [1, 0]),
    "reversed": lambda x: tf.reverse(x, [1, -1]),
    "flipped": tf.image.flip_left_right,
    "backwards": lambda x: x[:, ::-1, 2:5, ::-1],
    "backwards by two": lambda x: x[::-1, 4:1:-2, :, ::-3],
    "backwards from the end": lambda x: x[:, -2:-5:-1, 20:0:-3] + x[:, -2:-5:-1, 5:0:-2][:, :, :2],
    "every second channel": lambda x: x[..., ::2] + x[::1, :, :, 1::2],
    "a table of channels": lambda x: tf.gather(x, [[2, 0], [1, 3], [0, 0]], axis=-1),
    "computed rows": lambda x: tf.gather(x, tf.cast(tf.abs(x[0, 0, :3, 0]), tf.int32), axis=1),
    "embedding": lambda x: tf.gather(noise(9, 5), tf.cast(tf.abs(2 * x[0, :, :, 0]), tf.int64)),
    "backwards beside an index": lambda x: x[:, 0, ::-1],
    "non-local": lambda x: tf.matmul(
        tf.nn.softmax(tf.matmul(_rows(x), _rows(x * 2), transpose_b=True)), _rows(x)
    ),
    "transposed first": lambda x: tf.matmul(_rows(x), _rows(x), transpose_a=True),
    "transposed by a constant": lambda x: tf.matmul(x[0, 0], noise(7, 3), transpose_a=True),
    "both transposed": lambda x: tf.matmul(x, tf.transpose(x, [0, 1, 3, 2]), True, True),
    "by a constant": lambda x: tf.matmul(x, noise(2, 6, 4, 3)),
    "stacked with a constant": lambda x: tf.stack([x, tf.constant(noise(*SIZE))], 3),
    "of matrices": lambda x: tf.matmul(x[0, 0], x[1, 1], transpose_b=True),
    "coordinates": lambda x: tf.concat([x, _coordinates(x)], -1),
    "a sum over letters": lambda x: tf.einsum("nhwc,nhWd->nwWc", x, x[..., :3]),
    "a sum with weights": lambda x: tf.einsum("...c,dc->...d", x, noise(5, 4)),
    "a sum of one": lambda x: tf.einsum("nhwc->wn", x),
    "waves": lambda x: x * tf.sin(tf.range(4.0)) + tf.cos(tf.linspace(0.0, 3.0, 4)),
}
OPEN = (
    *("a sum with weights", "channels", "one channel", "non-local", "transposed first"),
    *("reversed", "backwards by two"),
)


def _rows(x: Any) -> Any:
    return tf.reshape(x, [tf.shape(x)[0], -1, 4])


def _coordinates(x: Any) -> Any:
    """What CoordConv adds to a feature map of SIZE."""
    column, row = tf.meshgrid(tf.linspace(-1.0, 1.0, SIZE[2]), tf.linspace(-1.0, 1.0, SIZE[1]))
    return tf.tile(tf.stack([row, column], -1)[None], [SIZE[0], 1, 1, 1])


@pytest.mark.parametrize("name", FIXED)
def test_fixed_sizes(name: str, tmp_path: Path) -> None:
    graph = graph_of(lambda: tf.identity(FIXED[name](placeholder(*SIZE)), name="out"))
    assert_same_as_tensorflow(graph, tmp_path, {"x": noise(*SIZE)})


def test_parts_through_an_identity_stay_an_upsampling(tmp_path: Path) -> None:
    def build() -> None:
        parts = [tf.identity(part) for part in tf.split(placeholder(*SIZE), SIZE[1], 1)]
        tf.concat([one for part in parts for one in (part, tf.stop_gradient(part))], 1, name="out")

    model = assert_same_as_tensorflow(graph_of(build), tmp_path, {"x": noise(*SIZE)})
    assert [type(layer.operator).__name__ for layer in model.layers] == ["Resize"]


def _reversal(size: int, axes: str) -> str:
    shape = f"shape {{ dim {{ size: 1 }} dim {{ size: {size} }} dim {{ size: 3 }} }}"
    tensor = f"tensor {{ dtype: DT_INT32 {axes} }}"
    nodes = (
        'name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } }'
        f' attr {{ key: "shape" value {{ {shape} }} }}',
        'name: "a" op: "Const" attr { key: "dtype" value { type: DT_INT32 } }'
        f' attr {{ key: "value" value {{ {tensor} }} }}',
        'name: "y" op: "ReverseV2" input: "x" input: "a"',
    )
    return "\n".join(f"node {{ {node} }}" for node in nodes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (_reversal(60, "tensor_shape { dim { size: 9000 } } int_val: 1"), "an axis twice"),
    ],
)
def test_what_would_take_forever_is_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "graph.pbtxt"
    path.write_text(text)
    notices = open_model(str(path), ReadOptions()).notices
    assert any(message in str(notice.error) for notice in notices)


def test_choices_for_each_sample_are_refused(tmp_path: Path) -> None:
    def build() -> None:
        chosen = tf.gather([[1.0, 2.0], [3.0, 4.0]], [1, 0], batch_dims=1, axis=1)
        tf.multiply(placeholder(2, 2), chosen, name="out")

    model = open_model(str(save_graph(graph_of(build), tmp_path)), ReadOptions())
    assert any("GatherV2" in str(notice.error) for notice in model.notices)


@pytest.mark.parametrize("name", OPEN)
def test_open_sizes(name: str, tmp_path: Path) -> None:
    graph = graph_of(lambda: tf.identity(FIXED[name](placeholder(None, None, None, 4)), name="out"))
    feeds = [{"x": noise(*size)} for size in (SIZE, (1, 9, 5, 4))]
    assert_same_as_tensorflow(graph, tmp_path, *feeds)
