"""Which of TensorFlow's files a file is, told by its content, and what it holds."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from upconv.converters.ir.errors import UnreadableError, UpconvError
from upconv.converters.ir.source import Source
from upconv.converters.readers.files.budgets import GRAPH_FIELDS
from upconv.converters.readers.files.prototxt import load_text, parse
from upconv.converters.readers.files.wire import LENGTH, VARINT, Field, Wire, map_file
from upconv.converters.readers.tensorflow.graphdef import MetaGraph, read_graph, read_meta_graph
from upconv.converters.readers.tensorflow.messages import Record, TextRecord, WireRecord

Kind: TypeAlias = Literal["graph", "meta graph", "saved model", ""]

SERVE: Final = "serve"
_HEAD: Final = 1 << 12


def kind_of(head: bytes) -> Kind:
    """What the first bytes of a binary file begin; "" for none of TensorFlow's."""
    wire = Wire(memoryview(head), "", max_fields=_HEAD, head=True)
    try:
        fields = wire.fields()
        first = next(fields, None)
        if first is not None and first.number == 2 and _is_unversioned(wire, first):
            return "saved model"
        if first is None or first.number != 1:
            return ""
        if first.wire_type == VARINT:
            second = next(fields, None)
            return "saved model" if second and _is_meta_graph(wire, second) else ""
        if first.wire_type == LENGTH and _is_node(wire, first):
            return "graph"
        return "meta graph" if _is_meta_info(wire, first) and _has_graph(wire) else ""
    except UpconvError:
        return ""


def _is_node(wire: Wire, field: Field) -> bool:
    """A NodeDef begins with its name and operation, which are words, or has its name left out."""
    words: dict[int, str] = {}
    for item in wire.fields(field.start, field.end):
        if item.number > 7 or item.wire_type != LENGTH:
            return False
        if item.number in (1, 2):
            words[item.number] = wire.text(item)
        if item.end == len(wire.view):
            break
    op = words.get(2, "")
    return bool(words.get(1)) and op.isascii() and op.replace("_", "").replace(">", "").isalnum()


def _is_meta_info(wire: Wire, field: Field) -> bool:
    """A MetaInfoDef: messages and texts of numbers up to 7, and no node."""
    items = list(wire.fields(field.start, field.end))
    return field.wire_type == LENGTH and all(0 < item.number <= 7 for item in items)


def _has_graph(wire: Wire) -> bool:
    """Whether the second field is a graph, or lies behind the bytes that were read."""
    for field in wire.fields():
        if field.number == 2 and field.wire_type == LENGTH:
            first = next(wire.fields(field.start, field.end), None)
            return first is None or (first.number == 1 and _is_node(wire, first))
        if field.number != 1:
            return False
    return True


def _is_meta_graph(wire: Wire, field: Field) -> bool:
    if field.number != 2 or field.wire_type != LENGTH:
        return False
    first = next(wire.fields(field.start, field.end), None)
    return (
        first is not None
        and first.number in (1, 2)
        and first.wire_type == LENGTH
        and (first.number == 2 or _is_meta_info(wire, first))
    )


def _is_unversioned(wire: Wire, field: Field) -> bool:
    """A SavedModel whose version is 0 begins with its first MetaGraphDef, where a GraphDef may have
    its functions: a MetaInfoDef begins with operations, tags or a version, a FunctionDef with its
    signature, which is number 1."""
    if not _is_meta_graph(wire, field):
        return False
    info = next(wire.fields(field.start, field.end))
    inner = next(wire.fields(info.start, info.end), None)
    return info.number == 1 and inner is not None and inner.number != 1


def read_file(path: str) -> tuple[Kind, MetaGraph]:
    """What a file of any of the kinds holds, binary or text.

    Raises UnreadableError where it is none of them or broken.
    """
    view = map_file(path, "TensorFlow model")
    if is_text(view):
        return read_text(load_text(path))
    wire = Wire(view, path, max_fields=GRAPH_FIELDS)
    kind = kind_of(bytes(view[: 1 << 16]))
    if kind == "saved model":
        return kind, _chosen(WireRecord(wire, "SavedModel"), path)
    if kind == "meta graph":
        return kind, read_meta_graph(WireRecord(wire, "MetaGraphDef"), path)
    wire.require_protobuf("TensorFlow graph", {})
    graph = read_graph(WireRecord(wire, "GraphDef"), path)
    _require_nodes(graph.nodes, path)
    return "graph", MetaGraph(graph)


def _require_nodes(nodes: object, path: str) -> None:
    if not nodes:
        raise UnreadableError(
            "this is not a TensorFlow graph: it holds no node",
            path=path,
            hint="ONNX, Caffe and Caffe2 files are protobuf too",
        )


def is_text(view: memoryview | bytes) -> bool:
    """Whether a file is a text, by its first bytes."""
    head = bytes(view[:_HEAD])
    return not any(byte < 9 or 13 < byte < 32 or byte == 127 for byte in head)


def read_text(source: Source) -> tuple[Kind, MetaGraph]:
    """What a text of any of the kinds holds; raises as `read_file`."""
    parsed, path = parse(source), source.path
    if parsed.errors:
        raise parsed.errors[0]
    root = parsed.root
    if root.has("meta_graphs"):
        return "saved model", _chosen(TextRecord(root, "SavedModel"), path)
    if root.has("graph_def"):
        return "meta graph", read_meta_graph(TextRecord(root, "MetaGraphDef"), path)
    graph = read_graph(TextRecord(root, "GraphDef"), path)
    _require_nodes(graph.nodes, path)
    return "graph", MetaGraph(graph)


def _chosen(record: Record, path: str) -> MetaGraph:
    """The MetaGraph for serving, else the first."""
    entries = record.records("meta_graphs")
    if not entries:
        raise UnreadableError("a SavedModel without a graph", path=path)
    graphs = [read_meta_graph(entry, path) for entry in entries[:16]]
    return next((graph for graph in graphs if SERVE in graph.tags), graphs[0])
