"""conv2d_transpose and conv3d_transpose, raw: every configuration TensorFlow accepts converts.

One graph holds many transposed convolutions of one input, so that TensorFlow and onnxruntime run
once for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
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
from upconv.converters.ir import operators as ops

pytestmark = pytest.mark.filterwarnings("ignore")

Ints = tuple[int, ...]
CHANNELS_IN, CHANNELS_OUT = 2, 3


@dataclass(frozen=True)
class Case:
    """Per spatial axis kernel, stride and the output's place among those that are legal."""

    padding: str
    kernel: Ints
    stride: Ints
    extra: Ints

    def sizes(self, size: Ints) -> Ints:
        """The output's size: SAME takes s*(n-1)+1 .. s*n, VALID s*(n-1)+k .. s*n+k-1."""
        first = [1 if self.padding == "SAME" else k for k in self.kernel]
        return tuple(
            s * (n - 1) + f + e
            for n, s, f, e in zip(size, self.stride, first, self.extra, strict=True)
        )


def cases(axes: int) -> Iterator[Case]:
    """Every kernel, stride and output size of the first axis, others for the axes behind it."""
    listed = [
        (kernel, stride, extra)
        for kernel, stride in product(range(1, 6), range(1, 5))
        for extra in range(stride)
    ]
    for padding in ("SAME", "VALID"):
        for index in range(len(listed)):
            picked = [listed[(index + 17 * axis) % len(listed)] for axis in range(axes)]
            kernel, stride, extra = zip(*picked, strict=True)
            yield Case(padding, kernel, stride, extra)


def kernel_of(case: Case, seed: int) -> Any:
    return tf.constant(noise(*case.kernel, CHANNELS_OUT, CHANNELS_IN, seed=seed))


def add(x: Any, case: Case, sizes: Any, index: int) -> None:
    """The layer with a bias, whose value shows where padding would come behind it."""
    transposed = {2: tf.nn.conv2d_transpose, 3: tf.nn.conv3d_transpose}[len(case.kernel)]
    y = transposed(x, kernel_of(case, index), sizes, list(case.stride), case.padding)
    bias = tf.constant(noise(CHANNELS_OUT, seed=1000 + index) + 3)
    tf.nn.bias_add(y, bias, name=f"out{index}")


def computed(x: Any, case: Case) -> Any:
    """The output's size from the input's, by shape arithmetic in the graph."""
    shape = tf.shape(x)
    first = [1 if case.padding == "SAME" else k for k in case.kernel]
    sizes = [
        (shape[axis + 1] - 1) * s + (f + e)
        for axis, (s, f, e) in enumerate(zip(case.stride, first, case.extra, strict=True))
    ]
    return tf.stack([shape[0], *sizes, CHANNELS_OUT])


def impulses(*shape: int) -> Any:
    """Ones at the corners of the first image: they show a shift by one pixel."""
    values = np.zeros(shape, np.float32)
    for corner in product(*((0, size - 1) for size in shape[1:-1])):
        values[(0, *corner, 0)] = 1
    return values


SIZES: dict[int, tuple[Ints, ...]] = {2: ((5, 4), (2, 7)), 3: ((3, 2, 4), (1, 3, 2))}


@pytest.mark.parametrize("axes", [2, 3])
@pytest.mark.parametrize("dynamic", [False, True], ids=["fixed", "dynamic"])
def test_constant_output_size(axes: int, dynamic: bool, tmp_path: Path) -> None:
    """With open H and W the constant still says what the size must be."""
    size = SIZES[axes][0]

    def build() -> None:
        x = placeholder(None, *(None if dynamic else n for n in size), CHANNELS_IN)
        for index, case in enumerate(cases(axes)):
            add(x, case, [2, *case.sizes(size), CHANNELS_OUT], index)

    shape = (2, *size, CHANNELS_IN)
    feeds = [{"x": noise(*shape)}, {"x": impulses(*shape)}]
    model = assert_same_as_tensorflow(graph_of(build), tmp_path, *feeds)
    assert len(model.outputs) == len(list(cases(axes)))
    assert not model.notices


