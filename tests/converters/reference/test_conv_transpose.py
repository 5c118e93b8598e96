from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.converters.reference.build import deconvolution, noise, plane, run
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import like
from upconv.converters.ir.origin import Source
from upconv.converters.readers.caffe.caffemodel import read_caffemodel
from upconv.converters.readers.files.prototxt import parse

WORKED = [
    (
        [[1, 2], [3, 4]],
        [[5, 5], [5, 5]],
        1,
        [[5, 15, 10], [20, 50, 30], [15, 35, 20]],
    ),
    (
        [[1, 2], [3, 4]],
        [[1, 1, 1]] * 3,
        2,
        [[1, 1, 3, 2, 2], [1, 1, 3, 2, 2], [4, 4, 10, 6, 6], [3, 3, 7, 4, 4], [3, 3, 7, 4, 4]],
    ),
    (
        [[37, 47], [67, 77]],
        [[1, 2], [3, 4]],
        1,
        [[37, 121, 94], [178, 500, 342], [201, 499, 308]],
    ),
]
"""Input, kernel, stride, output: examples that people know."""


@pytest.mark.parametrize(("x", "kernel", "stride", "expected"), WORKED)
def test_worked_examples(x: Any, kernel: Any, stride: int, expected: Any) -> None:
    size = len(kernel)
    op = deconvolution(kernel=(size, size), stride=(stride, stride))
    np.testing.assert_array_equal(run(op, plane(x), weight=plane(kernel)), plane(expected))


def test_every_view_gives_the_worked_examples() -> None:
    from tests.converters.reference import transposed_views as views

    for x, kernel, stride, expected in WORKED:
        op = deconvolution(kernel=(len(kernel),) * 2, stride=(stride, stride))
        size = (len(expected), len(expected[0]))
        for view in (views.distribution, views.collection, views.matrix):
            found = view(op, plane(x), plane(kernel), None, size)
            np.testing.assert_array_equal(found, plane(expected))


def test_a_target_keeps_the_begin_and_decides_the_end() -> None:
    x, weight, bias = noise(2, 3, 4, 5), noise(3, 2, 4, 3, seed=1), noise(2, seed=2)
    given: dict[str, Any] = {"kernel": (4, 3), "stride": (2, 2), "pads_begin": (1, 0)}
    op = deconvolution(channels=2, target=(like("x1", 2), like("x1", 3)), **given)
    larger = deconvolution(channels=2, pads_end=(-9, -9), **given)
    reference = noise(2, 1, 7, 14)
    y = run(op, x, reference, weight=weight, bias=bias)
    everything = run(larger, x, weight=weight, bias=bias)
    np.testing.assert_array_equal(y, everything[:, :, :7, :14])
    np.testing.assert_array_equal(
        y[:, :, :, 11:], np.broadcast_to(bias.reshape(-1, 1, 1), y[:, :, :, 11:].shape)
    )


def test_output_padding_beyond_the_kernel_holds_the_bias() -> None:
    op = deconvolution(kernel=(1, 1), stride=(3, 3), output_padding=(2, 2))
    y = run(op, plane([[2, 3]]), weight=plane([[10]]), bias=[0.5])
    np.testing.assert_array_equal(y, plane([[20.5, 0.5, 0.5, 30.5, 0.5, 0.5]] + [[0.5] * 6] * 2))


def _ints(message: Any, name: str, default: int, axes: int) -> tuple[int, ...]:
    suffixes = {"kernel_size": "kernel", "pad": "pad", "stride": "stride"}
    stem = suffixes.get(name)
    if stem is not None and message.has(f"{stem}_h"):
        return message.int(f"{stem}_h", default), message.int(f"{stem}_w", default)
    found = message.ints(name) or [default]
    return tuple(found * axes if len(found) == 1 else found)


def _golden_nets() -> list[str]:
    return [f"deconv_{i:02d}" for i in range(40)] + ["bilinear_dense", "rect_hw"]


@pytest.mark.parametrize("name", _golden_nets())
def test_equals_caffe(shared: Path, name: str) -> None:
    (folder,) = (shared / "goldens/caffe").glob(f"{name}*")
    path = folder / "net.prototxt"
    layers = parse(Source(str(path), path.read_text())).root.messages("layer")
    (found,) = [one for one in layers if one.str("type", "") == "Deconvolution"]
    message = found.message("convolution_param")
    assert message is not None
    values = np.load(folder / "io.npz")
    x, expected = values["in/data"], values["out/" + found.strs("top")[0]]
    axes = x.ndim - 2
    pads = _ints(message, "pad", 0, axes)
    op = ops.ConvTranspose(
        message.int("num_output", 0),
        _ints(message, "kernel_size", 0, axes),
        _ints(message, "stride", 1, axes),
        _ints(message, "dilation", 1, axes),
        pads,
        pads,
        (0,) * axes,
        message.int("group", 1),
    )
    stored = read_caffemodel(folder / "net.caffemodel").find(found.str("name", ""))
    assert stored is not None
    blobs = dict(zip(("weight", "bias"), (blob.array() for blob in stored.blobs), strict=False))
    y = run(op, x, **blobs)
    assert y.shape == expected.shape
    assert np.abs(y - expected).max() <= 1e-6 * np.abs(expected).max()
