"""From TensorFlow's files to a Model: SavedModel folders, frozen graphs, .meta and checkpoint.

What one node has wrong or we do not know becomes an Unknown operator and a notice, so that
everything else can still be checked.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from converters.errors import UnreadableError, UnsupportedError, UpconvError
from converters.ir import Model, ModelInput, Notice, validate
from converters.operators import Identity, Unknown
from converters.origin import Origin
from converters.readers.options import ReadOptions
from converters.readers.tensorflow.bundle import Bundle, open_bundle
from converters.readers.tensorflow.files import Kind, read_file, saved_model_in
from converters.readers.tensorflow.finishing import joined, named_outputs, without_unread
from converters.readers.tensorflow.flat import FlatNode, Flattener, Key, Place
from converters.readers.tensorflow.folding import FOLDS, fold, placeholder_of
from converters.readers.tensorflow.graphdef import MetaGraph, Node, Signature, TensorInfo
from converters.readers.tensorflow.inputs import Surroundings, Written, graph_inputs
from converters.readers.tensorflow.lowering import LOWERINGS, Call
from converters.readers.tensorflow.network import Network
from converters.readers.tensorflow.values import (
    Dead,
    Entry,
    Known,
    Missing,
    Part,
    Value,
    channels_last,
    plain,
)
from converters.readers.tensorflow.variables import VARIABLES, find_variables

DEFAULT_SIGNATURE: Final = "serving_default"
_INIT_SIGNATURE: Final = "__saved_model_init_op"
_PLACEHOLDERS: Final = frozenset({"Placeholder", "PlaceholderV2"})
_NO_OUTPUTS: Final = VARIABLES.union(
    """
    Assert NoOp Print PrintV2 Const Placeholder PlaceholderWithDefault VarIsInitializedOp
    SaveV2 SaveSlices Save MergeV2Checkpoints RestoreV2 Restore ReadVariableOp ScalarSummary
    HistogramSummary ImageSummary MergeSummary
    """.split()  # noqa: SIM905
)
_SIDE_EFFECTS: Final = ("Assign", "Apply", "ResourceApply", "Save", "Initialize", "LookupTable")


def read_tensorflow(path: str, options: ReadOptions) -> Model:
    """The model in a SavedModel folder or a graph's file, with its weights.

    Raises UnreadableError where the file is none or broken, UnsupportedError where it has no
    graph that can be followed, and UsageError where the options name an input it does not have.
    """
    load_lowerings()
    file = saved_model_in(path) if os.path.isdir(path) else path
    if not file:
        raise UnreadableError("a folder without a saved_model.pb", path=path)
    kind, meta = read_file(file)
    bundle = _bundle(kind, file, options)
    return _Reader(path, kind, meta, bundle, options).model()


def _bundle(kind: Kind, file: str, options: ReadOptions) -> Bundle | None:
    """The checkpoint with the variables: the one given, or that which belongs to the file."""
    if options.weights:
        return open_bundle(_prefix(options.weights))
    folder = os.path.dirname(file)
    if kind == "saved model":
        prefix = os.path.join(folder, "variables", "variables")
    elif kind == "meta graph":
        prefix = os.path.splitext(file)[0]
    else:
        return None
    exists = os.path.exists(f"{prefix}.index") or os.path.exists(prefix)
    return open_bundle(prefix) if exists else None


def _prefix(weights: str) -> str:
    """A checkpoint's prefix, given itself or as one of its files."""
    base = os.path.basename(weights)
    for mark in (".index", ".data-", ".meta"):
        at = base.find(mark)
        if at > 0:
            return os.path.join(os.path.dirname(weights), base[:at])
    return weights


@cache
def load_lowerings() -> None:
    """Import every module `ops_*` of this package, so that its lowerings register."""
    from importlib import import_module
    from pkgutil import iter_modules

    from converters.readers import tensorflow

    for module in iter_modules(tensorflow.__path__):
        if module.name.startswith("ops_"):
            import_module(f"{tensorflow.__name__}.{module.name}")


