"""Blobs as values: each is written once, by one layer, however often Caffe's layers overwrite it.

The last version of a blob keeps the blob's name, so that outputs are called what the file calls
them; an earlier one is named `blob@layer` after its writer. An input keeps its name always.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from itertools import compress, islice
from operator import is_not
from typing import Final, Literal, TypeAlias

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.ir.kept import each
from upconv.converters.ir.model import Notice, NoticeKind
from upconv.converters.ir.origin import Span
from upconv.converters.ir.records import record
from upconv.converters.ir.similar import similar
from upconv.converters.ir.source import Pieces
from upconv.converters.readers.assembly.names import Names
from upconv.converters.readers.caffe.inputs import is_data
from upconv.converters.readers.caffe.layer_types import (
    INPUT_TYPE,
    MANY,
    SILENCE,
    is_loss,
    is_metric,
    is_recorder,
)
from upconv.converters.readers.caffe.upgrade import WrittenInput, WrittenLayer

Words: TypeAlias = tuple[str, tuple[str, ...], tuple[str, ...]]
Role = Literal["data", "operator", "loss", "metric", "recorder", "silence"]

_RESULTS: Final[dict[Role, int]] = {"loss": 1, "metric": 1, "recorder": MANY}
"""How many of its first bottoms a role takes as results; a loss's others are labels."""


_HINTS, _COMPARED = 100, 1000
"""How many names that nobody writes are told what they may mean, among how many names."""

_SYMMETRIC: Final = frozenset({"EuclideanLoss", "L1Loss", "L2Loss", "LpqLoss"})
"""Losses that may have the label first: of an input and a computed bottom, the latter counts."""


class Value:
    """One version of a blob; what is known of it grows while the layers are walked.

    `writer` is None for an input. `computed_from` says whether a layer that stays reads it, or
    a Silence; `result` is the role of the loss, metric or recorder that takes it as a result.
    """

    __slots__ = ("blob", "computed_from", "declared", "is_read", "name", "result", "writer")

    def __init__(self, blob: str, writer: Node | None = None) -> None:
        self.blob = blob
        self.writer = writer
        self.declared = False
        self.name = ""
        self.is_read = False
        self.computed_from = False
        self.result: Role | None = None


@record(frozen=True, slots=True)
class InputSource:
    """An input: its value, and the data layer (with the top's number) or field that declares it.

    An invented one stands for a bottom that nothing writes.
    """

    value: Value
    layer: WrittenLayer | None
    top: int
    span: Span
    shape: tuple[int, ...] | None = None


class Node:
    """A layer under its unique name, with the values it reads and writes.

    `kept` is False for what inference drops: losses, metrics and what only they feed. `words` are
    its name and those of the values, once they have one.
    """

    __slots__ = ("bottoms", "kept", "layer", "name", "tops", "words")

    def __init__(
        self, name: str, layer: WrittenLayer, bottoms: tuple[Value, ...], *, kept: bool
    ) -> None:
        self.name = name
        self.layer = layer
        self.bottoms = bottoms
        self.tops: tuple[Value, ...] = ()
        self.kept = kept
        self.words: Words = ("", (), ())

    @property
    def reads(self) -> tuple[str, ...]:
        """The names of the values that it reads."""
        return self.words[1]

    @property
    def writes(self) -> tuple[str, ...]:
        return self.words[2]

    def settle(self) -> None:
        """Take over the names of the values, which have one each now."""
        reads = tuple([value.name for value in self.bottoms])
        self.words = self.name, reads, tuple([value.name for value in self.tops])

    def anew(self, layer: WrittenLayer) -> Node:
        """The node of a layer of the same words."""
        made = Node(self.name, layer, self.bottoms, kept=self.kept)
        made.tops, made.words = self.tops, self.words
        return made


@record(frozen=True, slots=True)
class Wiring:
    """A net's layers in single-assignment form."""

    sources: tuple[InputSource, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]
    notices: tuple[Notice, ...]


def wire(
    inputs: Sequence[WrittenInput],
    layers: Sequence[WrittenLayer],
    absent: Sequence[WrittenLayer],
    pieces: Pieces | None = None,
) -> Wiring:
    """Connect the layers that take part; `absent` are those that other phases have. Where a text
    has `pieces`, a wiring of the same words is taken over."""
    names = [entry.name for entry in inputs]
    before = pieces.wired if pieces is not None else None
    if pieces is not None and before is not None and before[0] == names:
        known = _rewired(before[1], before[2], inputs, layers)
        if known is not None:
            pieces.wired = names, layers, known
            return known
    wirer = _Wirer(layers, absent)
    for entry in inputs:
        wirer.declare(entry.name, None, 0, entry.span, entry.shape)
    for layer, role in zip(layers, each(pieces, role_of, layers, role_of), strict=True):
        wirer.add(layer, role)
    found = wirer.finish()
    if pieces is not None:
        pieces.wired = None if found.notices else (names, layers, found)
    return found


