"""Indices, of pooled maxima and of entries: whole numbers where they are used as such, floats where
anyone else looks."""

from __future__ import annotations

from onnx import TensorProto, helper

from upconv.converters.onnx_writer.graph import GraphBuilder


def write_indices(graph: GraphBuilder, indices: str, value: str) -> None:
    """Let `value` be the int64 tensor `indices`, places of a plane or entries of an axis.

    It is int64 where everybody who reads it takes it for indices; whoever else reads it, or the
    graph's output, gets floats, which is what frameworks keep in such a blob.
    """
    if graph.only_indices(value):
        graph.node("Identity", (indices,), value)
        graph.integers[value] = value
        return
    graph.cast(indices, TensorProto.FLOAT, value)
    graph.integers[value] = indices


def integer_input(graph: GraphBuilder, name: str) -> None:
    """Take a graph input of integers as indices; who computes with it reads a float copy."""
    if graph.only_indices(name):
        graph.integers[name] = name
        return
    copy = graph.unique(f"{name}/float")
    node = helper.make_node("Cast", (name,), (copy,), to=TensorProto.FLOAT, name=copy)
    graph.nodes.append(node)
    graph.integers[copy] = name
    graph.carry(name, copy)


def integer_indices(graph: GraphBuilder, value: str) -> str:
    """The int64 tensor of a value that holds indices."""
    tensor = graph.tensor(value)
    return graph.integers.get(tensor) or graph.cast(tensor, TensorProto.INT64)


def integer_output(graph: GraphBuilder, value: str, name: str) -> None:
    """Let the graph's output `name` be the whole numbers of a value, as int64."""
    tensor = graph.tensor(value)
    known = graph.integers.get(tensor)
    if known is None:
        node = helper.make_node(
            "Cast", (tensor,), (name,), to=TensorProto.INT64, name=f"{name}/Cast"
        )
        graph.nodes.append(node)
    else:
        graph.border_node("Identity", (known,), name)