@dataclass(slots=True)
class _Reader:
    """The state of one reading."""

    path: str
    kind: Kind
    meta: MetaGraph
    bundle: Bundle | None
    options: ReadOptions
    values: dict[Key, tuple[Entry, ...]] = field(default_factory=dict)
    used: dict[Key, int] = field(default_factory=dict)

    def model(self) -> Model:
        """The whole model."""
        flattener = Flattener(self.meta.graph)
        signature = self._signature()
        outputs = self._outputs(flattener, signature)
        nodes = list(flattener.order([place for _, place in outputs]))
        variables = find_variables(self.meta, flattener, self.bundle)
        network = Network(self.path, self.options, variables)
        inputs = self._inputs(flattener, signature, nodes)
        names = {name for name, _ in outputs}
        network.work.values_taken.update(names, (entry.name for entry, _ in inputs))
        for entry, _ in inputs:
            network.work.shapes[entry.name] = entry.shape
        for place in [p for node in nodes for p in node.inputs] + [p for _, p in outputs]:
            self.used[place.key] = max(self.used.get(place.key, 0), place.index)
        for node in nodes:
            if node.key not in self.values:
                self.values[node.key] = self._evaluated(node, network)
        return self._finished(network, inputs, outputs, nodes)

    # What goes in and out

    def _signature(self) -> Signature | None:
        found = {name: s for name, s in self.meta.signatures.items() if name != _INIT_SIGNATURE}
        if DEFAULT_SIGNATURE in found:
            return found[DEFAULT_SIGNATURE]
        usable = [found[name] for name in sorted(found) if found[name].outputs]
        if not usable and self.kind == "saved model":
            raise UnsupportedError(
                "a SavedModel without signatures: its graph can only be called from Python",
                path=self.path,
                hint="save it with tf.saved_model.save(model, path, signatures=...)",
            )
        return usable[0] if usable else None

    def _outputs(
        self, flattener: Flattener, signature: Signature | None
    ) -> list[tuple[str, Place]]:
        if signature is not None:
            return [(info.key, flattener.place(info.tensor)) for info in signature.outputs]
        names = list(self._ends())
        if not names:
            raise UnreadableError("a graph without an output", path=self.path)
        return [(name, flattener.place(name)) for name in names]

    def _ends(self) -> Iterator[str]:
        """The nodes nobody reads, but those that only do something, and those that no input
        reaches (of a saver, say), where there are inputs."""
        nodes = self.meta.graph.nodes
        read = {tensor.partition(":")[0] for node in nodes.values() for tensor in node.inputs}
        fed = _reached(nodes)
        for name, node in nodes.items():
            silent = node.op in _NO_OUTPUTS or node.op.startswith(_SIDE_EFFECTS)
            if name not in read and not silent and (name in fed or not fed):
                yield name

    def _inputs(
        self,
        flattener: Flattener,
        signature: Signature | None,
        nodes: Sequence[FlatNode],
    ) -> list[tuple[ModelInput, Value]]:
        around = Surroundings(nodes, dict(_weight_shapes(nodes)))
        keys = dict(_fed(flattener, signature))
        placeholders = [n for n in nodes if n.node.op in _PLACEHOLDERS]
        places = list(keys) + [
            Place(node.key, 0) for node in placeholders if Place(node.key, 0) not in keys
        ]
        written = [_written(flattener, place, keys.get(place)) for place in places]
        made = graph_inputs(written, around, self.options, self.path)
        for place, (_, value) in zip(places, made, strict=True):
            self.values[place.key] = (value,)
        return made

    # Nodes

    def _evaluated(self, flat: FlatNode, network: Network) -> tuple[Entry, ...]:
        origin = self._origin(flat)
        entries: tuple[Entry, ...] = ()
        try:
            entries = tuple(self._entry(flat, place) for place in flat.inputs)
            return self._made(Call(flat, entries, network, origin))
        except UpconvError as error:
            return self._unknown(Call(flat, entries, network, origin), error)

    def _origin(self, flat: FlatNode) -> Origin:
        return Origin(self.path, "tensorflow", flat.node.op, flat.node.span, flat.node)

    def _entry(self, flat: FlatNode, place: Place) -> Entry:
        found = self.values[place.key]
        if place.index >= len(found):
            raise UnsupportedError(f"reads output {place.index} of '{place.key[1]}'")
        return found[place.index]

    def _made(self, call: Call) -> tuple[Entry, ...]:
        """The outputs of a node: known at once, or as layers."""
        node, entries = call.node, call.entries
        if node.op == "Const":
            return (_constant(call),)
        if node.op in VARIABLES:
            return (_variable(call),)
        if node.op != "Merge" and any(isinstance(entry, Dead) for entry in entries):
            return (Dead(),) * (self.used.get(call.flat.key, 0) + 1)
        known = [entry for entry in entries if isinstance(entry, Known)]
        if node.op in FOLDS and len(known) == len(entries):
            return fold(node, known)
        if _is_weight_arithmetic(node.op, entries):
            return _missing(call, self.used.get(call.flat.key, 0) + 1)
        if node.op not in LOWERINGS:
            raise call.unsupported(f"unknown operation '{node.op}'")
        made = LOWERINGS[node.op](call)
        return made if isinstance(made, tuple) else (made,)

    def _unknown(self, call: Call, error: UpconvError) -> tuple[Entry, ...]:
        """The node as an operator that is not known, told in a notice."""
        error.layer = error.layer or call.name
        error.path = error.path or self.path
        error.where = error.where or call.origin.span
        follows = any(isinstance(e, Value) and e.axes is None for e in call.entries)
        if not follows or call.node.op not in LOWERINGS:
            code = "UP003" if isinstance(error, UnsupportedError) else "UP001"
            call.network.work.notices.append(Notice(code, error))
        names = [_value_of(entry).name for entry in call.entries if _is_data(entry)]
        operator = Unknown(call.node.op, error.message)
        count = min(self.used.get(call.flat.key, 0), 1 << 10) + 1
        return tuple(
            Value(name, None)
            for name in call.emit_many(operator, list(dict.fromkeys(names)), count)
        )

    # The result

    def _finished(
        self,
        network: Network,
        inputs: Sequence[tuple[ModelInput, Value]],
        outputs: Sequence[tuple[str, Place]],
        nodes: Sequence[FlatNode],
    ) -> Model:
        by_key = {node.key: node for node in nodes}
        channels = {e.name for e, v in inputs if v.axes and v.axes != plain(len(v.axes))}
        taken = {entry.name for entry, _ in inputs}
        names: dict[str, str] = {}
        given: list[str] = []
        for name, place in outputs:
            value = self._output(by_key[place.key], place, network)
            wanted = name if name not in taken else network.work.value_name(name)
            if value.name in taken or value.name in names:
                origin = self._origin(by_key[place.key])
                (copied,) = network.add(f"{wanted}/output", Identity(), [value.name], origin)
                value = Value(copied, value.axes)
            names[value.name] = wanted
            given.append(wanted)
            if value.axes and value.axes != plain(len(value.axes)):
                channels.add(wanted)
        layers = joined(without_unread(network.work.layers, names), names)
        model = Model(
            name=os.path.basename(os.path.normpath(self.path)),
            path=self.path,
            framework="tensorflow",
            inputs=tuple(entry for entry, _ in inputs),
            outputs=tuple(given),
            layers=tuple(named_outputs(layers, names)),
            notices=tuple(network.work.notices),
            weights_path=self.options.weights,
            channels_last=frozenset(channels),
        )
        validate(model)
        return model

    def _output(self, flat: FlatNode, place: Place, network: Network) -> Value:
        """An output with all its axes, in TensorFlow's order or with its channels moved."""
        origin = self._origin(flat)
        call = Call(flat, (self._entry(flat, place),), network, origin)
        try:
            value = network.real(call.value(), origin)
        except UpconvError as error:
            (found,) = self._unknown(call, error)[:1]
            assert isinstance(found, Value)
            return found
        if value.axes is None:
            return value
        rank = len(value.axes)
        if value.axes in (plain(rank), channels_last(rank)):
            return value
        return Value(network.arranged(value, plain(rank), origin), plain(rank))


