"""Graphs as TensorFlow's files have them: nodes with attributes, functions, signatures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.ir.origin import Span
from upconv.converters.readers.assembly.element_types import DType
from upconv.converters.readers.files.budgets import GRAPH
from upconv.converters.readers.tensorflow.messages import Record, first_record, int_of, text_of
from upconv.converters.readers.tensorflow.schema import dtype_of
from upconv.converters.readers.tensorflow.tensors import Stored, read_tensor

MAX_RANK: Final = 32
MAX_SIZE: Final = 1 << 40

FileShape = tuple[int | None, ...] | None
"""A shape as written: None for a size that is open, and for one of which not even the rank is
known."""


class Node:
    """One node: an operation, the tensors it reads, and its attributes, decoded when asked for."""

    __slots__ = ("_attributes", "_record", "inputs", "name", "op")

    def __init__(self, record: Record) -> None:
        self._record = record
        self.name = text_of(record, "name")
        self.op = text_of(record, "op")
        self.inputs = [text for text in record.texts("input") if not text.startswith("^")]
        self._attributes: dict[str, Record] | None = None

    @property
    def span(self) -> Span | None:
        return self._record.span

    def attribute(self, name: str) -> Record | None:
        """The raw value of an attribute, None where there is none."""
        if self._attributes is None:
            found: dict[str, Record] = {}
            for entry in self._record.records("attr"):
                value = first_record(entry, "value")
                if value is not None:
                    found[text_of(entry, "key")] = value
            self._attributes = found
        return self._attributes.get(name)

    def has(self, name: str) -> bool:
        return self.attribute(name) is not None

    def integer(self, name: str, default: int = 0) -> int:
        """A whole number, a bool as 0 or 1."""
        value = self.attribute(name)
        if value is None:
            return default
        return int_of(value, "i", default)

    def flag(self, name: str, default: bool = False) -> bool:
        value = self.attribute(name)
        return default if value is None else bool(int_of(value, "b", int(default)))

    def number(self, name: str, default: float = 0.0) -> float:
        value = self.attribute(name)
        found = value.floats("f") if value is not None else []
        return found[-1] if found else default

    def word(self, name: str, default: str = "") -> str:
        """A string attribute as text."""
        value = self.attribute(name)
        found = value.data("s") if value is not None else []
        return str(bytes(found[-1][:4096]), "utf-8", "replace") if found else default

    def integers(self, name: str) -> tuple[int, ...]:
        """A list of whole numbers, () where there is none."""
        value = self.attribute(name)
        listed = first_record(value, "list") if value is not None else None
        return tuple(listed.ints("i")) if listed is not None else ()

    def dtype(self, name: str, default: int = 1) -> DType:
        value = self.attribute(name)
        return dtype_of(int_of(value, "type", default) if value is not None else default)

    def shape(self, name: str) -> FileShape:
        """A shape attribute; None where it is absent or of unknown rank."""
        value = self.attribute(name)
        found = first_record(value, "shape") if value is not None else None
        return read_shape(found)

    def shape_of(self, name: str) -> FileShape:
        """The shape in a shape attribute or of a tensor attribute."""
        value = self.attribute(name)
        tensor = first_record(value, "tensor") if value is not None else None
        if tensor is None:
            return self.shape(name)
        return read_shape(first_record(tensor, "tensor_shape"))

    def tensor(self, name: str) -> Stored | None:
        """A tensor attribute; its values stay in the file."""
        value = self.attribute(name)
        found = first_record(value, "tensor") if value is not None else None
        if found is None:
            return None
        shape = read_shape(first_record(found, "tensor_shape"))
        if shape is None:
            shape = ()
        sizes = tuple(size for size in shape if size is not None)
        if len(sizes) != len(shape):
            raise self.fail("a constant whose shape is open")
        return read_tensor(found, sizes)

    def function(self, name: str) -> str:
        """The name of a function an attribute gives, "" where there is none."""
        value = self.attribute(name)
        found = first_record(value, "func") if value is not None else None
        return text_of(found, "name") if found is not None else ""

    def fail(self, message: str) -> UnreadableError:
        """The error of this node."""
        error = self._record.fail(message)
        error.layer = self.name
        return error


def read_shape(record: Record | None) -> FileShape:
    """The sizes a TensorShapeProto lists; None where it is absent or of unknown rank.

    Raises UnreadableError for shapes no tensor has.
    """
    if record is None or int_of(record, "unknown_rank"):
        return None
    dims = record.records("dim")
    if len(dims) > MAX_RANK:
        raise record.fail(f"a shape of {len(dims)} axes")
    sizes = [int_of(dim, "size") for dim in dims]
    if any(not -1 <= size <= MAX_SIZE for size in sizes):
        raise record.fail(f"the impossible shape {sizes}")
    return tuple(None if size == -1 else size for size in sizes)


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the library: its arguments, nodes, and what its results are."""

    name: str
    arguments: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: Mapping[str, Node]
    results: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """An input or output of a signature: its key, its tensor `node:index`, type and shape."""

    key: str
    tensor: str
    dtype: DType
    shape: FileShape


