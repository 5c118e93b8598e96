"""From a file of Keras to a Model.

Whatever is wrong with one layer becomes a notice and an Unknown operator, so that everything
else can still be checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from upconv.converters.ir.errors import UnreadableError, UnsupportedError, UpconvError
from upconv.converters.ir.model import Model
from upconv.converters.ir.origin import Origin, Source
from upconv.converters.readers.assembly.workspace import Workspace
from upconv.converters.readers.files.json_spans import JsonObject, parse_json
from upconv.converters.readers.files.prototxt import load_text
from upconv.converters.readers.files.wire import map_file, other_format
from upconv.converters.readers.keras.assemble import KINDS, Assembler, Setting
from upconv.converters.readers.keras.backends import require_known
from upconv.converters.readers.keras.config import Graph, Ref, read_graph
from upconv.converters.readers.keras.inputs import graph_inputs
from upconv.converters.readers.keras.keras1 import (
    in_words_of_2,
    is_keras_1,
    ordering_of,
    tell,
)
from upconv.converters.readers.keras.lowering import Value
from upconv.converters.readers.keras.version import KerasVersion
from upconv.converters.readers.keras.weights import NoScope, Scope, open_scope
from upconv.converters.readers.options import ReadOptions

_HDF5: Final = b"\x89HDF\r\n\x1a\n"
_ZIP: Final = b"PK\x03\x04"


@dataclass(frozen=True, slots=True)
class Architecture:
    """What was read of a file: the model's JSON, who wrote it, and where its weights are."""

    node: JsonObject
    version: KerasVersion
    is_text: bool
    weights: Any = None


def read_keras(path: str, options: ReadOptions) -> Model:
    """The model in a `.keras` file, an `.h5` file or an architecture in JSON.

    Weights are the file's own, or those of the file `options.weights` names (`.weights.h5`, `.h5`
    or `.keras`). Shapes in `options.inputs` are in the model's own layout.

    Raises UnreadableError where the file is no model, UnsupportedError where it is HDF5 without an
    architecture.
    """
    return build(path, read_architecture(path), options)


def read_architecture(path: str) -> Architecture:
    """What a file says of its model; raises as `read_keras`."""
    head = bytes(map_file(path, "Keras model")[:8])
    if head.startswith(_ZIP):
        return _from_archive(path)
    if head == _HDF5:
        return _from_hdf5(path)
    return _from_text(load_text(path))


def read_keras_source(source: Source, options: ReadOptions) -> Model:
    """The model in an architecture that is already read; raises as `read_keras`."""
    return build(source.path, _from_text(source), options)


def _from_text(source: Source) -> Architecture:
    node = _architecture(source)
    outer = parse_json(source)
    assert isinstance(outer, JsonObject), "an architecture was found in it"
    version = _version(outer.text("keras_version"), outer.text("backend"), node)
    return Architecture(node, version, is_text=True)


def _architecture(source: Source) -> JsonObject:
    node = parse_json(source)
    inner = node.object("model_config") if isinstance(node, JsonObject) else None
    node = inner or node
    if not isinstance(node, JsonObject) or "class_name" not in node:
        raise UnreadableError("JSON, but no architecture of Keras", path=source.path)
    return node


def _version(text: str, backend: str, node: JsonObject) -> KerasVersion:
    """Keras 3's words have a `module` for every class; Keras 2's had none before 2.12."""
    generation: Literal[2, 3] = 3 if "module" in node else 2
    return KerasVersion(text, generation, backend.lower())


def _from_archive(path: str) -> Architecture:
    from upconv.converters.readers.files.keras_archive import CONFIG, METADATA, KerasArchive

    archive = KerasArchive(path)
    node = _architecture(Source(path, archive.text(CONFIG)))
    text = archive.text(METADATA)
    about = parse_json(Source(path, text)) if text else None
    written = about.text("keras_version") if isinstance(about, JsonObject) else ""
    return Architecture(node, KerasVersion(written, 3), is_text=False, weights=archive)


