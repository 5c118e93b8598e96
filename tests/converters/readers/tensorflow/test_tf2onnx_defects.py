"""Where tf2onnx 1.17 goes wrong, as single layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.converters.readers.tensorflow.support import (
    assert_same_as_tensorflow,
    graph_of,
    noise,
    placeholder,
    tf,
)

pytestmark = pytest.mark.filterwarnings("ignore")


def layer(x: Any, kernel: int, stride: int, sizes: Any, padding: str) -> None:
    y = tf.nn.conv2d_transpose(x, tf.constant(noise(kernel, kernel, 2, 1)), sizes, stride, padding)
    tf.nn.bias_add(y, tf.constant([5.0, -7.0]), name="up")


@pytest.mark.parametrize(
    ("kernel", "stride", "size", "padding"),
    [(2, 3, 12, "SAME"), (1, 2, 8, "SAME"), (3, 2, 10, "VALID"), (2, 4, 17, "VALID")],
)
def test_no_pad_is_negative(
    kernel: int, stride: int, size: int, padding: str, tmp_path: Path
) -> None:
    """SAME with a kernel below the stride, VALID larger than the smallest output."""

    def build() -> None:
        layer(placeholder(1, 4, 4, 1), kernel, stride, [1, size, size, 2], padding)

    assert_same_as_tensorflow(graph_of(build), tmp_path, {"x": noise(1, 4, 4, 1)})


def test_the_bias_reaches_the_rows_behind(tmp_path: Path) -> None:
    """Open H and W and an output larger than the smallest: what is added there is the bias."""

    def build() -> None:
        x = placeholder(None, None, None, 1)
        shape = tf.shape(x)
        sizes = tf.stack([shape[0], shape[1] * 3 + 1, shape[2] * 3 + 1, 2])
        layer(x, 2, 3, sizes, "VALID")

    graph = graph_of(build)
    assert_same_as_tensorflow(graph, tmp_path, {"x": noise(2, 5, 4, 1)}, {"x": noise(1, 2, 7, 1)})


def test_a_constant_size_and_an_open_input(tmp_path: Path) -> None:
    """Kernel 3 and stride 2: the odd pixel of SAME is cut at the end."""

    def build() -> None:
        layer(placeholder(None, None, None, 1), 3, 2, [1, 8, 8, 2], "SAME")

    x = np.zeros((1, 4, 4, 1), np.float32)
    x[0, 1, 2] = 1
    assert_same_as_tensorflow(graph_of(build), tmp_path, {"x": x}, {"x": noise(1, 4, 4, 1)})
