"""Comparisons, choices, rounding and counts up to open sizes, against TensorFlow."""

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
    v1,
)
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions


def first(x: Any) -> Any:
    return tf.transpose(x, [0, 3, 1, 2])


def size(x: Any, axis: int) -> Any:
    return tf.cast(tf.shape(x)[axis], tf.float32)


BUILDS: dict[str, Callable[[Any], Any]] = {
    "relations": lambda x: sum(
        2.0**index * tf.cast(one, tf.float32)
        for index, one in enumerate(
            [x < 0.5, x <= tf.round(x), tf.less(0.3, x), x >= x[..., :1], tf.equal(x, 0.0), x != 0]
        )
    ),
    "where": lambda x: tf.where(x > 0.0, x, 2.0 * x) + tf.where(x > 1.0, 1.0, x),
    "where, broadcast": lambda x: tf.where(x[..., :1] > 0.0, x, tf.constant(noise(4))),
    "where of a constant": lambda x: tf.where([True, False, True, False], x, -x),
    "select": lambda x: tf.raw_ops.Select(condition=x > 0.0, x=x, y=-x),
    "logic": lambda x: tf.where(
        tf.logical_and(x > -1.0, tf.logical_not(tf.logical_or(x > 1.0, x[..., 1:2] > 0.0))), x, 0.1
    ),
    "transposed": lambda x: tf.where(first(x) > 0.0, first(x), 0.0),
    "rounded": lambda x: tf.round(2 * x) + tf.floor(3 * x) + tf.math.ceil(x) + tf.math.rint(4 * x),
    "signs and waves": lambda x: tf.sign(x) + tf.sin(20 * x) + tf.cos(x),
    "cut": lambda x: tf.cast(tf.cast(5 * x, tf.int32), tf.float32),
    "rests": lambda x: tf.math.floormod(x, 0.75)
    + tf.math.floormod(3 * x, tf.abs(x[..., :1]) + 1.0),
    "floor division": lambda x: tf.math.floordiv(x, 0.3),
    "powers": lambda x: tf.pow(tf.abs(x), 1.3) + tf.pow(2.0, x) + tf.pow(tf.abs(x), x[..., :1]),
    "sums so far": lambda x: tf.cumsum(x, 1) + tf.cumsum(x, -1, exclusive=True, reverse=True),
    "rows": lambda x: x * tf.cast(tf.range(tf.shape(x)[1]), tf.float32)[:, None, None],
    "columns": lambda x: x + tf.cast(tf.range(1, 2 * tf.shape(x)[2], 2), tf.float32)[:, None],
    "filled": lambda x: x + tf.fill([tf.shape(x)[1], 1, 4], 2.5),
    "repeated": lambda x: tf.broadcast_to(x[:, :1, :1], tf.shape(x)) + x,
    "sizes": lambda x: x * size(x, 1) / (size(x, 2) - 1.0),
}  # fmt: skip
SIZES = ((2, 6, 7, 4), (1, 9, 5, 4))


@pytest.mark.parametrize("name", BUILDS)
def test_open_sizes(name: str, tmp_path: Path) -> None:
    graph = graph_of(lambda: tf.identity(BUILDS[name](placeholder(None, None, None, 4)), name="y"))
    model = assert_same_as_tensorflow(graph, tmp_path, *({"x": noise(*size)} for size in SIZES))
    assert not model.notices


def test_one_condition_for_each_sample_is_refused(tmp_path: Path) -> None:
    def build() -> None:
        x = placeholder(3, 4)
        tf.raw_ops.Select(condition=x[:, 0] > 0.0, x=x, y=-x, name="y")

    model = open_model(str(save_graph(graph_of(build), tmp_path)), ReadOptions())
    assert any("for each sample" in str(notice.error) for notice in model.notices)


def test_floats_lose_their_fraction_once(tmp_path: Path) -> None:
    """What holds whole numbers already is passed on."""

    def build() -> None:
        image = v1.placeholder(tf.float32, (None, None, None, 2), name="x")
        places = tf.argmax(image, -1)
        tf.cast(tf.cast(places, tf.int32), tf.float32, name="y")

    model = assert_same_as_tensorflow(graph_of(build), tmp_path, {"x": noise(1, 4, 5, 2)})
    assert "Floor" not in {type(layer.operator).__name__ for layer in model.layers}