def _rewired(
    before: Sequence[WrittenLayer],
    wiring: Wiring,
    inputs: Sequence[WrittenInput],
    layers: Sequence[WrittenLayer],
) -> Wiring | None:
    """The same wiring of layers of which some are written anew; None where one of them has another
    name, type, bottom or top."""
    if len(layers) != len(before):
        return None
    anew = {}
    for old, new in compress(zip(before, layers, strict=True), map(is_not, before, layers)):
        if _words(old) != _words(new):
            return None
        anew[id(old)] = new
    entries = {entry.name: entry for entry in inputs}

    def source(one: InputSource) -> InputSource:
        if one.layer is None:
            entry = entries[one.value.blob]
            return replace(one, span=entry.span, shape=entry.shape)
        layer = anew.get(id(one.layer), one.layer)
        return replace(one, layer=layer, span=layer.span)

    def node(one: Node) -> Node:
        return one.anew(anew[id(one.layer)]) if id(one.layer) in anew else one

    nodes = tuple(map(node, wiring.nodes)) if anew else wiring.nodes
    return replace(wiring, sources=tuple(map(source, wiring.sources)), nodes=nodes)


def _words(layer: WrittenLayer) -> tuple[object, ...]:
    """All that wiring goes by."""
    return layer.title, layer.type, layer.bottoms, layer.tops


def role_of(layer: WrittenLayer) -> Role:
    """What a layer is to inference."""
    if is_data(layer):
        return "data"
    if layer.type == SILENCE:
        return "silence"
    if is_metric(layer.type):
        return "metric"
    if is_recorder(layer.type):
        return "recorder"
    return "loss" if is_loss(layer.type) else "operator"


