"""An ONNX file written anew around what is not understood: its nodes are copied as they are.

Where a model from an ONNX file has layers that are not understood, its nodes stay, in their opset
and types, but for the transposed convolutions that runtimes read in different ways, or that are to
have another form: these are written as they are in a model that is understood.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from onnx import (
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    checker,
    defs,
    external_data_helper,
    helper,
)

from upconv.converters.ir.errors import UnreadableError, UnsupportedError, UpconvError
from upconv.converters.ir.inference import Inference, infer
from upconv.converters.ir.model import Layer, Model, Shape
from upconv.converters.ir.operators import ConvTranspose, Unknown
from upconv.converters.ir.records import record
from upconv.converters.onnx_writer.build import Built, build
from upconv.converters.onnx_writer.graph import StoredWeight
from upconv.converters.onnx_writer.options import COPIED, IR_VERSIONS, WriteOptions, Written
from upconv.converters.onnx_writer.refusals import layer_problems, refuse
from upconv.converters.onnx_writer.save import PROTOBUF_LIMIT, save
from upconv.converters.onnx_writer.single_layer import part_of
from upconv.converters.passes.live import live


def must_be_spliced(model: Model, options: WriteOptions) -> bool:
    """Whether a model is an ONNX file with layers that are not understood, and the whole of it."""
    if model.framework != "onnx" or options.unknown != "refuse" or not Path(model.path).is_file():
        return False
    if not any(isinstance(layer.operator, Unknown) for layer in live(model).layers):
        return False
    graph = _loaded(model.path).graph
    stored = {tensor.name for tensor in graph.initializer}
    inputs = [entry.name for entry in graph.input if entry.name not in stored]
    ends = [entry.name for entry in graph.output]
    return ends == list(model.outputs) and inputs == [entry.name for entry in model.inputs]


def malformed(model: Model) -> Iterator[UpconvError]:
    """What is wrong with parts of the file: they are not copied."""
    return (one.error for one in model.notices if one.kind == "unreadable-part")


def _load_data(proto: ModelProto, path: str) -> None:
    try:
        external_data_helper.load_external_data_for_model(proto, str(Path(path).parent))
    except (checker.ValidationError, ValueError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UnreadableError(f"its data cannot be read: {reason}", path=path) from None


def write_spliced(model: Model, target: Path, options: WriteOptions) -> Written:
    """Write the file of a model with the nodes of `_rewritten` exchanged, and with the sizes of
    inputs that the model has, which the user may have given.

    Raises UnsupportedError where such a node cannot be written in the file's opset, and
    UnreadableError where a part of the file is malformed, or data are in other files, which are not
    there, too short or elsewhere.
    """
    for error in malformed(model):
        raise error
    proto = _loaded(model.path)
    _load_data(proto, model.path)
    if proto.ByteSize() > PROTOBUF_LIMIT:
        message = "has nodes that are not understood, and more data than one file can hold"
        raise UnsupportedError(message, path=model.path)
    opset = max((one.version for one in proto.opset_import if not one.domain), default=1)
    if options.opset not in (opset, None):
        raise _other_opset(model, opset, options.version)
    splicing = _Splicing(proto, infer(model), model, options)
    problems: list[UnsupportedError] = []
    for layer in _rewritten(model, proto.graph, options):
        refuse(list(layer_problems(layer, splicing.inference)))
        if not splicing.exchange(layer, opset):
            problems.append(_of_opset(layer, opset))
    refuse(list(problems))
    _resize(proto.graph, model, splicing.inference)
    forms = {layer.name: COPIED for layer in model.layers} | splicing.forms
    about = {"version": options.producer_version, "framework": "onnx", "forms": forms}
    kept = {one.key: one.value for one in proto.metadata_props if one.key != "upconv"}
    del proto.metadata_props[:]
    helper.set_model_props(proto, {**kept, "upconv": json.dumps(about)})
    external = save(proto, splicing.weights, target, options.external_data)
    return Written(target, opset, external, forms)


def _loaded(path: str) -> ModelProto:
    from google.protobuf.message import DecodeError

    try:
        if os.path.getsize(path) > PROTOBUF_LIMIT:
            raise DecodeError("it is too large")
        proto: ModelProto = ModelProto.FromString(Path(path).read_bytes())
    except DecodeError as error:
        raise UnsupportedError(f"protobuf does not read it: {error}", path=path) from None
    return proto


def _other_opset(model: Model, own: int, asked: int) -> UnsupportedError:
    """Copied nodes mean what their opset says: only who knows them can move them to another."""
    first = next(one for one in live(model).layers if isinstance(one.operator, Unknown))
    return UnsupportedError(
        f"is not understood, so its node is copied in the file's opset, {own}, and cannot be "
        f"written in opset {asked}",
        path=model.path,
        layer=first.name,
        hint="leave --opset out, or move the file with onnx.version_converter first",
    )


def _of_opset(layer: Layer, opset: int) -> UnsupportedError:
    lowest, highest = min(IR_VERSIONS), max(IR_VERSIONS)
    return UnsupportedError(
        f"nodes that are not understood are copied in their opset, {opset}, and this one would be "
        f"written anew with operators that mean something else there than in {lowest} to {highest}",
        path=layer.origin.path,
        layer=layer.name,
        hint="move the file to one of these with onnx.version_converter",
    )


# What is exchanged


def _rewritten(model: Model, graph: GraphProto, options: WriteOptions) -> Iterator[Layer]:
    """The transposed convolutions in float32 whose pads are left to the runtime, or negative, or
    which are to have another form."""
    makers = {name: node for node in graph.node for name in node.output}
    floats = {one.name for one in graph.initializer if one.data_type == TensorProto.FLOAT}
    for layer in live(model).layers:
        node = makers.get(layer.outputs[0])
        if not isinstance(layer.operator, ConvTranspose) or node is None:
            continue
        if node.op_type != "ConvTranspose" or node.input[1] not in floats:
            continue
        if options.bilinear != "conv-transpose" or _is_treacherous(node, layer.operator):
            yield layer


def _is_treacherous(node: NodeProto, op: ConvTranspose) -> bool:
    said = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    is_open = said.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"") or said.get("output_shape")
    beyond = any(extra >= s for extra, s in zip(op.output_padding, op.stride, strict=True))
    return bool(is_open) or min(op.pads_begin + op.pads_end) < 0 or beyond


@record(slots=True)
class _Splicing:
    """A file whose nodes are exchanged: new weights and the forms of what is new."""

    proto: ModelProto
    inference: Inference
    model: Model
    options: WriteOptions
    weights: list[StoredWeight] = field(default_factory=list)
    forms: dict[str, str] = field(default_factory=dict)

    def exchange(self, layer: Layer, opset: int) -> bool:
        """Put the nodes that write a layer into the place of its own, where they mean in an opset
        what they mean in the closest one that is written."""
        part = part_of(self.model, layer, self.inference)
        closest = min(max(opset, min(IR_VERSIONS)), max(IR_VERSIONS))
        built = build(part, replace(self.options, opset=closest, unknown="refuse"))
        if not _mean_the_same(built.proto.graph, closest, opset):
            return False
        graph = self.proto.graph
        at, old = next(
            (index, node)
            for index, node in enumerate(graph.node)
            if layer.outputs[0] in node.output
        )
        self._rename(built, layer)
        rest = list(graph.node)[at + 1 :]
        del graph.node[at:]
        graph.node.extend([*built.proto.graph.node, *rest])
        used = set(_names_read(graph))
        for tensor in [one for one in graph.initializer if one.name in old.input]:
            if tensor.name not in used:
                graph.initializer.remove(tensor)
        graph.initializer.extend(built.proto.graph.initializer)
        self.forms[layer.name] = built.forms[layer.name]
        return True

    def _rename(self, built: Built, layer: Layer) -> None:
        """Give what is inside of the new nodes names that the file does not have."""
        graph = built.proto.graph
        outer = {*layer.inputs, *layer.outputs}
        inner = [name for node in graph.node for name in node.output if name not in outer]
        inner += [one.name for one in (*graph.initializer, *built.weights)]
        taken = set(_all_names(self.proto.graph))
        names = {name: _free(name, taken) for name in dict.fromkeys(inner)}
        for node in graph.node:
            for side in (node.input, node.output):
                side[:] = [names.get(name, name) for name in side]
        for tensor in graph.initializer:
            tensor.name = names[tensor.name]
        self.weights += [replace(one, name=names[one.name]) for one in built.weights]


def _mean_the_same(graph: GraphProto, written: int, opset: int) -> bool:
    """Whether no operator of a graph has changed between two opsets."""
    versions = [
        [defs.get_schema(op, version, "").since_version for op in {n.op_type for n in graph.node}]
        for version in (written, opset)
    ]
    return versions[0] == versions[1]


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _names_read(graph: GraphProto) -> Iterator[str]:
    """What nodes read, those of graphs inside of them too, and what leaves."""
    yield from (entry.name for entry in graph.output)
    for node in graph.node:
        yield from node.input
        for attribute in node.attribute:
            for inside in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                yield from _names_read(inside)


def _all_names(graph: GraphProto) -> Iterator[str]:
    yield from _names_read(graph)
    yield from (name for node in graph.node for name in node.output)
    yield from (one.name for one in (*graph.input, *graph.initializer))


# Sizes


def _resize(graph: GraphProto, model: Model, inference: Inference) -> None:
    """Give the inputs the model's sizes; where that changes any, what the file says of shapes is no
    longer so."""
    declared = {entry.name: entry for entry in graph.input}
    changed = False
    for entry in model.inputs:
        if entry.shape is not None:
            changed |= _set_shape(declared[entry.name].type.tensor_type, entry.shape)
    if not changed:
        return
    del graph.value_info[:]
    for end in graph.output:
        shape = inference.shapes.get(end.name)
        if shape is not None:
            _set_shape(end.type.tensor_type, shape)
        else:
            for dim in end.type.tensor_type.shape.dim:
                dim.Clear()


def _set_shape(tensor: Any, shape: Shape) -> bool:
    """Write sizes; whether a number came, went or changed."""
    before = [dim.dim_value for dim in tensor.shape.dim]
    now = [size if isinstance(size, int) else 0 for size in shape]
    if before == now:
        return False
    del tensor.shape.dim[:]
    for size in shape:
        dim = tensor.shape.dim.add()
        if isinstance(size, int):
            dim.dim_value = size
        else:
            dim.dim_param = str(size)
    return True
