"""Which tensor of the checkpoint a variable is restored from, as the graph itself says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from upconv.converters.readers.files.wire import Wire
from upconv.converters.readers.tensorflow.bundle import Bundle
from upconv.converters.readers.tensorflow.flat import Flattener, Key, Place
from upconv.converters.readers.tensorflow.graphdef import MetaGraph, Node
from upconv.converters.readers.tensorflow.messages import WireRecord, text_of
from upconv.converters.readers.tensorflow.tensors import Stored

VARIABLES: Final = frozenset({"VarHandleOp", "VariableV2", "Variable", "AutoReloadVariable"})
_ASSIGNMENTS: Final = frozenset({"AssignVariableOp", "Assign"})
_PASSES_ON: Final = frozenset({"Identity", "Reshape", "Cast"})
_RESTORES: Final = "RestoreV2"
_OBJECTS: Final = "_CHECKPOINTABLE_OBJECT_GRAPH"
_VALUE: Final = "VARIABLE_VALUE"


@dataclass(slots=True)
class Variables:
    """The variables of a graph and, where there is one, their checkpoint.

    A variable that no restore operation names is looked up by its own name.
    """

    flattener: Flattener
    bundle: Bundle | None
    keys: dict[Key, str] = field(default_factory=dict)

    def stored(self, key: Key) -> Stored | None:
        """A variable's values, None where no checkpoint has them."""
        if self.bundle is None:
            return None
        node = self.flattener.node(key)
        for name in (self.keys.get(key, ""), node.word("shared_name"), node.name):
            found = self.bundle.tensor(name) if name else None
            if found is not None:
                return found
        return None


def find_variables(meta: MetaGraph, flattener: Flattener, bundle: Bundle | None) -> Variables:
    """Say where each variable is in the checkpoint: by the objects that a SavedModel's functions
    capture, which the checkpoint lists too; else by the restore operations of the main graph (TF1)
    or of the function that the saver calls (TF2)."""
    found = Variables(flattener, bundle)
    if bundle is not None:
        found.keys.update(_captured(meta, flattener, bundle))
        names = _RestoredNames(flattener)
        for target, source in _assignments(meta, flattener):
            name = names.of(source)
            if name and flattener.node(target.key).op in VARIABLES:
                found.keys.setdefault(target.key, name)
    return found


def _captured(meta: MetaGraph, flattener: Flattener, bundle: Bundle) -> Iterator[tuple[Key, str]]:
    """(variable, checkpoint key) of what the functions called in the main graph capture: the last
    inputs of a call, in order, are the objects that the function lists."""
    keys = _object_keys(bundle)
    for node in meta.graph.nodes.values() if keys else ():
        objects = meta.captures.get(node.function("f"), ()) if node.has("f") else ()
        if 0 < len(objects) <= len(node.inputs):
            for tensor, number in zip(node.inputs[-len(objects) :], objects, strict=True):
                place = flattener.place(tensor)
                if number in keys and flattener.node(place.key).op in VARIABLES:
                    yield place.key, keys[number]


def _object_keys(bundle: Bundle) -> dict[int, str]:
    """Object -> the key of its value, as the checkpoint's own list of objects has it."""
    raw = bundle.text(_OBJECTS)
    if raw is None:
        return {}
    graph = WireRecord(Wire(raw, bundle.path), "TrackableObjectGraph")
    return {
        number: text_of(attribute, "checkpoint_key")
        for number, item in enumerate(graph.records("nodes"))
        for attribute in item.records("attributes")
        if text_of(attribute, "name") == _VALUE
    }


def _assignments(meta: MetaGraph, flattener: Flattener) -> Iterator[tuple[Place, Place]]:
    """(variable, value) of every assignment that a restore may be."""
    main = flattener.main
    scopes = [main]
    restore = meta.graph.nodes.get(meta.restore.partition(":")[0])
    if restore is not None and restore.function("f") in meta.graph.functions:
        scopes.insert(0, flattener.enter(main, restore))
    for scope in scopes:
        for node in scope.nodes.values():
            if node.op in _ASSIGNMENTS and len(node.inputs) > 1:
                first, second = node.inputs[:2]
                yield flattener.place(first, scope), flattener.place(second, scope)


@dataclass(frozen=True, slots=True)
class _RestoredNames:
    """The tensors that restore operations read. One operation reads them all, by a list that is
    parsed once."""

    flattener: Flattener
    _lists: dict[Key, tuple[str, ...]] = field(default_factory=dict)

    def of(self, place: Place) -> str:
        """The name of the tensor that a RestoreV2 reads for this output, "" where it is none."""
        for _ in range(8):
            node = self.flattener.node(place.key)
            if node.op == _RESTORES:
                names = self._listed(place.key)
                return names[place.index] if place.index < len(names) else ""
            inputs = self.flattener.inputs(place.key) if node.op in _PASSES_ON else ()
            if not inputs:
                return ""
            place = inputs[0]
        return ""

    def _listed(self, restore: Key) -> tuple[str, ...]:
        if restore not in self._lists:
            self._lists[restore] = tuple(self._read(restore))
        return self._lists[restore]

    def _read(self, restore: Key) -> Iterator[str]:
        inputs = self.flattener.inputs(restore)
        names: Node | None = self.flattener.node(inputs[1].key) if len(inputs) > 1 else None
        tensor = names.tensor("value") if names is not None and names.op == "Const" else None
        if tensor is not None and tensor.dtype.name == "string":
            yield from (
                bytes(name).decode("utf-8", "replace") for name in tensor.native().reshape(-1)
            )
