"""From a file of Keras to a Model.

Whatever is wrong with one layer becomes a notice and an Unknown operator, so that everything
else can still be checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from upconv.converters.ir.errors import UnreadableError, UnsupportedError, UpconvError
from upconv.converters.ir.model import Layer, Model, validate
from upconv.converters.ir.operators import Identity
from upconv.converters.ir.origin import Origin, Source
from upconv.converters.passes.rename import renamed
from upconv.converters.readers.files.json_spans import JsonObject, parse_json
from upconv.converters.readers.files.prototxt import load_text
from upconv.converters.readers.files.wire import map_file
from upconv.converters.readers.keras.assemble import Assembler, Setting
from upconv.converters.readers.keras.config import Graph, Ref, read_graph
from upconv.converters.readers.keras.inputs import graph_inputs
from upconv.converters.readers.keras.layout import Value
from upconv.converters.readers.keras.lowering import Workspace
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
    head = bytes(map_file(path, "Keras model")[:8])
    if head.startswith(_ZIP):
        return build(path, _from_archive(path), options)
    if head == _HDF5:
        return build(path, _from_hdf5(path), options)
    return read_keras_source(load_text(path), options)


def read_keras_source(source: Source, options: ReadOptions) -> Model:
    """The model in an architecture that is already read; raises as `read_keras`."""
    node = _architecture(source)
    version = _version(node.text("keras_version"), node)
    return build(source.path, Architecture(node, version, is_text=True), options)


def _architecture(source: Source) -> JsonObject:
    node = parse_json(source)
    inner = node.object("model_config") if isinstance(node, JsonObject) else None
    node = inner or node
    if not isinstance(node, JsonObject) or "class_name" not in node:
        raise UnreadableError("JSON, but no architecture of Keras", path=source.path)
    return node


def _version(text: str, node: JsonObject) -> KerasVersion:
    """Keras 3's words have a `module` for every class; Keras 2's had none before 2.12."""
    return KerasVersion(text, 3 if "module" in node else 2)


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
    version = _version(file.root.text("keras_version") or "", node)
    return Architecture(node, version, is_text=False, weights=file)


def _scope(found: Architecture, graph: Graph, options: ReadOptions) -> Scope:
    """Where the arrays are: in the file that the user names, else in the model's own."""
    from upconv.converters.readers.files.hdf5 import Hdf5, open_hdf5
    from upconv.converters.readers.files.keras_archive import KerasArchive

    source = found.weights
    if options.weights:
        zipped = bytes(map_file(options.weights, "file of weights")[:4]) == _ZIP
        source = KerasArchive(options.weights) if zipped else open_hdf5(options.weights)
    if isinstance(source, KerasArchive):
        place = source.weights()
        source = Hdf5(place, source.path) if place is not None else None
    return NoScope() if source is None else open_scope(source, graph)


def build(path: str, found: Architecture, options: ReadOptions) -> Model:
    """The model of an architecture; errors point into its text where that is the file itself."""
    try:
        return _build(path, found, options)
    except UpconvError as error:
        if not found.is_text:
            error.where, error.path = None, error.path or path
        raise


def _build(path: str, found: Architecture, options: ReadOptions) -> Model:
    graph = read_graph(found.node)
    scope = _scope(found, graph, options)
    has_weights = not isinstance(scope, NoScope)
    work = Workspace(reserved=frozenset(layer.name for layer in graph.layers))
    setting = Setting(path, found.version, options, has_weights, found.is_text)
    entries = graph_inputs(graph, setting)
    for entry, _ in entries:
        work.values_taken.add(entry.name)
        work.shapes[entry.name] = entry.shape
    results = Assembler(setting, work).run(graph, [value for _, value in entries], scope)
    outputs = _named(graph, results, [value for _, value in entries], work, setting)
    ends = (*(value for _, value in entries), *outputs)
    model = Model(
        name=graph.name,
        path=path,
        framework="keras",
        inputs=tuple(entry for entry, _ in entries),
        outputs=tuple(value.name for value in outputs),
        layers=tuple(work.layers),
        notices=tuple(work.notices),
        weights_path=options.weights or (path if has_weights else ""),
        channels_last=frozenset(v.name for v in ends if v.moved and _has_space(v, work)),
        origin=Origin(path, "keras", graph.type, found.node.span if found.is_text else None, found),
    )
    validate(model)
    return model


def _has_space(value: Value, work: Workspace) -> bool:
    shape = work.shapes.get(value.name)
    return shape is not None and len(shape) > 2


def _named(
    graph: Graph,
    results: Sequence[Value],
    inputs: Sequence[Value],
    work: Workspace,
    setting: Setting,
) -> tuple[Value, ...]:
    """The outputs under the names of the layers that the model calls its outputs.

    The output of a model inside takes that model's name. One that is given twice and one that is
    an input get an Identity of their own.
    """
    taken = {value.name for value in inputs}
    names: dict[str, str] = {}
    outputs: list[Value] = []
    for ref, result in zip(graph.outputs, results, strict=True):
        value = Value(names.get(result.name, result.name), result.moved)
        if value.name in taken:
            value = _copy(graph, ref, value, work, setting)
        elif value.name.startswith(f"{ref.layer}/"):
            names[value.name] = work.value_name(ref.layer)
            work.shapes[names[value.name]] = work.shapes[value.name]
            value = Value(names[value.name], value.moved)
        taken.add(value.name)
        outputs.append(value)
    work.layers[:] = [renamed(layer, names) for layer in work.layers]
    return tuple(outputs)


def _copy(graph: Graph, ref: Ref, value: Value, work: Workspace, setting: Setting) -> Value:
    layer = graph.layer(ref.layer)
    span = layer.node.span if layer and setting.is_text else None
    name = work.value_name(ref.layer)
    origin = Origin(setting.path, "keras", layer.type if layer else "", span)
    work.layers.append(
        Layer(work.layer_name(ref.layer), Identity(), (value.name,), (name,), origin=origin)
    )
    work.shapes[name] = work.shapes.get(value.name)
    return Value(name, value.moved)