@dataclass(frozen=True, slots=True)
class Signature:
    """One way to call a SavedModel."""

    name: str
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """The nodes of a graph by name, in the order of the file, and its function library."""

    path: str
    nodes: Mapping[str, Node]
    functions: Mapping[str, Function] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MetaGraph:
    """A graph with what a SavedModel or .meta file says about it.

    `captures` are, for each function of a SavedModel, the objects behind its last arguments.
    """

    graph: Graph
    tags: tuple[str, ...] = ()
    signatures: Mapping[str, Signature] = field(default_factory=dict)
    restore: str = ""
    captures: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


def read_graph(record: Record, path: str) -> Graph:
    """A GraphDef. Raises UnreadableError where two nodes have one name."""
    functions: dict[str, Function] = {}
    for library in record.records("library"):
        for entry in library.records("function"):
            function = _function(entry)
            functions[function.name] = function
    return Graph(path, _nodes(record.records("node")), functions)


def _nodes(records: Sequence[Record]) -> dict[str, Node]:
    nodes: dict[str, Node] = {}
    for count, record in enumerate(records):
        if count >= GRAPH.steps:
            raise record.fail(f"{GRAPH.what} with more than {GRAPH.steps} nodes")
        node = Node(record)
        if node.name in nodes:
            raise node.fail(f"two nodes are named '{node.name}'")
        nodes[node.name] = node
    return nodes


def _function(record: Record) -> Function:
    signature = first_record(record, "signature")
    if signature is None:
        raise record.fail("a function without a signature")
    return Function(
        name=text_of(signature, "name"),
        arguments=tuple(text_of(arg, "name") for arg in signature.records("input_arg")),
        outputs=tuple(text_of(arg, "name") for arg in signature.records("output_arg")),
        nodes=_nodes(record.records("node_def")),
        results={text_of(e, "key"): text_of(e, "value") for e in record.records("ret")},
    )


def read_meta_graph(record: Record, path: str) -> MetaGraph:
    """A MetaGraphDef. Raises UnreadableError where it holds no graph."""
    graph = first_record(record, "graph_def")
    if graph is None:
        raise UnreadableError("a MetaGraph without a graph", path=path)
    about = first_record(record, "meta_info_def")
    saver = first_record(record, "saver_def")
    signatures = [_signature(entry) for entry in record.records("signature_def")]
    return MetaGraph(
        graph=read_graph(graph, path),
        tags=tuple(about.texts("tags")) if about is not None else (),
        signatures={signature.name: signature for signature in signatures},
        restore=text_of(saver, "restore_op_name") if saver is not None else "",
        captures=_captures(first_record(record, "object_graph_def")),
    )


def _captures(record: Record | None) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for entry in record.records("concrete_functions") if record is not None else ():
        function = first_record(entry, "value")
        if function is not None:
            found[text_of(entry, "key")] = tuple(function.ints("bound_inputs"))
    return found


def _signature(record: Record) -> Signature:
    value = first_record(record, "value")
    inputs = value.records("inputs") if value is not None else []
    outputs = value.records("outputs") if value is not None else []
    return Signature(text_of(record, "key"), _infos(inputs), _infos(outputs))


def _infos(records: Sequence[Record]) -> tuple[TensorInfo, ...]:
    """Sorted by key: a map of protobuf has no order of its own."""
    infos = []
    for record in records:
        info = first_record(record, "value")
        if info is None:
            raise record.fail("a signature without a tensor")
        shape = read_shape(first_record(info, "tensor_shape"))
        dtype = dtype_of(int_of(info, "dtype"))
        infos.append(TensorInfo(text_of(record, "key"), text_of(info, "name"), dtype, shape))
    return tuple(sorted(infos, key=lambda info: info.key))
