"""Which tensor of the checkpoint a variable is restored from, as the graph itself says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from converters.readers.tensorflow.bundle import Bundle
from converters.readers.tensorflow.flat import Flattener, Key, Place
from converters.readers.tensorflow.graphdef import MetaGraph, Node
from converters.readers.tensorflow.tensors import Stored

VARIABLES: Final = frozenset({"VarHandleOp", "VariableV2", "Variable", "AutoReloadVariable"})
_ASSIGNMENTS: Final = frozenset({"AssignVariableOp", "Assign"})
_PASSES_ON: Final = frozenset({"Identity", "Reshape", "Cast"})
_RESTORES: Final = "RestoreV2"


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
    """Follow the restore operations, of the main graph (TF1) or of the function that the saver
    calls (TF2), from the checkpoint's names to the variables."""
    found = Variables(flattener, bundle)
    if bundle is not None:
        for target, source in _assignments(meta, flattener):
            name = _restored_name(flattener, source)
            if name and flattener.node(target.key).op in VARIABLES:
                found.keys.setdefault(target.key, name)
    return found


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


def _restored_name(flattener: Flattener, place: Place) -> str:
    """The name of the tensor that a RestoreV2 reads for this output, "" where it is none."""
    for _ in range(8):
        node = flattener.node(place.key)
        if node.op == _RESTORES:
            return _listed(flattener, place.key, place.index)
        if node.op not in _PASSES_ON:
            return ""
        place = flattener.inputs(place.key)[0]
    return ""


def _listed(flattener: Flattener, restore: Key, index: int) -> str:
    inputs = flattener.inputs(restore)
    names: Node | None = flattener.node(inputs[1].key) if len(inputs) > 1 else None
    tensor = names.tensor("value") if names is not None and names.op == "Const" else None
    if tensor is None or tensor.dtype.name != "string":
        return ""
    values = tensor.native().reshape(-1)
    return bytes(values[index]).decode("utf-8", "replace") if index < len(values) else ""