@pytest.mark.parametrize("axes", [2, 3])
def test_computed_output_size(axes: int, tmp_path: Path) -> None:
    """One graph for inputs of every size, odd and even; each layer stays one ConvTranspose."""

    def build() -> None:
        x = placeholder(None, *(None,) * axes, CHANNELS_IN)
        for index, case in enumerate(cases(axes)):
            add(x, case, computed(x, case), index)

    feeds = [{"x": noise(2, *size, CHANNELS_IN)} for size in SIZES[axes]]
    model = assert_same_as_tensorflow(graph_of(build), tmp_path, *feeds)
    found = [la.operator for la in model.layers if isinstance(la.operator, ops.ConvTranspose)]
    assert len(found) == len(model.layers)
    assert all(operator.target is None for operator in found)


def test_size_of_another_tensor(tmp_path: Path) -> None:
    """The output follows a second input, whose size decides where SAME begins: for kernel 3 and
    stride 2 at the first pixel or the second."""
    pairs = product(range(1, 6), range(1, 5))
    chosen = [Case("SAME", (k, 6 - k), (s, 5 - s), (0, 0)) for k, s in pairs]

    def build() -> None:
        skip = placeholder(None, None, None, 1, name="skip")
        x = placeholder(None, None, None, CHANNELS_IN)
        for index, case in enumerate(chosen):
            shape = tf.shape(skip)
            sizes = [(shape[1] - 1) * case.stride[0] + 1, (shape[2] - 1) * case.stride[1] + 1]
            add(x, case, tf.stack([tf.shape(x)[0], *sizes, CHANNELS_OUT]), index)
        tf.identity(skip, name="seen")

    feeds = [
        {"skip": noise(2, *size, 1), "x": noise(2, *size, CHANNELS_IN, seed=1)}
        for size in ((5, 4), (2, 7), (1, 1))
    ]
    assert_same_as_tensorflow(graph_of(build), tmp_path, *feeds)


@pytest.mark.parametrize(("kernel", "stride"), [(2, 2), (3, 2), (4, 2), (5, 3), (1, 2), (2, 4)])
def test_the_skips_own_size(kernel: int, stride: int, tmp_path: Path) -> None:
    """A decoder that goes back to its skip's size, odd or even."""

    def build() -> None:
        skip = placeholder(None, None, None, 1, name="skip")
        weight = tf.constant(noise(kernel, kernel, 2, 1))
        down = tf.nn.conv2d(skip, weight[:, :, :1] * 0 + 1, stride, "SAME")
        shape = tf.shape(skip)
        back = tf.constant(noise(kernel, kernel, 3, 1))
        sizes = tf.stack([shape[0], shape[1], shape[2], 3])
        y = tf.nn.conv2d_transpose(down, back, sizes, stride, "SAME")
        tf.nn.bias_add(y, tf.constant([1.0, -2.0, 3.0]), name="up")

    feeds = [{"skip": noise(2, *size, 1)} for size in ((8, 9), (7, 12), (11, 10), (9, 9))]
    assert_same_as_tensorflow(graph_of(build), tmp_path, *feeds)


def test_channels_first_and_groups_are_read(tmp_path: Path) -> None:
    """TensorFlow's CPU does not run NCHW, so the record is compared, not the numbers."""

    def build() -> None:
        x = placeholder(1, 4, 6, 5)
        kernel = tf.constant(noise(3, 2, 3, 4))
        tf.nn.conv2d_transpose(x, kernel, [1, 3, 12, 10], 2, "SAME", "NCHW", name="up")

    from tests.converters.readers.tensorflow.support import convert, save_graph

    model, _ = convert(save_graph(graph_of(build), tmp_path))
    assert not model.channels_last
    assert [entry.shape for entry in model.inputs] == [(1, 4, 6, 5)]
    (layer,) = model.layers
    assert layer.operator == ops.ConvTranspose(3, (3, 2), (2, 2), (1, 1), (0, 0), (1, 0), (0, 0))
