"""A model as an ONNX graph: every layer's emitter in order, and the frame around them."""

from __future__ import annotations

import json
from collections.abc import Mapping

from onnx import ModelProto, helper

from upconv.converters.ir.errors import UpconvError
from upconv.converters.ir.inference import infer
from upconv.converters.ir.model import Layer, Model, validate
from upconv.converters.ir.operators import Unknown
from upconv.converters.ir.records import record
from upconv.converters.onnx_writer.custom import DOMAIN, VERSION, emit_custom
from upconv.converters.onnx_writer.emitters import EMITTERS
from upconv.converters.onnx_writer.frame import (
    enter_inputs,
    inner_values,
    inputs_of,
    leave_outputs,
    outputs_of,
)
from upconv.converters.onnx_writer.graph import GraphBuilder, StoredWeight
from upconv.converters.onnx_writer.layout import Inside, channels_first
from upconv.converters.onnx_writer.offer import offer
from upconv.converters.onnx_writer.options import IR_VERSIONS, WriteOptions
from upconv.converters.onnx_writer.refusals import located, problems, refuse
from upconv.converters.passes.live import live


@record(frozen=True, slots=True)
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
    model = live(model)
    inside = channels_first(model)
    inference = infer(inside.model)
    custom = options.unknown == "custom-op"
    found = list(problems(inside.model, inference, custom))
    refuse(found, offer(inside.model) if found and not custom else "")
    graph = GraphBuilder(inside.model, inference, options)
    graph.reserve(inside.inner)
    enter_inputs(graph, inside)
    forms: dict[str, str] = {}
    failures: list[UpconvError] = []
    for layer in inside.model.layers:
        try:
            forms[layer.name] = _emit(layer, graph)
        except UpconvError as error:
            failures.append(located(error, layer))
    refuse(failures)
    leave_outputs(graph, inside, model.outputs)
    return Built(_proto(model, graph, inside, forms), tuple(graph.weights), forms)


def _emit(layer: Layer, graph: GraphBuilder) -> str:
    graph.enter(layer)
    if isinstance(layer.operator, Unknown):
        return emit_custom(layer.operator, layer, graph)
    return EMITTERS[type(layer.operator)](layer.operator, layer, graph)


def _proto(
    model: Model, graph: GraphBuilder, inside: Inside, forms: Mapping[str, str]
) -> ModelProto:
    options = graph.options
    body = helper.make_graph(
        graph.nodes,
        model.name or "upconv",
        list(inputs_of(model, inside)),
        list(outputs_of(model, graph, inside)),
        graph.constants,
        value_info=list(inner_values(graph)),
    )
    opsets = [helper.make_opsetid("", options.version)]
    if any(node.domain == DOMAIN for node in graph.nodes):
        opsets.append(helper.make_opsetid(DOMAIN, VERSION))
    proto = helper.make_model(
        body,
        opset_imports=opsets,
        ir_version=IR_VERSIONS[options.version],
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
