"""Builds models in Keras, saves them in every format, and holds the conversions against them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest

from tests.converters.onnx_writer.support import run_onnx
from upconv.converters.ir.model import Model
from upconv.converters.onnx_writer import write_onnx
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions

FORMATS = ("keras", "h5", "json")
TOLERANCE = 1e-5
"""Of the largest magnitude of an output."""


def import_keras() -> ModuleType:
    """Keras on TensorFlow, on one CPU thread; the module skips where it is not installed."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
        keras: ModuleType = pytest.importorskip("keras")
    keras.utils.set_random_seed(0)
    return keras


def noise(*shape: int, seed: int = 0) -> Any:
    """Seeded noise, float32."""
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def save(model: Any, folder: Path, form: str) -> tuple[Path, ReadOptions]:
    """The model saved as "keras", "h5", or "json" with its weights in a file of their own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = folder / f"model.{form}"
        if form != "json":
            model.save(path)
            return path, ReadOptions(keras_backend="tensorflow")
        path.write_text(model.to_json(), "utf-8")
        weights = folder / "model.weights.h5"
        model.save_weights(weights)
        return path, ReadOptions(weights=str(weights), keras_backend="tensorflow")


def convert(path: Path, options: ReadOptions | None = None) -> tuple[Model, Path]:
    """The model read and written as ONNX beside its file."""
    model = open_model(str(path), options or ReadOptions())
    target = path.with_suffix(".onnx")
    write_onnx(model, target)
    return model, target


def outputs_of(model: Any, feeds: Sequence[Any]) -> list[Any]:
    """What Keras itself computes."""
    results = model(list(feeds) if len(feeds) > 1 else feeds[0], training=False)
    listed = results if isinstance(results, list | tuple) else [results]
    return [np.asarray(value) for value in listed]


def assert_equal(got: Any, want: Any, what: str = "", tolerance: float = TOLERANCE) -> None:
    """Equal up to `tolerance` of the largest magnitude."""
    assert got.shape == want.shape, f"{what}: {got.shape}, not {want.shape}"
    limit = tolerance * max(float(np.abs(want).max(initial=0.0)), 1e-30)
    np.testing.assert_allclose(got, want, rtol=0, atol=limit, err_msg=what)


def compare(
    model: Any, path: Path, feeds: Mapping[str, Any], options: ReadOptions | None = None
) -> tuple[Model, onnx.ModelProto]:
    """Convert a saved model, run both on the same inputs in order, compare every output."""
    read, target = convert(path, options)
    want = outputs_of(model, list(feeds.values()))
    got = run_onnx(target, feeds)
    assert list(got) == list(read.outputs)
    for name, expected in zip(read.outputs, want, strict=True):
        assert_equal(got[name], expected, name)
    return read, onnx.load(target)


def kinds(model: onnx.ModelProto) -> list[str]:
    """The operators of a graph, in order."""
    return [node.op_type for node in model.graph.node]
