"""Keras's files in Keras."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib import import_module
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
from upconv.converters.readers.keras.backends import DEFAULT, MODERN, chosen
from upconv.converters.readers.keras.reader import Architecture, build, read_architecture
from upconv.converters.readers.keras.version import KerasVersion
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
    backend = chosen(found.version, options)
    keras = _keras_on(backend, model.path)
    _require_same_meaning(model, found, options, str(keras.__version__))
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
    title = "Keras" if backend == DEFAULT else f"Keras on {backend}"
    return Loaded(title, version, run, types)


def _keras_on(backend: str, path: str) -> Any:
    """Keras computing with that backend; whoever calls is a process of its own.

    Raises UnsupportedError where no Keras of today computes with it, or this process already does
    with another, and UsageError where it is not installed.
    """
    if backend not in MODERN:
        raise UnsupportedError(
            f"it is not run: its backend is '{backend}', which Keras has no more",
            path=path,
            hint="use --against reference",
        )
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = backend
    with importing(f"Keras on {backend}", backend):
        import_module(backend)
        keras = import_module("keras")
    if keras.backend.backend() != backend:
        raise UnsupportedError(
            f"it is not run: its backend is {backend}, and Keras runs on "
            f"{keras.backend.backend()} here",
            path=path,
        )
    return keras


def _require_same_meaning(
    model: Model, found: Architecture, options: ReadOptions, installed: str
) -> None:
    """Raise UnsupportedError where the Keras that is installed computes another net of the file
    than the one that wrote it."""
    version = found.version
    today = replace(found, version=KerasVersion(installed, version.generation, version.backend))
    as_written = build(model.path, found, options)
    theirs = build(model.path, today, replace(options, keras_bilinear="half-pixel"))
    for ours, other in zip(as_written.layers, theirs.layers, strict=False):
        if ours.operator != other.operator:
            raise UnsupportedError(
                f"it is not run: Keras {installed} computes another thing of it than "
                f"Keras {version.text} on {chosen(version, options)}, which it is from",
                path=model.path,
                layer=ours.name,
                hint=f"use --against reference, or install keras=={version.text.split('-')[0]}",
            )


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
