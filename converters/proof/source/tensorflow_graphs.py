"""TensorFlow's files in TensorFlow: SavedModel folders, frozen graphs, .meta and checkpoint."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.model import Model
from upconv.converters.proof.source.loaded import Feeds, Loaded, asking, importing, in_order
from upconv.converters.proof.source.tensorflow_vetting import (
    require_inert_graph,
    require_inert_saved_model,
)
from upconv.converters.readers.options import ReadOptions
from upconv.converters.readers.tensorflow.files import Kind, is_text, read_file
from upconv.converters.readers.tensorflow.paths import checkpoint_prefix
from upconv.converters.readers.tensorflow.reader import DEFAULT_SIGNATURE

TITLE: Final = "TensorFlow"

Run = Callable[[Feeds], Mapping[str, Any]]
Ready = tuple[Run, Mapping[str, str]]
"""What runs a model, and the types of its inputs."""


def load(model: Model, options: ReadOptions) -> Loaded:
    """The model as TensorFlow loads it; raises UnreadableError where TensorFlow refuses it, and
    UnsupportedError for weights that it cannot be given."""
    with importing("TensorFlow", "tensorflow"):
        import tensorflow
    kind: Kind = "saved model"
    if not os.path.isdir(model.path):
        kind, _ = read_file(model.path)
    if options.weights and kind != "meta graph":
        raise UnsupportedError(
            f"TensorFlow cannot be given other weights for a {kind}",
            path=model.path,
            hint="use --against reference",
        )
    run, types = _LOADERS[kind](tensorflow, model, options)
    return Loaded("TensorFlow", str(tensorflow.__version__), run, types)


def _saved_model(tensorflow: Any, model: Model, options: ReadOptions) -> Ready:
    folder = model.path if os.path.isdir(model.path) else os.path.dirname(model.path)
    folder = folder or "."
    with importing("TensorFlow", "tensorflow"):
        from tensorflow.python.saved_model.loader_impl import parse_saved_model
    with asking(TITLE, model.path):
        saved = parse_saved_model(folder)
    require_inert_saved_model(saved, model.path)
    with asking(TITLE, model.path):
        loaded = tensorflow.saved_model.load(folder)
    signatures = loaded.signatures
    name = DEFAULT_SIGNATURE if DEFAULT_SIGNATURE in signatures else min(signatures)
    inputs = signatures[name].structured_input_signature[1]

    def run(feeds: Feeds) -> Mapping[str, Any]:
        fed = dict(zip(inputs, in_order(list(inputs), feeds), strict=True))
        with asking(_title(tensorflow), model.path):
            tensors = {key: tensorflow.constant(values) for key, values in fed.items()}
            results = loaded.signatures[name](**tensors)
            return {key: value.numpy() for key, value in results.items()}

    return run, {key: spec.dtype.name for key, spec in inputs.items()}


def _graph(tensorflow: Any, model: Model, options: ReadOptions) -> Ready:
    graph_def = _parsed(tensorflow.compat.v1.GraphDef(), model.path)
    require_inert_graph(graph_def, model.path)
    graph = tensorflow.Graph()
    with asking(TITLE, model.path), graph.as_default():
        tensorflow.import_graph_def(graph_def, name="")
        session = tensorflow.compat.v1.Session(graph=graph)
    return _session_run(tensorflow, session, model, {})


def _meta_graph(tensorflow: Any, model: Model, options: ReadOptions) -> Ready:
    meta = _parsed(tensorflow.compat.v1.MetaGraphDef(), model.path)
    require_inert_graph(meta.graph_def, model.path)
    graph = tensorflow.Graph()
    prefix = checkpoint_prefix(options.weights or os.path.splitext(model.path)[0])
    with asking(TITLE, model.path), graph.as_default():
        session = tensorflow.compat.v1.Session(graph=graph)
        saver = tensorflow.compat.v1.train.import_meta_graph(meta)
        if saver is not None:
            saver.restore(session, prefix)
    return _session_run(tensorflow, session, model, _signature_tensors(meta, model))


def _signature_tensors(meta: Any, model: Model) -> dict[str, str]:
    """Key -> tensor of the signature that has the model's outputs; none where no signature has."""
    for signature in meta.signature_def.values():
        if set(model.outputs) <= set(signature.outputs):
            both = (*signature.inputs.items(), *signature.outputs.items())
            return {key: info.name for key, info in both}
    return {}


def _session_run(tensorflow: Any, session: Any, model: Model, tensors: Mapping[str, str]) -> Ready:
    """A graph's inputs and outputs are nodes, or what its signature calls so."""

    def tensor(name: str) -> str:
        found = tensors.get(name, name)
        return found if ":" in found else f"{found}:0"

    def run(feeds: Feeds) -> Mapping[str, Any]:
        fetched = {name: tensor(name) for name in model.outputs}
        fed = {tensor(name): values for name, values in feeds.items()}
        with asking(_title(tensorflow), model.path):
            results: Mapping[str, Any] = session.run(fetched, fed)
        return results

    places = {entry.name: tensor(entry.name) for entry in model.inputs}
    by_name = session.graph.get_tensor_by_name
    with asking(TITLE, model.path):
        return run, {name: by_name(place).dtype.name for name, place in places.items()}


def _title(tensorflow: Any) -> str:
    return f"{TITLE} {tensorflow.__version__}"


def _parsed(message: Any, path: str) -> Any:
    """The message, filled from a file, binary or text."""
    from google.protobuf import text_format

    data = Path(path).read_bytes()
    with asking(TITLE, path):
        if is_text(data):
            text_format.Parse(data, message)
        else:
            message.ParseFromString(data)
    return message


_LOADERS: Final[Mapping[str, Callable[[Any, Model, ReadOptions], Ready]]] = {
    "saved model": _saved_model,
    "graph": _graph,
    "meta graph": _meta_graph,
}