def _reached(nodes: Mapping[str, Node]) -> set[str]:
    """The nodes that an input of the network leads to."""
    readers: dict[str, list[str]] = {}
    for name, node in nodes.items():
        for tensor in node.inputs:
            readers.setdefault(tensor.partition(":")[0], []).append(name)
    waiting = [name for name, node in nodes.items() if node.op in _PLACEHOLDERS]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += readers.get(name, ())
    return found


def _is_data(entry: Entry) -> bool:
    return isinstance(entry, Value | Part)


def _value_of(entry: Entry) -> Value:
    value = entry.value if isinstance(entry, Part) else entry
    assert isinstance(value, Value), "data of the network"
    return value


def _is_weight_arithmetic(op: str, entries: Sequence[Entry]) -> bool:
    """Whether a node computes a weight from variables, some without values."""
    known = all(isinstance(entry, Known | Missing) for entry in entries)
    missing = any(isinstance(entry, Missing) for entry in entries)
    return known and missing and op in FOLDS and op != "Cast"


def _missing(call: Call, count: int) -> tuple[Entry, ...]:
    """What a node makes of variables without values: weights of which at most the shape is
    known."""
    unknown = (Missing(call.name, None),) * count
    entries: list[Known] = []
    for entry in call.entries:
        if isinstance(entry, Known):
            entries.append(entry)
        elif isinstance(entry, Missing) and entry.shape is not None:
            entries.append(placeholder_of(entry.shape))
        else:
            return unknown
    try:
        made = fold(call.node, entries)
    except UpconvError:
        return unknown
    return tuple(Missing(call.name, one.shape) for one in made)


