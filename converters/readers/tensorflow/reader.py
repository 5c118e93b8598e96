"""From TensorFlow's files to a Model: SavedModel folders, frozen graphs, .meta and checkpoint.

The graph is inlined and pruned to its outputs, its nodes are evaluated one by one, and what comes
out is joined where several layers say one thing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from upconv.converters.ir.errors import UnreadableError, UnsupportedError, UpconvError
from upconv.converters.ir.model import Model
from upconv.converters.ir.source import Source
from upconv.converters.passes.joining import joined
from upconv.converters.passes.live import live_layers
from upconv.converters.readers.assembly.axes import Value
from upconv.converters.readers.assembly.workspace import Workspace
from upconv.converters.readers.options import ReadOptions
from upconv.converters.readers.tensorflow.bundle import Bundle, open_bundle
from upconv.converters.readers.tensorflow.evaluation import Evaluation
from upconv.converters.readers.tensorflow.files import Kind, read_file, read_text
from upconv.converters.readers.tensorflow.flat import FlatNode, Flattener, Key, Place
from upconv.converters.readers.tensorflow.graphdef import MetaGraph, Node, Signature, TensorInfo
from upconv.converters.readers.tensorflow.inputs import Surroundings, Written, graph_inputs
from upconv.converters.readers.tensorflow.lowering import Call
from upconv.converters.readers.tensorflow.paths import (
    checkpoint_prefix,
    saved_model_in,
    saved_variables,
)
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
    kind, meta = read_text(source)
    return _Reader(source.path, kind, meta, _bundle(kind, source.path, options), options).model()


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
        work = Workspace(self.path, "tensorflow")
        places, values = self._inputs(flattener, signature, nodes, work)
        work.values.taken.update(name for name, _ in outputs)
        known = {place.key: (value,) for place, value in zip(places, values, strict=True)}
        evaluation = Evaluation(work, variables, dict(known))
        evaluation.run(nodes, [place for _, place in outputs])
        by_key = {node.key: node for node in nodes}
        for name, place in outputs:
            _leave(evaluation, by_key[place.key], place, name)
        work.layers = joined(live_layers(work.layers, work.leaving), work.leaving)
        name = os.path.basename(os.path.normpath(self.path))
        return work.model(name, weights_path=self.options.weights)

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
        work: Workspace,
    ) -> tuple[list[Place], list[Value]]:
        around = Surroundings(nodes, dict(_weight_shapes(nodes)))
        keys = dict(_fed(flattener, signature))
        placeholders = [n for n in nodes if n.node.op in _PLACEHOLDERS]
        places = list(keys) + [
            Place(node.key, 0) for node in placeholders if Place(node.key, 0) not in keys
        ]
        written = [_written(flattener, place, keys.get(place)) for place in places]
        return places, graph_inputs(written, around, self.options, work)


def _leave(evaluation: Evaluation, flat: FlatNode, place: Place, name: str) -> None:
    """Let an output leave under its name, or where an input has that, the next number of it."""
    work = evaluation.work
    value = _output(evaluation, flat, place)
    wanted = work.values.unique(name) if work.is_border(name) else name
    origin = evaluation.origin(flat)
    work.leave(value.name, wanted, f"{wanted}/output", origin, channels_last=value.is_turned)


def _output(evaluation: Evaluation, flat: FlatNode, place: Place) -> Value:
    """An output with all its axes, in TensorFlow's order or with its channels moved."""
    call = Call(flat, (evaluation.entry(place),), evaluation.work, evaluation.origin(flat))
    try:
        return call.whole(call.value())
    except UpconvError as error:
        found = evaluation.unknown(call, error)[0]
        assert isinstance(found, Value), "an Unknown has outputs"
        return found


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
