"""From a symbol of MXNet to a Model.

Whatever is wrong with one node becomes a notice and an Unknown operator, so that everything else
can still be checked.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from upconv.converters.ir.errors import AmbiguousError, UnsupportedError, UpconvError
from upconv.converters.ir.model import Model, Shape
from upconv.converters.ir.origin import Origin
from upconv.converters.ir.source import Source, Span
from upconv.converters.ir.tensors import TensorData
from upconv.converters.ir.written import NOTHING, Block, Written
from upconv.converters.readers.assembly.inputs import lettered, overridden
from upconv.converters.readers.assembly.workspace import Workspace
from upconv.converters.readers.files.mxnet_params import read_params
from upconv.converters.readers.files.prototxt import load_text
from upconv.converters.readers.mxnet.attributes import Attributes
from upconv.converters.readers.mxnet.inputs import READS, Surroundings, surroundings
from upconv.converters.readers.mxnet.layers_quantized import is_quantized
from upconv.converters.readers.mxnet.lowering import (
    LOWERINGS,
    Call,
    ConsequenceError,
    Entry,
    OpaqueError,
)
from upconv.converters.readers.mxnet.symbol import (
    VARIABLE,
    Node,
    Place,
    Symbol,
    read_symbol,
    used_outputs,
)
from upconv.converters.readers.options import ReadOptions

REFUSED: Final[Mapping[str, str]] = {
    "Custom": "an operator in Python code, which no file holds",
    "_foreach": "a loop",
    "_while_loop": "a loop",
    "_cond": "a branch that is chosen when the net runs",
}
"""Operators that are known and not represented: what they are."""


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """A node's attributes as rules ask for them, in Caffe's words; `weight` is the variable of its
    weight, whose lr_mult is the layer's."""

    node: Node
    weight: Node | None = None

    @property
    def params(self) -> Block:
        return NOTHING

    def _found(self, *names: str) -> tuple[str, Span] | None:
        """(text, place) of the first of these settings that is written."""
        node, weight = self.node, self.weight or self.node
        for word in (_WORDS.get(name, name) for name in names):
            if word in node.attributes:
                return node.attributes[word], node.settings.span_of(word)
            for one, user in ((weight, word), (weight, f"__{word}__"), (node, f"weight_{word}")):
                if user in one.users:
                    return one.users[user], one.settings.span_of(user)
        return None

    def span_of(self, *names: str) -> Span | None:
        found = self._found(*names)
        return found[1] if found is not None else None

    def text_of(self, name: str) -> str:
        found = self._found(name)
        return found[0] if found is not None else ""


_WORDS: Final = {
    "kernel_size": "kernel",
    "num_output": "num_filter",
    "group": "num_group",
    "dilation": "dilate",
    "bias_term": "no_bias",
}
"""Caffe's word for a setting -> MXNet's."""


def read_mxnet(path: str, options: ReadOptions) -> Model:
    """The model in a symbol's file, with the weights of the file that `options.weights` names.

    Raises UnreadableError where a file is none or broken, UnsupportedError where the weights are
    not the symbol's, and UsageError where the options name an input it does not have.
    """
    return read_mxnet_source(load_text(path), options)


def read_mxnet_source(source: Source, options: ReadOptions) -> Model:
    """The model in a symbol that is already read; raises as `read_mxnet`."""
    symbol = _with_moving_statistics(read_symbol(source))
    stored = read_params(options.weights) if options.weights else {}
    _require_own(symbol, stored, options.weights)
    return _Reader(source, symbol, surroundings(symbol, stored), options).model()


def _with_moving_statistics(symbol: Symbol) -> Symbol:
    """0.8 does not write the variables of a BatchNorm's statistics."""
    nodes = list(symbol.nodes)
    for index, node in enumerate(symbol.nodes):
        if node.op == "BatchNorm" and len(node.inputs) == 3:
            more: list[Place] = []
            for what in ("moving_mean", "moving_var"):
                more.append((len(nodes), 0))
                name = f"{node.name}_{what}"
                nodes.append(Node(VARIABLE, name, (), {}, {}, node.written, node.settings))
            nodes[index] = replace(node, inputs=(*node.inputs, *more))
    return replace(symbol, nodes=tuple(nodes))


def _require_own(symbol: Symbol, stored: Mapping[str, TensorData], path: str) -> None:
    """Raise where a file of arrays holds none of the symbol's variables."""
    names = {node.name for node in symbol.nodes if node.op == VARIABLE}
    if stored and not names.intersection(stored):
        raise UnsupportedError(
            f"none of its {len(stored)} arrays ('{next(iter(stored)):.60}' ...) is a variable of "
            "the symbol",
            path=path,
            hint="save both together, by HybridBlock.export or save_checkpoint; save_parameters "
            "writes other names",
        )


