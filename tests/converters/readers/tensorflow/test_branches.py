"""Control flow, sequences in blocks, and what broadcasts, against TensorFlow itself."""

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

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("turned", [False, True])
def test_a_branch_whose_condition_the_file_decides(
    training: bool, turned: bool, tmp_path: Path
) -> None:
    """tf.cond of TF2 keeps its branches as functions."""

    def build() -> None:
        x = placeholder(None, 4, 6, 3)
        flag = v1.placeholder_with_default(training, (), "is_training")
        condition = tf.logical_not(flag) if turned else flag
        chosen = tf.cond(condition, lambda: tf.nn.relu(x) + 1.0, lambda: x * 2.0)
        tf.identity(chosen, "y")

    found = assert_same_as_tensorflow(graph_of(build), tmp_path, {"x": noise(2, 4, 6, 3)})
    assert found.notices == ()


def _condition() -> Any:
    return v1.placeholder(tf.bool, (), "flag")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda x: tf.cond(_condition(), lambda: x + 1.0, lambda: x), "tf.cond"),
        (
            lambda x: tf.while_loop(
                lambda i, y: i < 3, lambda i, y: (i + 1, y * 2.0), [tf.constant(0), x]
            )[1],
            "a loop",
        ),
    ],
)
def test_what_is_refused_by_its_name(
    build: Callable[[Any], Any], message: str, tmp_path: Path
) -> None:
    def graph() -> None:
        tf.identity(build(placeholder(None, 4, 6, 3)), "y")

    found = open_model(str(save_graph(graph_of(graph), tmp_path)), ReadOptions())
    assert any(message in notice.error.message for notice in found.notices)
    assert all(notice.error.hint for notice in found.notices if message in notice.error.message)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_dilated_sequences(padding: str, tmp_path: Path) -> None:
    """TensorFlow moves blocks of the sequence, not of the image of one row, to the batch."""

    def build() -> None:
        x = placeholder(None, None, 4)
        y = tf.nn.conv1d(x, tf.constant(noise(3, 4, 5)), 1, padding, dilations=2)
        z = tf.nn.max_pool1d(tf.nn.bias_add(y, tf.constant(noise(5))), 3, 2, "SAME")
        tf.identity(z, "z")

    feeds = [{"x": noise(2, 13, 4)}, {"x": noise(1, 8, 4)}]
    found = assert_same_as_tensorflow(graph_of(build), tmp_path, *feeds)
    assert found.notices == ()


def test_constants_longer_than_the_tensor(tmp_path: Path) -> None:
    def build() -> None:
        x = placeholder(None, None, None, 4)
        means = tf.reduce_mean(x, -1, keepdims=True)
        tf.identity(means * tf.constant(noise(5)), "a")
        tf.identity(tf.constant(noise(3, 1, 5)) - tf.reduce_mean(x, [1, 3], keepdims=True), "b")
        tf.identity(tf.constant(noise(5)) / (2 + tf.abs(means)), "c")
        tf.identity(tf.nn.gelu(x) + tf.math.erf(x) + tf.math.expm1(x), "d")

    feeds = [{"x": noise(2, 6, 5, 4)}, {"x": noise(1, 7, 9, 4)}]
    found = assert_same_as_tensorflow(graph_of(build), tmp_path, *feeds)
    assert found.notices == ()


def test_averages_of_open_sizes_leave_the_padding_out(tmp_path: Path) -> None:
    def build() -> None:
        x = placeholder(None, None, None, 4)
        tf.nn.avg_pool2d(x, 3, 2, "SAME", name="a")
        tf.nn.avg_pool2d(x, [2, 5], [3, 1], "SAME", name="b")

    feeds = [{"x": noise(2, 9, 12, 4)}, {"x": noise(1, 8, 7, 4)}]
    assert_same_as_tensorflow(graph_of(build), tmp_path, *feeds)
