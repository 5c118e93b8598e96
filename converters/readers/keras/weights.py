"""Where each layer's arrays are in an HDF5 file of Keras, in its two layouts.

Keras 3 numbers: `layers/<snake_case class>[_i]/vars/<j>`, counted per class in the order of the
architecture, a model inside has its own `layers`. The older layout names:
`model_weights/<layer>.attrs["weight_names"]`, a model inside lists all it contains.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.readers.files.hdf5 import Dataset, Group, Hdf5
from upconv.converters.readers.keras.config import Graph, LayerConfig
from upconv.converters.readers.keras.variables import ALIASES, Variables, variables_of


class Scope(Protocol):
    """The arrays of one model's layers."""

    def arrays(self, layer: LayerConfig) -> Mapping[str, Dataset]:
        """Variable name -> array; a layer the file lacks has none.

        Raises UnreadableError where the file holds another number of arrays.
        """
        ...

    def inside(self, layer: LayerConfig) -> Scope:
        """The scope of a model that is used as a layer."""
        ...

    def place(self, layer: LayerConfig) -> str:
        """The HDF5 path of the layer's arrays, "" where it has none."""
        ...


@dataclass(frozen=True, slots=True)
class NoScope:
    """The scope of a model without weights."""

    def arrays(self, layer: LayerConfig) -> Mapping[str, Dataset]:
        return {}

    def inside(self, layer: LayerConfig) -> Scope:
        return self

    def place(self, layer: LayerConfig) -> str:
        return ""


def open_scope(file: Hdf5, graph: Graph) -> Scope:
    """The scope of the whole model in a weights file of either layout.

    Raises UnreadableError where the file holds no weights of Keras.
    """
    root = file.root.group("model_weights") or file.root
    if root.texts("layer_names") is not None:
        return NamedScope(root)
    if root.group("layers") is not None or root.group("_layer_checkpoint_dependencies") is not None:
        return NumberedScope(root, graph)
    raise UnreadableError("an HDF5 file without weights of Keras", path=file.path)


def snake_case(class_name: str) -> str:
    """A class's name as Keras 3 makes it a path (keras/src/utils/naming.py).

    >>> snake_case("Conv2DTranspose"), snake_case("PReLU")
    ('conv2d_transpose', 'p_re_lu')
    """
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", class_name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


class NumberedScope:
    """One model in Keras 3's layout. Newer files say each layer's real name beside its arrays."""

    def __init__(self, root: Group | None, graph: Graph) -> None:
        self._layers = root.group("layers") if root else None
        if self._layers is None and root is not None:
            self._layers = root.group("_layer_checkpoint_dependencies")
        self._keys = dict(self._named())
        counts: dict[str, int] = {}
        for layer in graph.layers:
            if layer.is_operation:
                continue
            name = snake_case(layer.type)
            count = counts.get(name, 0)
            counts[name] = count + 1
            self._keys.setdefault(layer.name, f"{name}_{count}" if count else name)

    def _named(self) -> Iterator[tuple[str, str]]:
        for key in self._layers.names() if self._layers else ():
            own = self._layers.group(f"{key}/vars") if self._layers else None
            name = own.text("name") if own else None
            if name:
                yield name, key

    def _group(self, layer: LayerConfig) -> Group | None:
        return self._layers.group(self._keys.get(layer.name, layer.name)) if self._layers else None

    def arrays(self, layer: LayerConfig) -> Mapping[str, Dataset]:
        group = self._group(layer)
        own = group.group("vars") if group else None
        names = variables_of(layer.type, layer.config).names
        if own is None or not names:
            return {}
        found = [own.dataset(str(index)) for index in range(len(names))]
        if found and all(array is None for array in found):
            return {}
        for index, array in enumerate(found):
            if array is None:
                raise _absent(layer, names[index], own)
        return {name: array for name, array in zip(names, found, strict=True) if array}

    def inside(self, layer: LayerConfig) -> Scope:
        assert layer.graph is not None, "asked of models inside"
        return NumberedScope(self._group(layer), layer.graph)

    def place(self, layer: LayerConfig) -> str:
        group = self._group(layer)
        return group.path if group else ""


def _absent(layer: LayerConfig, name: str, group: Group) -> UnreadableError:
    return UnreadableError(
        f"the weights file has no {name} at {group.path}", path=group.file.path, layer=layer.name
    )


