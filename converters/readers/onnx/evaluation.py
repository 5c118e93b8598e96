"""Nodes, one after the other: folded where all they read is known, else lowered to layers.

Functions of the model's own are written out where they are called, and of an `If` whose condition
is known the branch that is taken. What one node has wrong or we do not know becomes an Unknown
operator and a notice, so that everything else can still be checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from upconv.converters.ir.errors import UnreadableError, UnsupportedError, UpconvError
from upconv.converters.ir.origin import Origin, Written
from upconv.converters.ir.records import record
from upconv.converters.readers.assembly.folding.arrays import Array, NotFoldableError, listed
from upconv.converters.readers.assembly.known import Known, known_of
from upconv.converters.readers.assembly.workspace import Workspace
from upconv.converters.readers.onnx.counting import counted, name_of, shortened
from upconv.converters.readers.onnx.entries import Entry, Lost, Places, Value
from upconv.converters.readers.onnx.external import Folder
from upconv.converters.readers.onnx.folding import FOLDS, fold
from upconv.converters.readers.onnx.lowering import LOWERINGS, Call, lowering_of
from upconv.converters.readers.onnx.messages import Message, Node, node_of
from upconv.converters.readers.onnx.refusals import COPIED, refusal
from upconv.converters.readers.onnx.stated import stated_shapes
from upconv.converters.readers.onnx.tensors import read_tensor
from upconv.converters.readers.onnx.written import NodeSettings, WrittenNode

MAX_DEPTH: Final = 48
MAX_NODES: Final = 100_000

FunctionKey = tuple[str, str, str]
"""(domain, name, overload)."""


@record(frozen=True, slots=True)
class Frame:
    """Where names mean something: a graph, or the body of a function or a branch.

    `entries` are the values of the frame itself, `outer` those around a branch. `prefix` stands
    before the names of what is written out. `bound` are the attributes that a function was called
    with.
    """

    opsets: Mapping[str, int]
    entries: dict[str, Entry] = field(default_factory=dict)
    outer: Frame | None = None
    prefix: str = ""
    bound: Mapping[str, Message] = field(default_factory=dict)
    depth: int = 0

    def find(self, name: str) -> Entry:
        """Raises UnreadableError for a name that is not known here."""
        if name not in self:
            raise UnreadableError(f"reads '{name}', which no node before it writes")
        return self.entry(name)

    def __contains__(self, name: str) -> bool:
        return name in self.entries or (self.outer is not None and name in self.outer)

    def entry(self, name: str) -> Entry:
        """What a name stands for, None for one that is not known."""
        if name in self.entries or self.outer is None:
            return self.entries.get(name)
        return self.outer.entry(name)


@dataclass(slots=True)
class Evaluation:
    """The reading of one file's nodes.

    `reserved` are the names of the graph's outputs, which nothing else gets; `lettered` the values
    that the file stores a shape with letters of; `dark` those about which nothing is known, and the
    layer that is not understood before them. `inside` is what graphs inside of nodes read, by their
    places.
    """

    work: Workspace
    folder: Folder
    functions: Mapping[FunctionKey, Message]
    reserved: frozenset[str] = frozenset()
    lettered: frozenset[str] = frozenset()
    dark: dict[str, str] = field(default_factory=dict)
    inside: dict[tuple[int, ...], tuple[str, ...]] = field(default_factory=dict)
    count: int = 0

    def graph(self, graph: Message, frame: Frame) -> None:
        """Evaluate the initializers and nodes of a graph."""
        for tensor in graph.messages("initializer", "tensor"):
            frame.entries[tensor.text("name")] = self.stored(tensor)
        for sparse in graph.messages("sparse_initializer", "sparse"):
            values = sparse.message("values", "tensor")
            if values is not None:
                frame.entries[values.text("name")] = Lost("reads a sparse tensor")
        self.nodes(graph.messages("node", "node"), frame)

    def stored(self, tensor: Message) -> Entry:
        """A tensor of the file; one that cannot be read is told, and nothing is known of it."""
        name = tensor.text("name")
        try:
            found = read_tensor(tensor, self.folder)
        except UpconvError as error:
            origin = Origin(self.work.path, "onnx", "initializer")
            made = self.work.unknown(name, "initializer", error, (), origin, (name,))
            self.dark.update(dict.fromkeys(made, name))
            return Value(made[0], "other")
        return Known(found.dtype.kind, found.shape, found)

    def nodes(self, messages: Sequence[Message], frame: Frame) -> None:
        for index, message in enumerate(messages):
            self.count += 1
            if self.count > MAX_NODES:
                raise message.fail("more nodes than any real model has")
            node = node_of(message, index, frame.bound)
            for name in node.outputs:
                if name and name in frame.entries:
                    raise message.fail(f"'{name}' is written twice")
                if not frame.prefix and name in self.reserved:
                    self.work.values.free(name)
            made = self._outputs(node, frame)
            for at, name in enumerate(node.outputs):
                frame.entries[name] = made[at] if at < len(made) else _lost(node, at)
            frame.entries.pop("", None)

    def _outputs(self, node: Node, frame: Frame) -> tuple[Entry, ...]:
        opset = frame.opsets.get(node.domain, 0)
        lettered = not self.lettered.isdisjoint(node.outputs)
        written = Written(NodeSettings(node.attributes), node=WrittenNode(node, opset, lettered))
        origin = Origin(self.work.path, "onnx", node.op, written=written)
        name = frame.prefix + node.name
        outputs = tuple(
            frame.prefix + (one or f"{node.name}:{at}") for at, one in enumerate(node.outputs)
        )
        absent = next((one for one in node.inputs if one and one not in frame), "")
        found = () if absent else tuple(frame.entry(one) for one in node.inputs)
        call = Call(node, found, self.work, origin, opset, name, outputs or (name,))
        mark = len(self.work.layers)
        try:
            if absent:
                frame.find(absent)
            for entry in found:
                if isinstance(entry, Lost):
                    raise call.unsupported(entry.reason)
            made = self._made(call, frame)
            self._darken(mark)
            return made
        except UpconvError as error:
            for gone in self.work.undo(mark):
                self.dark.pop(gone, None)
            return self._unknown(call, error, frame)

    def _darken(self, mark: int) -> None:
        """Of what the layers from number `mark` on make of the dark nothing is known either."""
        if not self.dark:
            return
        for layer in self.work.layers[mark:]:
            root = self._root(layer.inputs)
            if root:
                unknown = (value for value in layer.outputs if self.work.rank(value) is None)
                self.dark.update(dict.fromkeys(unknown, root))

    def _before(self, call: Call, names: Sequence[str]) -> str:
        """The layer that is not understood for which a node is not, "" where that is its own doing.
        Of an If its condition alone decides."""
        if call.node.op == "If":
            condition = call.entry(0)
            return self._root([condition.name] if isinstance(condition, Value) else [])
        return self._root(names) if call.node.op in LOWERINGS else ""

    def _root(self, values: Iterable[str]) -> str:
        """The layer that is not understood, before the first of the values that is dark."""
        return next((self.dark[value] for value in values if value in self.dark), "")

    def _made(self, call: Call, frame: Frame) -> tuple[Entry, ...]:
        """The outputs of a node: known at once, or as layers."""
        node = call.node
        function = self.functions.get((node.domain, node.op, node.overload))
        if function is not None:
            return self._inlined(call, function, frame)
        if node.domain:
            raise call.unsupported(f"an operator of the domain '{node.domain}', {node.op}")
        if node.op == "Constant":
            return (self._constant(call),)
        if node.op == "If":
            return self._branch(call, frame)
        lowering = lowering_of(node.op, call.opset)
        if all(isinstance(e, Known | None) for e in call.entries):
            found = _folded(call, must=lowering is None)
            if found is not None:
                return found
        if lowering is None:
            reason, hint = refusal(node.op, call.opset)
            raise call.unsupported(reason, hint)
        made = shortened(call) or counted(call, lowering(call))
        return made if isinstance(made, tuple) else (made,)

    def _unknown(self, call: Call, error: UpconvError, frame: Frame) -> tuple[Entry, ...]:
        """The node as an operator that is not known, told in a notice, unless it only follows one
        about which nothing is known. What the graphs inside of it read it reads."""
        inside = [frame.entry(name) for name in self._captured(call)]
        names = [name_of(self.work, e) if isinstance(e, Places) else e.name
                 for e in (*call.entries, *inside) if isinstance(e, Value | Places)]  # fmt: skip
        root = self._before(call, names)
        if root:
            error = call.unsupported(f"behind '{root}', which is not understood")
        elif type(error) is UnsupportedError:
            error.hint = error.hint or COPIED
        made = self.work.unknown(
            call.name,
            call.node.op,
            error,
            dict.fromkeys(names),
            call.origin,
            call.outputs,
            told=not root,
            shapes=stated_shapes(call)[: len(call.outputs)],
        )
        unknown = (value for value in made if self.work.rank(value) is None)
        self.dark.update(dict.fromkeys(unknown, root or self.work.layers[-1].name))
        return tuple(Value(name) for name in made)

    def _captured(self, call: Call) -> tuple[str, ...]:
        """What the graphs inside of a node read, found once for a node of a function. Raises
        UnreadableError where that is more, each time counted, than a model has nodes."""
        place = tuple(one.start for one in call.node.attributes.values())
        if place not in self.inside:
            self.inside[place] = tuple(captured(call.node))
        self.count += len(self.inside[place])
        if self.count > MAX_NODES:
            raise call.invalid("more nodes than any real model has")
        return self.inside[place]

    # Constants, functions, branches

    def _constant(self, call: Call) -> Entry:
        attributes = call.node.attributes
        if "value" in attributes:
            tensor = attributes["value"].message("t", "tensor")
            if tensor is None:
                raise call.invalid("a constant without its value")
            found = read_tensor(tensor, self.folder)
            return Known(found.dtype.kind, found.shape, found)
        for name, read in _CONSTANTS.items():
            if name in attributes:
                return known_of(read(attributes[name]))
        raise call.unsupported("a constant of text, or a sparse one")

    def _inlined(self, call: Call, function: Message, frame: Frame) -> tuple[Entry, ...]:
        """The nodes of a function of the model's own."""
        names = function.texts("input")
        if len(call.entries) > len(names):
            raise call.invalid(f"{len(call.entries)} inputs for a function of {len(names)}")
        defaults = {a.text("name"): a for a in function.messages("attribute_proto", "attribute")}
        padded = (*call.entries, *(None,) * (len(names) - len(call.entries)))
        inner = Frame(
            opsets_of(function) or frame.opsets,
            dict(zip(names, padded, strict=True)),
            prefix=f"{call.name}/",
            bound={**defaults, **call.node.attributes},
            depth=self._deeper(call, frame),
        )
        self.nodes(function.messages("node", "node"), inner)
        return tuple(inner.find(name) for name in function.texts("output"))

    def _branch(self, call: Call, frame: Frame) -> tuple[Entry, ...]:
        """The branch of an If that is taken, where its condition is known."""
        condition = call.entry(0)
        if not isinstance(condition, Known) or condition.is_symbolic:
            reason, hint = refusal("If", call.opset)
            raise call.unsupported(f"{reason}{self._decided_by(condition)}", hint)
        chosen = "then_branch" if condition.array().all() else "else_branch"
        attribute = call.node.attributes.get(chosen)
        graph = attribute.message("g", "graph") if attribute is not None else None
        if graph is None:
            raise call.invalid(f"an If without its {chosen}")
        inner = Frame(
            frame.opsets, {}, frame, f"{call.name}/", frame.bound, self._deeper(call, frame)
        )
        self.graph(graph, inner)
        return tuple(inner.find(one.text("name")) for one in graph.messages("output", "value"))

    def _decided_by(self, condition: Entry) -> str:
        """The inputs of the graph that a condition is computed from, in words."""
        wanted = {condition.name} if isinstance(condition, Value) else set()
        for layer in reversed(self.work.layers if wanted else ()):
            if not wanted.isdisjoint(layer.outputs):
                wanted.update(layer.inputs)
        names = [f"'{entry.name}'" for entry in self.work.inputs if entry.name in wanted]
        return f", by its {' and '.join(names)}" if names else ""

    def _deeper(self, call: Call, frame: Frame) -> int:
        if frame.depth >= MAX_DEPTH:
            raise call.unsupported(f"functions or branches nested more than {MAX_DEPTH} deep")
        return frame.depth + 1