def _constant(call: Call) -> Entry:
    tensor = call.node.tensor("value")
    if tensor is None:
        raise call.invalid("a constant without its value")
    return Known(tensor.dtype, tensor.shape, tensor)


def _variable(call: Call) -> Entry:
    """A variable's values from the checkpoint, in the shape the graph gives it."""
    shape = call.node.shape("shape")
    sizes = None if shape is None else tuple(size for size in shape if size is not None)
    whole = sizes is not None and shape is not None and len(sizes) == len(shape)
    found = call.network.variables.stored(call.flat.key)
    if found is None:
        return Missing(call.name, sizes if whole else None)
    if whole and found.shape != sizes:
        raise call.invalid(f"the checkpoint has the shape {found.shape}, the graph {sizes}")
    return Known(found.dtype, found.shape, found)


def _fed(flattener: Flattener, signature: Signature | None) -> Iterator[tuple[Place, TensorInfo]]:
    if signature is not None:
        for info in signature.inputs:
            yield flattener.place(info.tensor), info


def _written(flattener: Flattener, place: Place, info: TensorInfo | None) -> Written:
    node = flattener.node(place.key)
    if info is not None:
        return Written(info.key, place, info.dtype, info.shape, node)
    name = flattener.name(place.key)
    return Written(name, place, node.dtype("dtype"), node.shape("shape"), node)


def _weight_shapes(nodes: Sequence[FlatNode]) -> Iterator[tuple[Key, tuple[int, ...]]]:
    """The shapes of constants and variables, by node; what is broken is told when it is read."""
    for node in nodes:
        name = _SHAPE_ATTRIBUTES.get(node.node.op)
        try:
            shape = node.node.shape_of(name) if name else None
        except UpconvError:
            continue
        sizes = tuple(size for size in shape or () if size is not None)
        if shape is not None and len(sizes) == len(shape):
            yield node.key, sizes


_SHAPE_ATTRIBUTES: Final = {"Const": "value", **dict.fromkeys(VARIABLES, "shape")}
