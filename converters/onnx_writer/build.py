"""A model as an ONNX graph: every layer's emitter in order, and the frame around them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from onnx import ModelProto, TensorProto, ValueInfoProto, helper

from converters.dims import Size
from converters.errors import UpconvError
from converters.inference import Inference, infer
from converters.ir import Layer, Model, Shape, validate
from converters.onnx_writer.emitters import EMITTERS
from converters.onnx_writer.graph import GraphBuilder, StoredWeight
from converters.onnx_writer.options import IR_VERSIONS, WriteOptions
from converters.onnx_writer.refusals import located, problems, refuse


@dataclass(frozen=True, slots=True)
class Built:
    """An ONNX model without its weights, the weights, and the form of every layer."""

    proto: ModelProto
    weights: tuple[StoredWeight, ...]
    forms: Mapping[str, str]


def build(model: Model, options: WriteOptions) -> Built:
    """The ONNX model of a model.

    Raises UnsupportedError that lists everything that stands in the way, one a line.
    """
    validate(model)
    inference = infer(model)
    refuse(list(problems(model, inference)))
    graph = GraphBuilder(model, inference, options)
    forms: dict[str, str] = {}
    failures: list[UpconvError] = []
    for layer in model.layers:
        try:
            forms[layer.name] = _emit(layer, graph)
        except UpconvError as error:
            failures.append(located(error, layer))
    refuse(failures)
    return Built(_proto(graph, inference, forms), tuple(graph.weights), forms)


def _emit(layer: Layer, graph: GraphBuilder) -> str:
    graph.enter(layer)
    return EMITTERS[type(layer.operator)](layer.operator, layer, graph)


def _proto(graph: GraphBuilder, inference: Inference, forms: Mapping[str, str]) -> ModelProto:
    model, options = graph.model, graph.options
    body = helper.make_graph(
        graph.nodes,
        model.name or "upconv",
        [_value(entry.name, entry.shape) for entry in model.inputs],
        [_value(name, inference.shapes[name]) for name in model.outputs],
        graph.constants,
        value_info=list(_inner_values(graph)),
    )
    proto = helper.make_model(
        body,
        opset_imports=[helper.make_opsetid("", options.opset)],
        ir_version=IR_VERSIONS[options.opset],
        producer_name="upconv",
        producer_version=options.producer_version,
    )
    about = {
        "version": options.producer_version,
        "framework": model.framework,
        "forms": dict(forms),
    }
    helper.set_model_props(proto, {"upconv": json.dumps(about)})
    return proto


def _inner_values(graph: GraphBuilder) -> Iterator[ValueInfoProto]:
    """The shapes of the model's own values, for tools that show them."""
    written = {name for node in graph.nodes for name in node.output}
    for layer in graph.model.layers:
        for name in layer.outputs:
            shape = graph.shapes.get(name)
            if name in written and name not in graph.model.outputs and shape is not None:
                integer = graph.integers.get(name) == name
                yield _value(name, shape, TensorProto.INT64 if integer else TensorProto.FLOAT)


def _value(name: str, shape: Shape | None, kind: int = TensorProto.FLOAT) -> ValueInfoProto:
    """A typed value. Equal sizes have equal texts as their dim_param, expressions included."""
    if shape is None:
        return helper.make_tensor_value_info(name, kind, None)
    return helper.make_tensor_value_info(name, kind, _dimensions(shape))


def _dimensions(shape: Sequence[Size]) -> list[int | str]:
    return [size if isinstance(size, int) else str(size) for size in shape]