class NamedScope:
    """A whole model in the older layout."""

    def __init__(self, root: Group) -> None:
        self._root = root

    def _stored(self, layer: LayerConfig) -> list[tuple[str, Dataset]]:
        group = self._root.group(layer.name)
        names = group.texts("weight_names") if group else None
        if group is None or not names:
            return []
        return [(name, _required(group, name, layer)) for name in names]

    def arrays(self, layer: LayerConfig) -> Mapping[str, Dataset]:
        variables = variables_of(layer.type, layer.config)
        return _by_name(layer, variables, self._stored(layer)) if variables.names else {}

    def inside(self, layer: LayerConfig) -> Scope:
        assert layer.graph is not None, "asked of models inside"
        return flat_scope(layer.graph, self._stored(layer))

    def place(self, layer: LayerConfig) -> str:
        group = self._root.group(layer.name)
        return group.path if group else ""


def _required(group: Group, name: str, layer: LayerConfig) -> Dataset:
    found = group.dataset(name)
    if found is None:
        raise _absent(layer, name, group)
    return found


def _by_name(
    layer: LayerConfig, variables: Variables, stored: Sequence[tuple[str, Dataset]]
) -> dict[str, Dataset]:
    """The layer's variables among named arrays: by their last name, else in their order."""
    if not stored or not variables.names:
        return {}
    last = {name.rpartition("/")[2].partition(":")[0]: array for name, array in stored}
    found: dict[str, Dataset] = {}
    for name in variables.names:
        for alias in ALIASES.get(name, (name,)):
            if alias in last:
                found[name] = last[alias]
    if len(found) == len(variables.names):
        return found
    if len(stored) < len(variables.names):
        raise UnreadableError(
            f"the weights file has {len(stored)} arrays for it, not {len(variables.names)}",
            path=stored[0][1].file.path,
            layer=layer.name,
        )
    return {name: array for name, (_, array) in zip(variables.names, stored, strict=False)}


@dataclass(frozen=True, slots=True)
class FlatScope:
    """A model inside, in the older layout: all arrays in one list.

    An array is known by its name, `.../<layer>/<variable>`, or where that fits none or several,
    by its place in the order (`ordered`, empty where the counts differ).
    """

    stored: tuple[tuple[str, Dataset], ...]
    ordered: Mapping[tuple[tuple[str, ...], str], Dataset]
    path: tuple[str, ...] = ()

    def arrays(self, layer: LayerConfig) -> Mapping[str, Dataset]:
        variables = variables_of(layer.type, layer.config)
        own = [(n, array) for n, array in self.stored if n.split("/")[-2:-1] == [layer.name]]
        if len(own) == len(variables.names):
            return _by_name(layer, variables, own)
        here = (*self.path, layer.name)
        found = {name: self.ordered.get((here, name)) for name in variables.names}
        return {name: array for name, array in found.items() if array is not None}

    def inside(self, layer: LayerConfig) -> Scope:
        return FlatScope(self.stored, self.ordered, (*self.path, layer.name))

    def place(self, layer: LayerConfig) -> str:
        return next((array.path.rpartition("/")[0] for array in self.arrays(layer).values()), "")


def flat_scope(graph: Graph, stored: Sequence[tuple[str, Dataset]]) -> FlatScope:
    """The scope of a model inside whose arrays are listed in Keras's order: those that training
    changes first, each part in the order of the layers."""
    order = [key for trained in (True, False) for key in _variables(graph, (), trained, False)]
    arrays = [array for _, array in stored]
    ordered = dict(zip(order, arrays, strict=True)) if len(order) == len(arrays) else {}
    return FlatScope(tuple(stored), ordered)


def _variables(
    graph: Graph, path: tuple[str, ...], trained: bool, frozen: bool
) -> Iterator[tuple[tuple[str, ...], str]]:
    """The variables of a model in Keras's order of trainable_weights (or of the others).

    Of a layer that is not trainable every variable counts as one of the others.
    """
    for layer in graph.layers:
        here = (*path, layer.name)
        still = frozen or layer.config.get("trainable", True) is False
        if layer.graph is not None:
            yield from _variables(layer.graph, here, trained, still)
            continue
        variables = variables_of(layer.type, layer.config)
        if still:
            names = () if trained else variables.names
        else:
            names = variables.trained if trained else variables.kept
        yield from ((here, name) for name in names)