def _from_hdf5(path: str) -> Architecture:
    from upconv.converters.readers.files.hdf5 import open_hdf5

    file = open_hdf5(path)
    text = file.root.text("model_config")
    if text is None:
        raise UnsupportedError(
            "this HDF5 file holds no architecture, weights at most",
            path=path,
            hint=f"give the architecture, as in: upconv convert model.json --weights {path}",
        )
    node = _architecture(Source(path, text))
    written, backend = (file.root.text(name) or "" for name in ("keras_version", "backend"))
    version = _version(written, backend, node)
    return Architecture(node, version, is_text=False, weights=file)


def _scope(found: Architecture, graph: Graph, options: ReadOptions) -> Scope:
    """Where the arrays are: in the file that the user names, else in the model's own."""
    from upconv.converters.readers.files.hdf5 import Hdf5, open_hdf5
    from upconv.converters.readers.files.keras_archive import KerasArchive

    source = found.weights
    if options.weights:
        zipped = _require_weights(options.weights).startswith(_ZIP)
        source = KerasArchive(options.weights) if zipped else open_hdf5(options.weights)
    if isinstance(source, KerasArchive):
        place = source.weights()
        source = Hdf5(place, source.path) if place is not None else None
    return NoScope() if source is None else open_scope(source, graph)


def _require_weights(path: str) -> bytes:
    """The first bytes of a file of weights; raises UnreadableError for what is none of Keras's."""
    from upconv.converters.readers.files.hdf5.store import SIGNATURE

    head = bytes(map_file(path, "file of weights")[:4096])
    if not head.startswith((_ZIP, SIGNATURE)):
        what, hint = other_format(head) or ("no file of Keras's weights", "")
        hint = hint or "give a .weights.h5, .h5 or .keras file"
        raise UnreadableError(f"this is {what}", path=path, hint=hint)
    return head


def build(path: str, found: Architecture, options: ReadOptions) -> Model:
    """The model of an architecture; errors point into its text where that is the file itself."""
    try:
        return _build(path, found, options)
    except UpconvError as error:
        if not found.is_text:
            error.where, error.path = None, error.path or path
        raise


def _build(path: str, found: Architecture, options: ReadOptions) -> Model:
    graph = written = read_graph(found.node)
    is_old = is_keras_1(found.version, graph)
    if is_old:
        graph = in_words_of_2(written, ordering_of(written))
    scope = _scope(found, graph, options)
    has_weights = not isinstance(scope, NoScope)
    work = Workspace(path, "keras", KINDS)
    work.values.reserved = {layer.name for layer in graph.layers}
    origin = Origin(path, "keras")
    require_known(found.version, options.keras_backend, work, origin)
    if is_old:
        tell(found.version, written, options.keras_backend, work, origin)
    setting = Setting(path, found.version, options, has_weights, found.is_text)
    inputs = graph_inputs(graph, setting, work)
    results = Assembler(setting, work).run(graph, inputs, scope)
    for ref, value in zip(graph.outputs, results, strict=True):
        _leave(graph, ref, value, setting, work)
    return work.model(
        graph.name,
        weights_path=options.weights or (path if has_weights else ""),
        origin=Origin(path, "keras", graph.type, found.node.span if found.is_text else None),
    )


def _leave(graph: Graph, ref: Ref, value: Value, setting: Setting, work: Workspace) -> None:
    """Let a value leave under the name of the layer that the model calls its output.

    The output of a model inside takes that model's name. One that is given twice and one that is
    an input get an Identity of their own.
    """
    renamed = work.is_border(value.name) or value.name.startswith(f"{ref.layer}/")
    name = work.values.unique(ref.layer) if renamed else value.name
    layer = graph.layer(ref.layer)
    span = layer.node.span if layer and setting.is_text else None
    origin = Origin(setting.path, "keras", layer.type if layer else "", span)
    last = value.moved and (work.rank(value.name) or 0) > 2
    work.leave(value.name, name, ref.layer, origin, channels_last=last)
