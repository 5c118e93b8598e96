"""From TensorFlow's files to a Model: SavedModel folders, frozen graphs, .meta and checkpoint.

The graph is inlined and pruned to its outputs, its nodes are evaluated one by one, and what comes
out is joined where several layers say one thing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from upconv.converters.ir.errors import UnreadableError, UnsupportedError, UpconvError
from upconv.converters.ir.model import Model, ModelInput, validate
from upconv.converters.ir.operators import Identity
from upconv.converters.ir.source import Source
from upconv.converters.readers.options import ReadOptions
from upconv.converters.readers.tensorflow.bundle import Bundle, open_bundle
from upconv.converters.readers.tensorflow.evaluation import Evaluation
from upconv.converters.readers.tensorflow.files import Kind, read_file, read_text
from upconv.converters.readers.tensorflow.finishing import joined, named_outputs, without_unread
from upconv.converters.readers.tensorflow.flat import FlatNode, Flattener, Key, Place
from upconv.converters.readers.tensorflow.graphdef import MetaGraph, Node, Signature, TensorInfo
from upconv.converters.readers.tensorflow.inputs import Surroundings, Written, graph_inputs
from upconv.converters.readers.tensorflow.lowering import Call
from upconv.converters.readers.tensorflow.network import Network
from upconv.converters.readers.tensorflow.paths import (
    checkpoint_prefix,
    saved_model_in,
    saved_variables,
)
from upconv.converters.readers.tensorflow.values import Value, channels_last, plain
from upconv.converters.readers.tensorflow.variables import VARIABLES, find_variables

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
        return open_bundle(checkpoint_prefix(options.weights))
    folder = os.path.dirname(file)
    if kind == "saved model":
        prefix = saved_variables(folder)
    elif kind == "meta graph":
        prefix = os.path.splitext(file)[0]
    else:
        return None
    exists = os.path.exists(f"{prefix}.index") or os.path.exists(prefix)
    return open_bundle(prefix) if exists else None


def read_tensorflow_source(source: Source, options: ReadOptions) -> Model:
    """The model in a text that is already read; raises as `read_tensorflow`."""
    load_lowerings()
    kind, meta = read_text(source)
    return _Reader(source.path, kind, meta, _bundle(kind, source.path, options), options).model()


@cache
def load_lowerings() -> None:
    """Import every module `ops_*` and `folds_*` of this package, so that its functions register."""
    from importlib import import_module
    from pkgutil import iter_modules

    from upconv.converters.readers import tensorflow

    for module in iter_modules(tensorflow.__path__):
        if module.name.startswith(("ops_", "folds_")):
            import_module(f"{tensorflow.__name__}.{module.name}")


@dataclass(slots=True)
class _Reader:
    """The state of one reading."""

    path: str
    kind: Kind
    meta: MetaGraph
    bundle: Bundle | None
    options: ReadOptions

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
        network.work.values_taken.update(names, (entry.name for _, entry, _ in inputs))
        for _, entry, _ in inputs:
            network.work.shapes[entry.name] = entry.shape
        evaluation = Evaluation(network, {p.key: (value,) for p, _, value in inputs})
        evaluation.run(nodes, [place for _, place in outputs])
        return self._finished(evaluation, inputs, outputs, nodes)

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
    ) -> list[tuple[Place, ModelInput, Value]]:
        around = Surroundings(nodes, dict(_weight_shapes(nodes)))
        keys = dict(_fed(flattener, signature))
        placeholders = [n for n in nodes if n.node.op in _PLACEHOLDERS]
        places = list(keys) + [
            Place(node.key, 0) for node in placeholders if Place(node.key, 0) not in keys
        ]
        written = [_written(flattener, place, keys.get(place)) for place in places]
        made = graph_inputs(written, around, self.options, self.path)
        return [(place, *pair) for place, pair in zip(places, made, strict=True)]

    # The result

    def _finished(
        self,
        evaluation: Evaluation,
        inputs: Sequence[tuple[Place, ModelInput, Value]],
        outputs: Sequence[tuple[str, Place]],
        nodes: Sequence[FlatNode],
    ) -> Model:
        network = evaluation.network
        by_key = {node.key: node for node in nodes}
        channels = {entry.name for _, entry, value in inputs if _is_turned(value)}
        taken = {entry.name for _, entry, _ in inputs}
        names: dict[str, str] = {}
        given: list[str] = []
        for name, place in outputs:
            value = _output(evaluation, by_key[place.key], place)
            wanted = name if name not in taken else network.work.value_name(name)
            if value.name in taken or value.name in names:
                origin = evaluation.origin(by_key[place.key])
                (copied,) = network.add(f"{wanted}/output", Identity(), [value.name], origin)
                value = Value(copied, value.axes)
            names[value.name] = wanted
            given.append(wanted)
            if _is_turned(value):
                channels.add(wanted)
        layers = joined(without_unread(network.work.layers, names), names)
        model = Model(
            name=os.path.basename(os.path.normpath(self.path)),
            path=self.path,
            framework="tensorflow",
            inputs=tuple(entry for _, entry, _ in inputs),
            outputs=tuple(given),
            layers=tuple(named_outputs(layers, names)),
            notices=tuple(network.work.notices),
            weights_path=self.options.weights,
            channels_last=frozenset(channels),
        )
        validate(model)
        return model


def _output(evaluation: Evaluation, flat: FlatNode, place: Place) -> Value:
    """An output with all its axes, in TensorFlow's order or with its channels moved."""
    network = evaluation.network
    origin = evaluation.origin(flat)
    call = Call(flat, (evaluation.entry(place),), network, origin)
    try:
        value = network.real(call.value(), origin)
    except UpconvError as error:
        found = evaluation.unknown(call, error)[0]
        assert isinstance(found, Value), "an Unknown has outputs"
        return found
    if value.axes is None:
        return value
    rank = len(value.axes)
    if value.axes in (plain(rank), channels_last(rank)):
        return value
    return Value(network.arranged(value, plain(rank), origin), plain(rank))


def _is_turned(value: Value) -> bool:
    """Whether its channels are moved."""
    return value.axes is not None and value.axes != plain(len(value.axes))


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
