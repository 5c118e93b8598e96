"""The layer graph a Keras architecture describes: Sequential, Functional, and models inside.

Keras 2 and 3 write the same graph in two ways; what comes out of here is one. A call is one use
of a layer, a shared layer has several.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.readers.files.json_spans import JsonObject

MAX_NESTING: Final = 30
GRAPH_CLASSES: Final = frozenset({"Model", "Functional"})
CONTAINERS: Final = GRAPH_CLASSES | {"Sequential"}
_OWN_MODULES: Final = ("keras", "tf_keras", "tensorflow.python.keras", "tensorflow.keras")
_CONSTANT: Final = "_CONSTANT_VALUE"


@dataclass(frozen=True, slots=True)
class Ref:
    """The output `tensor` of the call `node` of a layer."""

    layer: str
    node: int
    tensor: int


@dataclass(frozen=True, slots=True)
class NodeCall:
    """One use of a layer: the tensors it reads, and its raw arguments with Refs in their place."""

    tensors: tuple[Ref, ...]
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]


@dataclass(frozen=True, slots=True)
class LayerConfig:
    """A layer as written. `node` is its whole entry; `graph` is there for a model inside."""

    name: str
    type: str
    node: JsonObject
    config: JsonObject
    calls: tuple[NodeCall, ...]
    graph: Graph | None = None

    @property
    def module(self) -> str:
        """Where the class is from, "" in Keras 2."""
        return self.node.text("module")

    @property
    def is_custom(self) -> bool:
        """Whether the class is not Keras's own; a registered one is `package>name`."""
        module, registered = self.module, self.node.text("registered_name")
        foreign = bool(module) and not module.startswith(_OWN_MODULES)
        return foreign or any(
            ">" in name and not name.startswith("keras") for name in (registered, self.type)
        )

    @property
    def is_operation(self) -> bool:
        """Whether this is a function of `keras.ops` in the graph, and no layer.

        Keras 3's .h5 files leave the module out; a layer has a dtype or is trainable, though.
        """
        if self.module:
            return ".ops" in self.module
        typed = "dtype" in self.config and self.type not in TYPED
        named = "trainable" in self.config or typed
        return _is_written_by_3(self.node) and not named


TYPED: Final = frozenset({"Cast", "Cumsum"})
"""Functions that have a dtype."""


@dataclass(frozen=True, slots=True)
class Graph:
    """A model: layers in the order of the file, and the tensors that go in and out."""

    name: str
    type: str
    node: JsonObject
    layers: tuple[LayerConfig, ...]
    inputs: tuple[Ref, ...]
    outputs: tuple[Ref, ...]
    first_calls: Mapping[str, int] = field(default_factory=dict)

    def layer(self, name: str) -> LayerConfig | None:
        """The layer of that name."""
        return next((layer for layer in self.layers if layer.name == name), None)

    def key(self, ref: Ref) -> tuple[str, int]:
        """The layer and call a reference means, calls counted from 0."""
        return ref.layer, ref.node - self.first_calls.get(ref.layer, 0)


def read_graph(node: JsonObject, depth: int = 0) -> Graph:
    """The graph of a model's architecture, {"class_name": ..., "config": ...}.

    Raises UnreadableError where it has none (a subclassed model), or a broken one.
    """
    type_name = node.text("class_name")
    if depth > MAX_NESTING:
        raise UnreadableError("models nested too deep", where=node.span)
    config = node.get("config")
    if type_name == "Sequential" and isinstance(config, list | JsonObject):
        return _sequential(node, config, depth)
    if not isinstance(config, JsonObject) or "layers" not in config:
        raise UnreadableError(
            f"a model of the class {type_name or '?'} without a graph of layers: a subclassed "
            "model's file holds its weights, and its graph is Python code",
            where=node.span,
            hint="rebuild it with the functional API and save that",
        )
    return _functional(node, config, depth)


def _entries(config: JsonObject | list[Any], node: JsonObject) -> Iterator[JsonObject]:
    items = config if isinstance(config, list) else config.get("layers")
    if not isinstance(items, list):
        raise UnreadableError("its layers are no list", where=node.span)
    for item in items:
        if not isinstance(item, JsonObject) or not isinstance(item.get("class_name"), str):
            where = item.span if isinstance(item, JsonObject) else node.span
            raise UnreadableError("a layer without a class_name", where=where)
        yield item


def _layer(entry: JsonObject, calls: tuple[NodeCall, ...], depth: int) -> LayerConfig:
    config = entry.get("config")
    type_name = entry.text("class_name")
    is_model = type_name in CONTAINERS and isinstance(config, list | JsonObject)
    graph = read_graph(entry, depth + 1) if is_model else None
    settings = config if isinstance(config, JsonObject) else entry
    name = entry.text("name") or settings.text("name") or type_name.lower()
    return LayerConfig(name, type_name, entry, settings, calls, graph)


def _sequential(node: JsonObject, config: JsonObject | list[Any], depth: int) -> Graph:
    """A chain; the InputLayer, where there is one, is its first entry."""
    layers: list[LayerConfig] = []
    last: Ref | None = None
    for entry in _entries(config, node):
        layer = _layer(entry, (), depth)
        is_input = layer.type == "InputLayer"
        read = () if is_input else (last or Ref("", 0, 0),)
        calls = () if is_input else (NodeCall(read, read, {}),)
        layers.append(LayerConfig(layer.name, layer.type, entry, layer.config, calls, layer.graph))
        last = Ref(layer.name, 0, 0)
    _require_unique(layers)
    if last is None:
        raise UnreadableError("a model without layers", where=node.span)
    first = layers[0]
    inputs = (Ref(first.name, 0, 0),) if first.type == "InputLayer" else (Ref("", 0, 0),)
    settings = config if isinstance(config, JsonObject) else node
    return Graph(
        settings.text("name", "sequential"), "Sequential", node, tuple(layers), inputs, (last,)
    )