_CONSTANTS: Final[Mapping[str, Callable[[Message], Array]]] = {
    "value_int": lambda found: listed([found.integer("i")], "i8").reshape(()),
    "value_ints": lambda found: listed(found.ints("ints"), "i8"),
    "value_float": lambda found: listed([found.number("f")], "f4").reshape(()),
    "value_floats": lambda found: listed(found.floats("floats"), "f4"),
}
"""Attributes of a Constant that are no tensor."""


def _folded(call: Call, must: bool) -> tuple[Entry, ...] | None:
    """What is known of a node's outputs at once; None where it is to be a layer, which is no choice
    where it `must` be known."""
    if call.node.op not in FOLDS:
        return None
    try:
        return fold(call)
    except NotFoldableError:
        if must:
            raise
        return None


def _lost(node: Node, index: int) -> Lost:
    return Lost(f"reads output {index} of '{node.name}', which {node.op} has in training only")


def captured(node: Node, depth: int = 0) -> Iterator[str]:
    """The names that the graphs inside of a node read and do not write themselves."""
    if depth > MAX_DEPTH:
        return
    for attribute in node.attributes.values():
        for graph in (*attribute.messages("g", "graph"), *attribute.messages("graphs", "graph")):
            own = {one.text("name") for one in graph.messages("input", "value")}
            own.update(one.text("name") for one in graph.messages("initializer", "tensor"))
            read: dict[str, None] = {}
            for index, message in enumerate(graph.messages("node", "node")):
                inner = node_of(message, index, {})
                read.update(dict.fromkeys((*inner.inputs, *captured(inner, depth + 1))))
                own.update(inner.outputs)
            read.update(
                dict.fromkeys(end.text("name") for end in graph.messages("output", "value"))
            )
            yield from (name for name in read if name and name not in own)


def opsets_of(holder: Message) -> dict[str, int]:
    """Domain -> version of a model or a function."""
    found: dict[str, int] = {}
    for entry in holder.messages("opset_import", "opset"):
        domain = entry.text("domain")
        found["" if domain == "ai.onnx" else domain] = entry.integer("version")
    return found


def function_key(function: Message) -> FunctionKey:
    """What tells a model's functions apart."""
    domain = function.text("domain")
    return "" if domain == "ai.onnx" else domain, function.text("name"), function.text("overload")


def require_known_opset(opsets: Mapping[str, int], newest: int, path: str) -> None:
    """Raise UnsupportedError for an opset whose words we do not know yet."""
    version = opsets.get("", 1)
    if not 1 <= version <= newest:
        raise UnsupportedError(
            f"opset {version}, of which the newest that is read is {newest}",
            path=path,
            hint="export it for an older opset, or convert it with onnx.version_converter",
        )
