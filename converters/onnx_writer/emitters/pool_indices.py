"""Indices of pooled maxima: whole numbers inside, floats where anyone but an unpooling looks."""

from __future__ import annotations

from onnx import TensorProto

from converters.onnx_writer.graph import GraphBuilder
from converters.operators import Unpool


def write_indices(graph: GraphBuilder, indices: str, value: str) -> None:
    """Let `value` be the int64 tensor `indices`, which count within each (N, C) plane.

    It is int64 where only unpoolings read it; whoever else reads it, or the graph's output, gets
    floats, which is what frameworks keep in such a blob.
    """
    if _only_unpooled(graph, value):
        graph.node("Identity", (indices,), value)
        graph.integers[value] = value
        return
    graph.cast(indices, TensorProto.FLOAT, value)
    graph.integers[value] = indices


def integer_indices(graph: GraphBuilder, value: str) -> str:
    """The int64 tensor of a value that holds plane indices."""
    tensor = graph.tensor(value)
    return graph.integers.get(tensor) or graph.cast(tensor, TensorProto.INT64)


def _only_unpooled(graph: GraphBuilder, value: str) -> bool:
    readers = graph.consumers.get(value, [])
    return not graph.is_output(value) and all(
        isinstance(reader.operator, Unpool) and value not in (reader.inputs[0], *reader.inputs[2:])
        for reader in readers
    )
