"""The ONNX nodes of a model: those of its file, or those that `convert` would write for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from upconv.converters.ir.errors import UpconvError
from upconv.converters.ir.inference import Inference
from upconv.converters.ir.model import Layer, Model
from upconv.converters.ir.operators import UPSAMPLING, BatchNorm, GridSample, SpaceToDepth, Unknown
from upconv.converters.ir.records import record
from upconv.converters.ir.tensors import ArrayData, Weight
from upconv.converters.ir.weight_shapes import expected_weights
from upconv.linter.engines.facts import Seen

JUDGED = (*UPSAMPLING, SpaceToDepth, GridSample)
"""Operators whose nodes engines differ about."""

if TYPE_CHECKING:
    from onnx import AttributeProto, NodeProto


@record(frozen=True, slots=True)
class EmittedNode:
    """An `OnnxNode` that `convert` would write."""

    proto: NodeProto
    opset: int
    stores_open_size: bool = False

    @property
    def operator(self) -> str:
        return self.proto.op_type

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(self.proto.input)

    @property
    def outputs(self) -> tuple[str, ...]:
        return tuple(self.proto.output)

    def attribute(self, name: str) -> str | int | float | tuple[int, ...] | None:
        found = next((one for one in self.proto.attribute if one.name == name), None)
        return None if found is None else _value(found)


def _value(attribute: AttributeProto) -> str | int | float | tuple[int, ...] | None:
    from onnx import helper

    value = helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, int | float):
        return value
    return (
        tuple(value) if isinstance(value, list) and all(isinstance(n, int) for n in value) else None
    )


def nodes_of(model: Model, inference: Inference) -> Iterator[Seen]:
    """The nodes that matter to upsampling, each with its layer."""
    written: dict[int, Seen] = {}
    normalised = _normalised(model)
    for layer in model.layers:
        node = layer.origin.written.node
        if node is not None:  # the last makes its output
            behind = layer.outputs[:1] in normalised
            written[id(node)] = Seen(node, layer, inference.shapes, behind)
        elif isinstance(layer.operator, JUDGED) and layer.origin.framework != "onnx":
            yield from emitted(model, layer, inference, normalised=normalised)
    yield from written.values()


def emitted(
    model: Model,
    layer: Layer,
    inference: Inference,
    opset: int = 18,
    normalised: Container[tuple[str, ...]] | None = None,
) -> list[Seen]:
    """The nodes that `convert` writes for one layer; none where it cannot be written. `normalised`
    are the values of the model that `_normalised` finds, where they are known."""
    from upconv.converters.onnx_writer.build import build
    from upconv.converters.onnx_writer.options import WriteOptions
    from upconv.converters.onnx_writer.single_layer import part_of

    if any(inference.shapes.get(value) is None for value in layer.inputs):
        return []
    part = part_of(model, _with_stand_ins(layer, inference), inference)
    try:
        built = build(part, WriteOptions(opset))
    except UpconvError:
        return []
    known = _normalised(model) if normalised is None else normalised
    last = layer.outputs[:1] if layer.outputs[:1] in known else ()
    return [
        Seen(EmittedNode(n, opset), layer, inference.shapes, n.output[0] in last)
        for n in built.proto.graph.node
    ]


def _normalised(model: Model) -> frozenset[tuple[str, ...]]:
    """The values that a BatchNormalization reads, and nothing else does."""
    readers = Counter(value for layer in model.layers for value in layer.inputs)
    readers.update(model.outputs)
    return frozenset(
        layer.inputs
        for layer in model.layers
        if isinstance(layer.operator, BatchNorm) and readers[layer.inputs[0]] == 1
    )


def _with_stand_ins(layer: Layer, inference: Inference) -> Layer:
    """The layer with weights in the place of those that are missing: only their shape counts."""
    shape = inference.shapes.get(layer.inputs[0]) if layer.inputs else None
    if shape is None or isinstance(layer.operator, Unknown):
        return layer
    expected = expected_weights(layer, shape)
    weights = {
        name: weight if weight.present else _zeros(weight.shape or expected.get(name))
        for name, weight in layer.weights.items()
    }
    return replace(layer, weights=weights)


def _zeros(shape: object) -> Weight:
    import numpy as np

    sizes = shape if isinstance(shape, tuple) and all(isinstance(n, int) for n in shape) else None
    if sizes is None:
        return Weight(None)
    return Weight(sizes, ArrayData(sizes, lambda: np.zeros(sizes, np.float32)))