class _Wirer:
    """The state of one walk over the layers, in the file's order."""

    def __init__(self, layers: Sequence[WrittenLayer], absent: Sequence[WrittenLayer]) -> None:
        self.current: dict[str, Value] = {}
        self.values: list[Value] = []
        self.sources: list[InputSource] = []
        self.nodes: list[Node] = []
        self.notices: list[tuple[Notice, WrittenLayer | None]] = []
        self.names = Names("@", 2)
        self.later = _writers(layers)
        self.absent = _writers(absent)

    def declare(
        self,
        blob: str,
        layer: WrittenLayer | None,
        top: int,
        span: Span,
        shape: tuple[int, ...] | None = None,
    ) -> Value:
        """Make an input of this name."""
        if blob in self.current:
            self._notice("repeated-name", f"the input '{blob}' is declared twice", span, layer)
        value = self._version(blob, None)
        value.declared = layer is None or layer.type == INPUT_TYPE
        self.sources.append(InputSource(value, layer, top, span, shape))
        return value

    def add(self, layer: WrittenLayer, role: Role) -> None:
        """Take the next layer in."""
        if role == "data":
            for index, top in enumerate(layer.tops):
                self.declare(top, layer, index, layer.span)
            return
        bottoms = tuple([self._read(layer, *one) for one in enumerate(layer.bottoms)])
        kept = role == "operator" and not (bottoms and all(map(_is_dropped, bottoms)))
        if kept or role == "silence":
            for value in bottoms:
                value.computed_from = True
        if role in _RESULTS:
            for value in _results(layer, role, bottoms):
                value.result = value.result if value.result == "loss" else role
        node = Node(self._unique_layer(layer), layer, bottoms, kept=kept)
        self.nodes.append(node)
        node.tops = tuple([self._write(node, *one) for one in enumerate(layer.tops)])

    def finish(self) -> Wiring:
        """Name the values and find the outputs, in Caffe's order: by name (net.cpp, Net::Init)."""
        self._keep_what_is_needed()
        self._name_values()
        nodes = tuple(node for node in self.nodes if node.kept)
        for node in nodes:
            node.settle()
        outputs = sorted(value.name for node in nodes for value in node.tops
                         if self._is_output(value))  # fmt: skip
        read = {value for node in nodes for value in node.bottoms}
        sources = tuple(source for source in self.sources if _is_used(source.value, read))
        found = Wiring(sources, nodes, tuple(outputs), tuple(self._judged_notices(outputs)))
        for value in self.values:
            value.writer = None  # nobody asks any more, and a cycle outlives its last user
        return found

    def _judged_notices(self, outputs: Sequence[str]) -> Iterator[Notice]:
        """The notices, harmless where they are about a layer that no output depends on."""
        if not self.notices:
            return
        names = set(outputs)
        needed = {value for value in self.values if value.name in names}
        dead: set[int] = set()
        for node in reversed(self.nodes):
            if needed.intersection(node.tops):
                needed.update(node.bottoms)
            else:
                dead.add(id(node.layer))
        for notice, layer in self.notices:
            yield replace(notice, harmless=notice.harmless or id(layer) in dead)

    def _keep_what_is_needed(self) -> None:
        """A loss whose result a kept layer computes with stays, for all to see."""
        for node in reversed(self.nodes):
            for value in node.bottoms if node.kept else ():
                if value.writer is not None:
                    value.writer.kept = True

    def _is_output(self, value: Value) -> bool:
        if value.result == "loss":
            return True
        if value.result is not None:
            return not value.computed_from
        return not value.is_read and self.current[value.blob] is value

    def _name_values(self) -> None:
        inputs = {source.value.blob for source in self.sources}
        names = Names("@", 2)
        versions = []
        for value in self.values:
            last = value.blob not in inputs and self.current[value.blob] is value
            if last or (value.writer is None and value.blob not in names.taken):
                value.name = value.blob
                names.taken.add(value.name)
            else:
                versions.append(value)
        for value in versions:
            writer = value.writer.name if value.writer else "input"
            value.name = names.unique(f"{value.blob}@{writer}")

    def _version(self, blob: str, writer: Node | None) -> Value:
        value = Value(blob, writer)
        self.current[blob] = value
        self.values.append(value)
        return value

    def _read(self, layer: WrittenLayer, index: int, blob: str) -> Value:
        value = self.current.get(blob)
        if value is None:
            value = self._invent(layer, index)
        value.is_read = True
        return value

    def _invent(self, layer: WrittenLayer, index: int) -> Value:
        """Stand an input in for a bottom that nothing writes, so that reading can go on."""
        blob = layer.bottoms[index]
        written = layer.node.nth("bottom", index)
        span = written.span if written is not None else layer.span
        message = f"reads '{blob}', which no layer before it writes"
        kind, hint = self._why_dangling(blob)
        self._notice(kind, message, span, layer, hint)
        return self.declare(blob, None, 0, span)

    def _why_dangling(self, blob: str) -> tuple[NoticeKind, str]:
        """What kind of name nobody has written yet, and a hint where it may be found."""
        if blob in self.later:
            title = self.later[blob].title
            return "dangling-name", f"layer '{title}' writes it, but stands after it"
        if blob in self.absent:
            title = self.absent[blob].title
            return "name-of-other-phase", f"layer '{title}' writes it, but not in this phase"
        if len(self.notices) >= _HINTS:
            return "dangling-name", ""
        alike = similar(blob, islice(reversed(self.current), _COMPARED))
        hint = f"did you mean {' or '.join(map(repr, alike))}?" if alike else ""
        return "dangling-name", hint

    def _write(self, node: Node, index: int, blob: str) -> Value:
        layer = node.layer
        in_place = layer.bottoms[index : index + 1] == (blob,)
        if not blob:
            self._notice("missing-name", "a top has no name", layer.span, layer, "give it one")
        elif blob in self.current and not in_place:
            message = f"writes '{blob}', which is written before"
            hint = "a layer may overwrite only the bottom in the place of its top"
            self._notice("repeated-name", message, layer.span, layer, hint)
        return self._version(blob, node)

    def _unique_layer(self, layer: WrittenLayer) -> str:
        name = self.names.unique(layer.title)
        if name != layer.title:
            hint = "weights are found by name: give each layer its own"
            message = f"another layer is named '{layer.title}'"
            self._notice("repeated-layer-name", message, layer.span, layer, hint, harmless=True)
        return name

    def _notice(
        self,
        kind: NoticeKind,
        message: str,
        span: Span,
        layer: WrittenLayer | None,
        hint: str = "",
        harmless: bool = False,
    ) -> None:
        title = "" if layer is None else layer.title
        error = UnreadableError(message, where=span, layer=title, hint=hint)
        self.notices.append((Notice(kind, error, harmless), layer))


def _results(layer: WrittenLayer, role: Role, bottoms: Sequence[Value]) -> Sequence[Value]:
    """The bottoms that are results, the others being labels."""
    first = 0
    if layer.type in _SYMMETRIC and len(bottoms) > 1 and bottoms[0].writer is None:
        first = int(bottoms[1].writer is not None)
    return bottoms[first : first + _RESULTS.get(role, 0)]


def _is_dropped(value: Value) -> bool:
    return value.writer is not None and not value.writer.kept


def _is_used(value: Value, read: AbstractSet[Value]) -> bool:
    """Whether a layer reads the input, or the file declares it and nothing at all reads it."""
    return value in read or (value.declared and not value.is_read)


def _writers(layers: Iterable[WrittenLayer]) -> dict[str, WrittenLayer]:
    return {top: layer for layer in layers for top in layer.tops}