@dataclass(frozen=True, slots=True)
class _Reader:
    """The reading of one symbol."""

    source: Source
    symbol: Symbol
    around: Surroundings
    options: ReadOptions

    def model(self) -> Model:
        path, symbol = self.source.path, self.symbol
        work = Workspace(path, "mxnet", ((AmbiguousError, "unrecorded-convention"),))
        order = list(symbol.order(READS))
        used = used_outputs(symbol.nodes, symbol.heads)
        ends = [work.values.unique(self._name(place, used)) for place in symbol.heads]
        made = self._variables(order, work)
        for index in order:
            if index not in made:
                made[index] = self._outputs(index, made, used[index], work)
        for node in (self.symbol.nodes[index] for index in order):
            if is_quantized(node.op, node.attributes.get("quantized", "")):
                work.note_whole_numbers(node.name, self._origin(node))
                break
        for place, name in zip(symbol.heads, ends, strict=True):
            self._leave(made[place[0]], place, name, work)
        name = os.path.basename(path).removesuffix(".json").removesuffix("-symbol")
        origin = Origin(path, "mxnet", "Symbol", symbol.span)
        return work.model(name, weights_path=self.options.weights, origin=origin)

    def _name(self, place: Place, used: Mapping[int, int]) -> str:
        """What list_outputs calls an output."""
        index, output = place
        node = self.symbol.nodes[index]
        if node.op == VARIABLE:
            return node.name
        return f"{node.name}_output{output if used[index] > 1 else ''}"

    def _variables(self, order: Sequence[int], work: Workspace) -> dict[int, tuple[Entry, ...]]:
        """The parameters, and the inputs, which are entered into the model."""
        made: dict[int, tuple[Entry, ...]] = {}
        shapes: dict[str, Shape | None] = {}
        inputs: dict[int, str] = {}
        for index in (index for index in order if self.symbol.nodes[index].op == VARIABLE):
            name = self.symbol.nodes[index].name
            parameter = self.around.parameter(index)
            if parameter is not None:
                made[index] = (parameter,)
                continue
            found = self.around.shape(index)
            ours = lettered(found, name, len(inputs), channels_last=False) if found else None
            shapes[name], inputs[index] = ours, name
        shapes = overridden(shapes, self.options.inputs, self.source.path)
        for index, name in inputs.items():
            if name not in work.shapes:
                work.feed(name, shapes[name], self._origin(self.symbol.nodes[index]))
            made[index] = (name,)
        return made

    def _origin(self, node: Node) -> Origin:
        weight = self.symbol.nodes[node.inputs[1][0]] if len(node.inputs) > 1 else None
        written = Written(NodeSettings(node, weight))
        return Origin(self.source.path, "mxnet", node.op, node.written.span, written)

    def _outputs(
        self, index: int, made: Mapping[int, tuple[Entry, ...]], used: int, work: Workspace
    ) -> tuple[Entry, ...]:
        node = self.symbol.nodes[index]
        mark, origin = len(work.layers), self._origin(node)
        entries: list[Entry] = []
        outputs = tuple(self._name((index, output), {index: used}) for output in range(used))
        try:
            for source, output in node.inputs[: READS.get(node.op)]:
                if output >= len(made[source]):
                    name = self.symbol.nodes[source].name
                    raise UnsupportedError(f"reads output {output} of '{name}'")
                entries.append(made[source][output])
            ask = Attributes(node)
            call = Call(node, tuple(entries), ask, work, origin, self.symbol.version, outputs)
            return _lowered(call)
        except UpconvError as error:
            work.undo(mark)
            told = not isinstance(error, ConsequenceError)
            shape = error.shape if isinstance(error, OpaqueError) else None
            shapes = [] if shape is None else [shape]
            names = dict.fromkeys(one for one in entries if isinstance(one, str))
            return work.unknown(
                node.name, node.op, error, names, origin, outputs, told=told, shapes=shapes
            )

    def _leave(self, found: tuple[Entry, ...], place: Place, name: str, work: Workspace) -> None:
        node = self.symbol.nodes[place[0]]
        entry = found[place[1]] if place[1] < len(found) else None
        if not isinstance(entry, str):
            what = (
                f"the output '{name}' is a parameter" if entry else f"there is no output '{name}'"
            )
            raise UnsupportedError(what, where=node.written.span, layer=node.name)
        wanted = work.values.unique(name) if work.is_border(name) else name
        work.leave(entry, wanted, f"{wanted}/output", self._origin(node))


def _lowered(call: Call) -> tuple[Entry, ...]:
    lowering = LOWERINGS.get(call.node.op)
    if lowering is None:
        what = REFUSED.get(call.node.op, f"unknown operator '{call.node.op}'")
        raise call.ask.unsupported(what)
    made = call.finish(lowering(call))
    call.ask.require_all_asked()
    return made
