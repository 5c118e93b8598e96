"""Small TensorFlow Lite models, in the reference and in TensorFlow's interpreter."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from upconv.converters.ir.model import Model
from upconv.converters.ir.operators import Unknown
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions
from upconv.converters.reference import run_model


def noise(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def read(data: bytes, folder: Path, **inputs: Sequence[Any]) -> Model:
    """The model, by way of a file."""
    path = folder / "net.tflite"
    path.write_bytes(data)
    return open_model(str(path), ReadOptions(inputs={k: tuple(v) for k, v in inputs.items()}))


def reasons(model: Model) -> dict[str, str]:
    """Layer -> why it is not understood."""
    operators = ((layer.name, layer.operator) for layer in model.layers)
    return {name: one.reason for name, one in operators if isinstance(one, Unknown)}


def meant(model: Model, *feeds: Any) -> list[Any]:
    """The outputs in the reference, laid out as the file has them."""
    assert not reasons(model)
    named = {}
    for entry, feed in zip(model.inputs, feeds, strict=True):
        last = entry.name in model.channels_last
        named[entry.name] = np.moveaxis(feed, -1, 1) if last else feed
    values = run_model(model, named, keep=model.outputs)
    return [
        np.moveaxis(values[name], 1, -1) if name in model.channels_last else values[name]
        for name in model.outputs
    ]


def interpreted(data: bytes, *feeds: Any) -> list[Any]:
    """The outputs of TensorFlow's interpreter."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tensorflow = pytest.importorskip("tensorflow", reason="no TensorFlow")
        made = tensorflow.lite.Interpreter(model_content=data)
    for entry, feed in zip(made.get_input_details(), feeds, strict=True):
        made.resize_tensor_input(entry["index"], feed.shape)
    made.allocate_tensors()
    for entry, feed in zip(made.get_input_details(), feeds, strict=True):
        made.set_tensor(entry["index"], feed)
    made.invoke()
    return [made.get_tensor(entry["index"]) for entry in made.get_output_details()]
