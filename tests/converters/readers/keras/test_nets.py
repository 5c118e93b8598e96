"""Whole nets in every format Keras saves, equal to what Keras predicts, and certified."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tests.converters.onnx_writer.support import run_onnx
from tests.converters.readers.keras.nets import NETS, seeded
from tests.converters.readers.keras.support import (
    FORMATS,
    assert_equal,
    convert,
    kinds,
    noise,
    save,
)
from upconv.converters.onnx_writer import write_upsampling
from upconv.converters.proof.verify import verify

pytestmark = pytest.mark.filterwarnings("ignore")

TRANSPOSES = {"unet": 2, "dcgan": 2, "autoencoder": 4, "fsrcnn": 2, "nested": 2, "pose": 4}
"""One at every image that goes in or out, and one wherever a vector becomes an image or an image a
vector."""


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", NETS)
def test_nets_predict_the_same(name: str, form: str, tmp_path: Path) -> None:
    build, shapes = NETS[name]
    model = seeded(build())
    feeds = {key: noise(*shape) for key, shape in shapes.items()}
    path, options = save(model, tmp_path, form)
    read, target = convert(path, options)
    got = run_onnx(target, feeds)
    want = _predicted(model, list(feeds.values()))
    names = [tensor._keras_history.operation.name for tensor in model.outputs]
    assert list(got) == names == list(read.outputs)
    for key, expected in zip(got, want, strict=True):
        assert_equal(got[key], expected, key)
    assert kinds(onnx.load(target)).count("Transpose") == TRANSPOSES[name]


def _predicted(model: Any, feeds: list[Any]) -> list[Any]:
    results = model.predict(feeds if len(feeds) > 1 else feeds[0], verbose=0)
    return [np.asarray(r) for r in (results if isinstance(results, list) else [results])]


@pytest.mark.parametrize("name", NETS)
def test_nets_are_certified(name: str, tmp_path: Path) -> None:
    path, options = save(seeded(NETS[name][0]()), tmp_path, "keras")
    read, target = convert(path, options)
    verification = verify(read, str(target))
    assert verification.verdict == "pass", verification
    assert {one.layer for one in verification.layers} == {layer.name for layer in read.layers}


def test_shared_weights_are_written_once(tmp_path: Path) -> None:
    path, options = save(seeded(NETS["nested"][0]()), tmp_path, "keras")
    _, target = convert(path, options)
    graph = onnx.load(target).graph
    kernels = [entry.name for entry in graph.initializer if len(entry.dims) == 4]
    assert len(kernels) == 4  # of two convolutions, the block used twice, and the twin
    assert [node.op_type for node in graph.node].count("Conv") == 6


def test_single_layers_are_channels_first(tmp_path: Path) -> None:
    path, options = save(seeded(NETS["nested"][0]()), tmp_path, "keras")
    model, _ = convert(path, options)
    (end,) = write_upsampling(model, tmp_path / "parts")
    assert [axes[1] for axes in (*end.inputs.values(), *end.outputs.values())] == ["4", "2"]
    written = onnx.load(tmp_path / "parts" / end.file)
    assert kinds(written) == ["ConvTranspose"]


def test_an_input_that_is_an_output_and_an_output_given_twice(tmp_path: Path) -> None:
    from tests.converters.readers.keras.nets import L, keras

    x = keras.Input((4, 5, 2), name="x")
    y = L.Conv2D(2, 1, name="y")(x)
    path, _ = save(keras.Model(x, [x, y, y]), tmp_path, "keras")
    read, target = convert(path)
    assert read.outputs == ("x_1", "y", "y_1")
    feeds = {"x": noise(1, 4, 5, 2)}
    got = run_onnx(target, feeds)
    np.testing.assert_array_equal(got["x_1"], feeds["x"])
    np.testing.assert_array_equal(got["y_1"], got["y"])
