"""Files as Keras writes them, made without Keras: for what it would not write itself."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions


def layer(type_name: str, name: str, *reads: str, **config: Any) -> dict[str, Any]:
    """A layer in Keras 2's words that reads the first outputs of the named layers."""
    nodes = [[[source, 0, 0, {}] for source in reads]] if reads else []
    return {
        "class_name": type_name,
        "name": name,
        "config": {"name": name, "trainable": True, "dtype": "float32", **config},
        "inbound_nodes": nodes,
    }


def entry(name: str, *shape: int | None) -> dict[str, Any]:
    return layer("InputLayer", name, batch_input_shape=[None, *shape])


def model(*layers: dict[str, Any], outputs: list[Any] | None = None, **more: Any) -> dict[str, Any]:
    """A functional model whose last layer is its output."""
    config = {
        "name": "net",
        "layers": list(layers),
        "input_layers": [
            [one["name"], 0, 0] for one in layers if one["class_name"] == "InputLayer"
        ],
        "output_layers": outputs or [[layers[-1]["name"], 0, 0]],
    }
    return {"class_name": "Model", "config": config, **more}


def upsampler(**config: Any) -> dict[str, Any]:
    """x (N, 4, 5, 2) -> up."""
    settings = {"filters": 3, "kernel_size": [3, 3], "strides": [2, 2], "padding": "same"}
    return model(entry("x", 4, 5, 2), layer("Conv2DTranspose", "up", "x", **settings | config))


def arrays() -> dict[str, Any]:
    """The variables of `upsampler`."""
    kernel = np.arange(3 * 3 * 3 * 2, dtype=np.float32).reshape(3, 3, 3, 2)
    return {"kernel": kernel, "bias": np.ones(3, np.float32)}


def write_json(path: Path, architecture: Any) -> Path:
    path.write_text(json.dumps(architecture, indent=1), "utf-8")
    return path


def write_h5(
    path: Path, architecture: Any, stored: Mapping[str, Any], version: str = "2.15.0"
) -> Path:
    """An .h5 file whose only layer with weights is `up`."""
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = version
        file.attrs["model_config"] = json.dumps(architecture)
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = [b"up"]
        group = weights.create_group("up")
        group.attrs["weight_names"] = [f"up/{name}:0".encode() for name in stored]
        for name, values in stored.items():
            group[f"up/{name}:0"] = values
    return path


def write_weights(path: Path, stored: Mapping[str, Any], key: str = "conv2d_transpose") -> Path:
    """A .weights.h5 file of Keras 3 with the arrays of one layer."""
    with h5py.File(path, "w") as file:
        for index, values in enumerate(stored.values()):
            file[f"layers/{key}/vars/{index}"] = values
    return path


def write_keras(
    path: Path, architecture: Any, stored: Mapping[str, Any], compression: int = zipfile.ZIP_STORED
) -> Path:
    inner = write_weights(path.with_suffix(".inner.h5"), stored)
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("metadata.json", '{"keras_version": "3.15.1"}')
        archive.writestr("config.json", json.dumps(architecture))
        archive.write(inner, "model.weights.h5")
    inner.unlink()
    return path


def read(path: Path, **options: Any) -> Any:
    return open_model(str(path), ReadOptions(**options))
