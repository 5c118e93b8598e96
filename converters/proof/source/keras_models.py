"""Keras's files in Keras."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.model import Model
from upconv.converters.ir.quiet import quietly
from upconv.converters.proof.source.loaded import (
    Feeds,
    Loaded,
    asking,
    by_name,
    importing,
    in_order,
)
from upconv.converters.readers.files.json_spans import JsonObject
from upconv.converters.readers.keras.reader import read_architecture
from upconv.converters.readers.options import ReadOptions

OWN_MODULES: Final = ("keras", "tf_keras", "tensorflow", "builtins")
CODE: Final = ("Lambda", "__lambda__", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "TFSMLayer")
"""Classes of Keras's own that run code of the file, or load another file."""


def load(model: Model, options: ReadOptions) -> Loaded:
    """The model as Keras loads it, in safe mode, without its optimizer.

    Raises UnreadableError where Keras refuses it, and UnsupportedError where the architecture
    names classes that are not Keras's.
    """
    found = read_architecture(model.path)
    _require_own(found.node, model.path)
    _require_today(model, options)
    with importing("Keras on TensorFlow", "tensorflow"):
        import keras
        import tensorflow  # noqa: F401  (what Keras computes with)
    text = _architecture_text(model.path) if found.is_text else ""
    with quietly(), asking("Keras", model.path):
        network = _loaded(keras, model.path, text, options.weights)
        flat = keras.Model(list(network.inputs), list(network.outputs))
    names = [_layer_name(tensor) for tensor in network.inputs]
    version = str(keras.__version__)

    def run(feeds: Feeds) -> dict[str, Any]:
        arguments = in_order(names, feeds)
        with quietly(), asking(f"Keras {version}", model.path):
            results = flat(arguments, training=False)
            values = [keras.ops.convert_to_numpy(one) for one in _listed(results)]
        return _named_outputs(model, names, network.outputs, values)

    types = {name: str(tensor.dtype) for name, tensor in zip(names, flat.inputs, strict=True)}
    return Loaded("Keras", version, run, types)


def _architecture_text(path: str) -> str:
    """What Keras is given of a file of text: the part of it that says the layers."""
    with open(path, encoding="utf-8-sig") as file:
        written = json.load(file)
    config = written.get("model_config", written)
    return config if isinstance(config, str) else json.dumps(config)


def _loaded(keras: Any, path: str, architecture: str, weights: str) -> Any:
    """What Keras makes of an architecture, or of the whole file where that is none alone."""
    if architecture:
        network = keras.models.model_from_json(architecture)
    else:
        network = keras.saving.load_model(path, compile=False, safe_mode=True)
    if weights:
        network.load_weights(weights)
    return network


def _named_outputs(
    model: Model, inputs: Sequence[str], tensors: Sequence[Any], values: Sequence[Any]
) -> dict[str, Any]:
    """Outputs under the names of their layers, a repeated one with _1 behind it.

    Where Keras calls a layer something else, their order tells.
    """
    taken = set(inputs)
    names = []
    for tensor in tensors:
        name, count = _layer_name(tensor), 0
        while (wanted := f"{name}_{count}" if count else name) in taken:
            count += 1
        taken.add(wanted)
        names.append(wanted)
    if set(names) != set(model.outputs):
        names = list(model.outputs)
    return by_name(names, values, "outputs")


def _layer_name(tensor: Any) -> str:
    return str(tensor._keras_history.operation.name)


def _listed(results: Any) -> list[Any]:
    return list(results) if isinstance(results, list | tuple) else [results]


def _require_own(node: JsonObject, path: str) -> None:
    """Raise UnsupportedError for a class that is not Keras's own, or that runs code."""
    for entry in _objects(node):
        name, module = entry.text("class_name"), entry.text("module")
        registered = entry.text("registered_name").partition(">")
        foreign = module and not _is_own(module)
        custom = registered[1] and not _is_own(registered[0])
        if foreign or custom or name in CODE:
            raise UnsupportedError(
                f"it is not given to Keras: the class '{name}' ({module or 'its own'}) is code "
                "that Keras does not bring",
                path=path,
                hint="use --against reference",
            )


def _is_own(module: str) -> bool:
    """Whether a dotted name is Keras's: its package is, and not only the begin of its name."""
    return module.partition(".")[0] in OWN_MODULES


def _require_today(model: Model, options: ReadOptions) -> None:
    """Raise UnsupportedError where today's Keras is known to compute something else."""
    if options.keras_bilinear == "asymmetric":
        raise UnsupportedError(
            "the Keras that is installed interpolates with half-pixel centres, and "
            "--keras-bilinear asymmetric says that this model was trained otherwise",
            path=model.path,
            hint="use --against reference",
        )


def _objects(node: JsonObject) -> Iterator[JsonObject]:
    """Every object of an architecture."""
    waiting: list[Any] = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, JsonObject):
            yield one
            waiting.extend(one.values.values())
        elif isinstance(one, list):
            waiting.extend(one)
