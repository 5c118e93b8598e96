"""Builds graphs in TensorFlow, saves them, and holds the conversions against TensorFlow itself."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.converters.onnx_writer.support import run_onnx
from upconv.converters.ir.dims import symbol
from upconv.converters.ir.model import Model
from upconv.converters.onnx_writer import write_onnx
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions

TOLERANCE = 1e-5
"""Of the largest magnitude of an output."""

Feeds = Mapping[str, Any]


def import_tensorflow() -> ModuleType:
    """TensorFlow on the CPU; the module skips where it is not installed."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tensorflow: ModuleType = pytest.importorskip("tensorflow", reason="no TensorFlow")
    return tensorflow


tf = import_tensorflow()
v1 = tf.compat.v1


def noise(*shape: int, seed: int = 0) -> Any:
    """Seeded noise, float32."""
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def graph_of(build: Callable[[], None]) -> Any:
    """The GraphDef that `build` makes in a graph of TF1."""
    with tf.Graph().as_default() as graph:
        build()
        return graph.as_graph_def()


def placeholder(*shape: int | None, name: str = "x") -> Any:
    return v1.placeholder(tf.float32, shape, name)


def run_graph(graph_def: Any, feeds: Feeds, outputs: tuple[str, ...]) -> dict[str, Any]:
    """What TensorFlow makes of the feeds."""
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
        with v1.Session(graph=graph) as session:
            fed = {f"{name}:0": value for name, value in feeds.items()}
            results = session.run([f"{name}:0" for name in outputs], fed)
    return dict(zip(outputs, results, strict=True))


def save_graph(graph_def: Any, folder: Path, *, text: bool = False) -> Path:
    """The graph as graph.pb or graph.pbtxt."""
    from google.protobuf import text_format

    path = folder / ("graph.pbtxt" if text else "graph.pb")
    if text:
        path.write_text(text_format.MessageToString(graph_def), "utf-8")
    else:
        path.write_bytes(graph_def.SerializeToString())
    return path


def shapes(**inputs: str) -> ReadOptions:
    """Options with input shapes written as on the command line: `x="1xHxWx3"`."""
    return ReadOptions(
        inputs={
            name: tuple(int(part) if part.isdecimal() else symbol(part) for part in text.split("x"))
            for name, text in inputs.items()
        }
    )


def convert(path: Path, options: ReadOptions | None = None) -> tuple[Model, Path]:
    """The model read and written as ONNX beside its file."""
    model = open_model(str(path), options or ReadOptions())
    target = path.with_suffix(".onnx")
    write_onnx(model, target)
    return model, target


def assert_equal(got: Any, want: Any, what: str = "", tolerance: float = TOLERANCE) -> None:
    """Equal up to `tolerance` of the largest magnitude."""
    assert got.shape == want.shape, f"{what}: {got.shape}, not {want.shape}"
    limit = tolerance * max(float(np.abs(want).max(initial=0.0)), 1e-30)
    np.testing.assert_allclose(got, want, rtol=0, atol=limit, err_msg=what)


def assert_same_as_tensorflow(
    graph_def: Any,
    folder: Path,
    *many_feeds: Feeds,
    options: ReadOptions | None = None,
    tolerance: float = TOLERANCE,
) -> Model:
    """Convert a frozen graph and compare every output, for each of the feeds."""
    model, target = convert(save_graph(graph_def, folder), options)
    for feeds in many_feeds:
        want = run_graph(graph_def, feeds, model.outputs)
        got = run_onnx(target, feeds)
        assert list(got) == list(model.outputs)
        for name in model.outputs:
            assert_equal(got[name], want[name], name, tolerance)
    return model
