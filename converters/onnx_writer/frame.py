"""The graph's border: inputs and outputs as the source has them, and what stands right inside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from onnx import TensorProto, ValueInfoProto, helper

from upconv.converters.ir.dims import is_constant
from upconv.converters.ir.model import Model, Shape
from upconv.converters.ir.shapes import channels_last
from upconv.converters.onnx_writer.emitters.whole_numbers import integer_input, integer_output
from upconv.converters.onnx_writer.graph import GraphBuilder
from upconv.converters.onnx_writer.layout import Inside
from upconv.converters.passes.channels import to_first, to_last


def enter_inputs(graph: GraphBuilder, inside: Inside) -> None:
    """Transpose channels-last inputs; turn whole numbers to floats where layers want those."""
    outer = {inner: name for name, inner in inside.inner.items()}
    for entry in inside.model.inputs:
        if entry.name in outer:
            perm = to_first(len(entry.shape or ()))
            graph.border_node("Transpose", (outer[entry.name],), entry.name, perm=perm)
        if entry.integer:
            integer_input(graph, entry.name)


def leave_outputs(graph: GraphBuilder, inside: Inside, outputs: Sequence[str]) -> None:
    """Transpose outputs that the source has channels-last; make whole numbers integers again."""
    for name in outputs:
        if name in inside.inner:
            value = inside.inner[name]
            if name in inside.model.integer_outputs:
                integer_output(graph, value, name)
                continue
            perm = to_last(len(graph.shape(value)))
            graph.border_node("Transpose", (value,), name, perm=perm)


def inputs_of(model: Model, inside: Inside) -> Iterator[ValueInfoProto]:
    """The graph's inputs, in the source's layout and kind."""
    for entry in model.inputs:
        assert entry.shape is not None, "refused before: input shapes are unknown"
        shape = channels_last(entry.shape) if entry.name in inside.inner else entry.shape
        kind = TensorProto.INT64 if entry.integer else TensorProto.FLOAT
        yield typed_value(entry.name, shape, kind)


def outputs_of(model: Model, graph: GraphBuilder, inside: Inside) -> Iterator[ValueInfoProto]:
    """The graph's outputs, in the source's layout."""
    for name in model.outputs:
        inner = inside.inner.get(name)
        if name in model.integer_outputs:
            yield typed_value(name, graph.shape(inner or name), TensorProto.INT64)
            continue
        if graph.shapes.get(inner or name) is None and graph.has_custom:
            yield helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
            continue
        shape = graph.shape(name) if inner is None else channels_last(graph.shape(inner))
        yield typed_value(name, shape, _kind(graph, name))


def inner_values(graph: GraphBuilder) -> Iterator[ValueInfoProto]:
    """The shapes of the model's own values, for tools that show them."""
    written = {name for node in graph.nodes for name in node.output}
    for layer in graph.model.layers:
        for name in layer.outputs:
            shape = graph.shapes.get(name)
            if shape is None or not (graph.options.open_shapes or is_constant(*shape)):
                continue
            if name in written and name not in graph.model.outputs:
                yield typed_value(name, shape, _kind(graph, name))


def _kind(graph: GraphBuilder, name: str) -> int:
    if graph.truths.get(name) == name:
        return TensorProto.BOOL
    return TensorProto.INT64 if graph.integers.get(name) == name else TensorProto.FLOAT


def typed_value(name: str, shape: Shape, kind: int) -> ValueInfoProto:
    """A typed value. Equal sizes have equal texts as their dim_param, expressions included."""
    dims = [size if isinstance(size, int) else str(size) for size in shape]
    return helper.make_tensor_value_info(name, kind, dims)
