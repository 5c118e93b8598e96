"""An ONNX file cut into pieces that run behind each other, so that a large network's values need
not all be in memory at once.

A piece is some nodes of the graph with the weights that they read. All values that a layer has are
shown, so nothing is fused across the cut that the whole file would not show as well; the untouched
file runs end to end beside it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from upconv.converters.proof.memory import give_back
from upconv.converters.proof.pace import Known
from upconv.converters.proof.runtime import OnnxFile, run, session
from upconv.converters.proof.skeleton import skeleton

Values = MutableMapping[str, NDArray[Any]]

PIECE_BYTES: Final = 1 << 27
"""Of values and weights in one piece, unless one node alone has more."""

HEAVY_BYTES: Final = 1 << 26
"""Of weights in a piece, from which on memory is given back before they are loaded: onnxruntime
has four copies of them for a moment, while it lays them out anew."""


@dataclass(slots=True)
class Piece:
    """Nodes of a file: the values from before that they need, and those that they make and others
    want. `graph` has the nodes and their weights, of `weights` bytes."""

    graph: Any
    needs: tuple[str, ...]
    makes: tuple[str, ...]

    @property
    def weights(self) -> int:
        return sum(map(_bytes_of, self.graph.initializer))


@dataclass(slots=True)
class Pieces:
    """The pieces of one file in order. Sessions are kept where there is one piece only."""

    file: OnnxFile
    head: Any
    pieces: tuple[Piece, ...]
    sessions: dict[bool, Any] = field(default_factory=dict)

    def run(self, piece: Piece, optimized: bool, values: Values) -> None:
        """Add to `values` what a piece makes of them.

        Raises UnreadableError where onnxruntime refuses it.
        """
        feeds = {name: values[name] for name in piece.needs}
        running = self.sessions.get(optimized)
        if running is None:
            model = self._model(piece, feeds)
            if piece.weights > HEAVY_BYTES:
                give_back()
            running = session(model.SerializeToString(), optimized, self.file.path)
            if len(self.pieces) == 1:
                self.sessions[optimized] = running
        values.update(run(running, feeds, piece.makes, self.file.path))

    def last_readers(self) -> dict[str, int]:
        """Value -> the last piece that needs it."""
        return {name: at for at, piece in enumerate(self.pieces) for name in piece.needs}

    def _model(self, piece: Piece, feeds: Mapping[str, NDArray[Any]]) -> Any:
        from onnx import ModelProto, ValueInfoProto, helper

        model = ModelProto()
        model.CopyFrom(self.head)
        model.graph.CopyFrom(piece.graph)
        if len(self.pieces) > 1:
            model.graph.input.extend(
                helper.make_tensor_value_info(
                    name, helper.np_dtype_to_tensor_dtype(feeds[name].dtype), None
                )
                for name in piece.needs
            )
        there = {entry.name for entry in (*model.graph.output, *model.graph.input)}
        model.graph.output.extend(
            ValueInfoProto(name=name) for name in piece.makes if name not in there
        )
        return model


def pieces_of(
    file: OnnxFile, wanted: Collection[str], sizes: Mapping[str, int], most: int = PIECE_BYTES
) -> Pieces:
    """Cut a file where its values and weights are more than `most` bytes. `wanted` are the values
    that are shown, `sizes` the bytes of values by their names in the file.

    Raises UnreadableError where the file is no ONNX model.
    """
    whole = skeleton(file.path)
    graph = whole.graph
    runs = list(_runs(graph, sizes, most))
    head = type(whole)()
    head.CopyFrom(whole)
    head.ClearField("graph")
    if len(runs) < 2 or graph.sparse_initializer:
        return Pieces(file, head, (Piece(graph, file.inputs, tuple(sorted(wanted))),))
    stored = {tensor.name: tensor for tensor in graph.initializer}
    read = [_names_read(nodes) for nodes in runs]
    made = [{name for node in nodes for name in node.output if name} for nodes in runs]
    found = []
    for at, nodes in enumerate(runs):
        later = set(wanted).union(*read[at + 1 :])
        needs = sorted(read[at] - made[at] - stored.keys())
        part = type(graph)(name=graph.name, node=nodes)
        part.initializer.extend(stored[name] for name in sorted(read[at] & stored.keys()))
        known = {*file.inputs}.union(*made[:at])
        found.append(
            Piece(part, tuple(n for n in needs if n in known), tuple(sorted(made[at] & later)))
        )
    return Pieces(file, head, tuple(found))


def value_sizes(known: Known, names: Mapping[str, str]) -> dict[str, int]:
    """Bytes in float32 of the values of these shapes, by their names in the file; 0 of those that
    are not known."""
    found = {}
    for value, name in names.items():
        sizes = [size for size in known.get(value) or () if isinstance(size, int)]
        found[name] = 4 * int(np.prod(sizes, dtype=np.int64)) if sizes else 0
    return found


def _runs(graph: Any, sizes: Mapping[str, int], most: int) -> Iterator[list[Any]]:
    weights = {tensor.name: _bytes_of(tensor) for tensor in graph.initializer}
    run: list[Any] = []
    total = 0
    for node in graph.node:
        own = sum(sizes.get(name, 0) for name in node.output)
        own += sum(weights.get(name, 0) for name in node.input)
        if run and total + own > most:
            yield run
            run, total = [], 0
        run.append(node)
        total += own
    if run:
        yield run


def _bytes_of(tensor: Any) -> int:
    return 4 * int(np.prod(tensor.dims, dtype=np.int64))


def _names_read(nodes: Sequence[Any]) -> set[str]:
    """What nodes read, those of the graphs inside of them too, which see the values around them."""
    found: set[str] = set()
    waiting = [*nodes]
    while waiting:
        node = waiting.pop()
        found.update(name for name in node.input if name)
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                waiting.extend(inner.node)
                found.update(entry.name for entry in inner.output)
    return found