def _functional(node: JsonObject, config: JsonObject, depth: int) -> Graph:
    layers = [_layer(entry, _calls(entry), depth) for entry in _entries(config, node)]
    _require_unique(layers)
    built = {layer.name for layer in layers if _counts_building(layer)}
    inputs, outputs = (
        tuple(
            Ref(ref.layer, ref.node - (ref.layer in built), ref.tensor)
            for ref in _refs(config.get(member))
        )
        for member in ("input_layers", "output_layers")
    )
    return Graph(
        config.text("name") or node.text("name") or "model",
        "Functional",
        node,
        tuple(layers),
        inputs,
        outputs,
        _first_calls(layers, outputs),
    )


def _counts_building(layer: LayerConfig) -> bool:
    """Whether input_layers and output_layers count the building of a model inside as its call 0.

    Keras 3 does so for functional models, there and not among the inbound_nodes
    (keras/src/models/functional.py, get_config and serialize_node).
    """
    is_functional = layer.graph is not None and layer.graph.type == "Functional"
    return is_functional and _is_written_by_3(layer.node)


def _is_written_by_3(entry: JsonObject) -> bool:
    """Whether the calls of a layer are written as Keras 3 does: {"args", "kwargs"}."""
    nodes = entry.list("inbound_nodes")
    return bool(nodes) and isinstance(nodes[0], JsonObject)


def _require_unique(layers: list[LayerConfig]) -> None:
    seen: set[str] = set()
    for layer in layers:
        if layer.name in seen:
            message = "two layers have this name"
            raise UnreadableError(message, where=layer.node.span, layer=layer.name)
        seen.add(layer.name)


def _calls(entry: JsonObject) -> tuple[NodeCall, ...]:
    nodes = entry.get("inbound_nodes")
    if nodes is None:
        return ()
    if not isinstance(nodes, list):
        raise UnreadableError("its inbound_nodes are no list", where=entry.span)
    return tuple(_call(node, entry) for node in nodes)


def _call(node: Any, entry: JsonObject) -> NodeCall:
    """One call: Keras 3's {"args", "kwargs"}, or Keras 2's list of [layer, node, tensor, kwargs],
    where a single tensor may stand alone."""
    if isinstance(node, JsonObject):
        arguments = tuple(_argument(item) for item in node.list("args"))
        keywords = node.object("kwargs")
        named = {key: _argument(keywords[key]) for key in keywords} if keywords else {}
        tensors = (*_tensors(arguments), *_tensors(tuple(named.values())))
        return NodeCall(tensors, arguments, named)
    if not isinstance(node, list):
        raise UnreadableError("one of its inbound_nodes is no call", where=entry.span)
    items = [node] if _is_old_ref(node) else node
    arguments = tuple(_old_argument(item) for item in items)
    extra = [item[3] for item in items if isinstance(item, list) and len(item) > 3]
    members = [
        (member, key) for member in extra if isinstance(member, JsonObject) for key in member
    ]
    named = {key: _old_argument(member[key]) for member, key in members}
    return NodeCall((*_tensors(arguments), *_tensors(tuple(named.values()))), arguments, named)


def _argument(value: Any) -> Any:
    """An argument of Keras 3 with Refs in place of its tensors."""
    if isinstance(value, list):
        return [_argument(item) for item in value]
    if isinstance(value, JsonObject) and value.get("class_name") == "__keras_tensor__":
        config = value.object("config")
        history = config.list("keras_history") if config else []
        return _ref(history, value)
    return value


def _old_argument(value: Any) -> Any:
    """An argument of Keras 2: a tensor, a constant, or a list of them."""
    if not isinstance(value, list):
        return value
    if value[:1] == [_CONSTANT] and len(value) > 2:
        return value[2]
    if _is_old_ref(value):
        return Ref(value[0], value[1], value[2])
    return [_old_argument(item) for item in value]


def _is_old_ref(value: list[Any]) -> bool:
    return (
        len(value) >= 3
        and isinstance(value[0], str)
        and isinstance(value[1], int)
        and (isinstance(value[2], int) or value[0] == _CONSTANT)
    )


def _ref(history: list[Any], where: JsonObject) -> Ref:
    if not _is_old_ref(history):
        raise UnreadableError("a tensor without its keras_history", where=where.span)
    return Ref(history[0], history[1], history[2])


def _tensors(values: Any) -> Iterator[Ref]:
    for value in values:
        if isinstance(value, Ref):
            yield value
        elif isinstance(value, list):
            yield from _tensors(value)


def _refs(value: Any) -> Iterator[Ref]:
    """input_layers or output_layers: one reference, a list, or an object of them."""
    if isinstance(value, JsonObject):
        for key in value:
            yield from _refs(value[key])
    elif isinstance(value, list) and value:
        if _is_old_ref(value):
            yield Ref(value[0], value[1], value[2])
        else:
            for item in value:
                yield from _refs(item)


def _first_calls(layers: list[LayerConfig], outputs: tuple[Ref, ...]) -> dict[str, int]:
    """Model inside -> the number of its first call. Keras 2 counts from 1, because building the
    model was a call too; then some reference is to a call one past the last."""
    counts = {layer.name: len(layer.calls) for layer in layers if layer.graph is not None}
    used = [ref for layer in layers for call in layer.calls for ref in call.tensors]
    beyond = {ref.layer for ref in (*used, *outputs) if ref.node >= counts.get(ref.layer, 1 << 30)}
    return dict.fromkeys(beyond, 1)
