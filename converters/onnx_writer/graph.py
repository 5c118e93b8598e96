"""The ONNX graph under construction: nodes, constants, weights and unique names.

The ONNX tensor that carries a value of the model has the value's own name, so that a verifier can
compare value by value; tensors inside a layer are named `<layer>/<operator>`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from upconv.converters.ir.dims import Size
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.inference import Inference
from upconv.converters.ir.model import Layer, Model, Shape
from upconv.converters.ir.operators import Operator, Unknown, Where, index_place
from upconv.converters.ir.records import record
from upconv.converters.ir.tensors import TensorData
from upconv.converters.onnx_writer.options import WriteOptions
from upconv.converters.onnx_writer.sizes import SizeWriter


@record(frozen=True, slots=True)
class StoredWeight:
    """A float32 initializer whose values stay in the source file until they are written."""

    name: str
    dims: tuple[int, ...]
    data: TensorData

    @property
    def nbytes(self) -> int:
        return 4 * int(np.prod(self.dims, dtype=np.int64))


class GraphBuilder:
    """Collects the nodes of one model; emitters write into it, one layer at a time."""

    def __init__(self, model: Model, inference: Inference, options: WriteOptions) -> None:
        self.model = model
        self.options = options
        self.opset = options.version
        self.shapes = inference.shapes
        self.consumers = model.consumers()
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self.weights: list[StoredWeight] = []
        self.integers: dict[str, str] = {}
        self.truths: dict[str, str] = {}
        self._taken = {entry.name for entry in model.inputs}
        self._taken |= {value for layer in model.layers for value in layer.outputs}
        self._node_names: set[str] = {layer.name for layer in model.layers}
        self._aliases: dict[str, str] = {}
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._weights: dict[tuple[int, tuple[int, ...]], tuple[TensorData, str]] = {}
        self._layer: Layer | None = None
        self._sizes = SizeWriter(self)

    def enter(self, layer: Layer) -> None:
        """What follows belongs to this layer."""
        self._layer = layer

    @property
    def has_custom(self) -> bool:
        """Whether some layers are not understood, so that shapes may be unknown."""
        return any(isinstance(layer.operator, Unknown) for layer in self.model.layers)

    @property
    def layer(self) -> Layer:
        assert self._layer is not None
        return self._layer

    def tensor(self, value: str) -> str:
        """The ONNX tensor that carries a value of the model."""
        return self._aliases.get(value, value)

    def alias(self, value: str, source: str) -> None:
        """Let `value` be carried by the tensor of the value `source`, without a node."""
        self._aliases[value] = self.tensor(source)

    def carry(self, value: str, tensor: str) -> None:
        """Let `value` be carried by a tensor of any name."""
        self._aliases[value] = tensor

    def reserve(self, names: Iterable[str]) -> None:
        """Keep names of tensors outside of the model's own values from being made up."""
        self._taken.update(names)

    def only_indices(self, value: str) -> bool:
        """Whether everybody who reads a value takes it for indices."""
        return self._only_read_at(value, index_place)

    def only_decides(self, value: str) -> bool:
        """Whether everybody who reads a value takes it for the condition of a choice."""
        return self._only_read_at(value, lambda op: 0 if isinstance(op, Where) else None)

    def _only_read_at(self, value: str, wanted: Callable[[Operator], int | None]) -> bool:
        return not self.is_output(value) and all(
            wanted(reader.operator) == place
            for reader in self.consumers.get(value, [])
            for place, read in enumerate(reader.inputs)
            if read == value
        )

    def shape(self, value: str) -> Shape:
        """The inferred shape of a value; UnsupportedError where it is unknown."""
        shape = self.shapes.get(value)
        if shape is None:
            raise UnsupportedError(
                f"the shape of '{value}' is unknown",
                hint="give the model's input shapes, as in --input data=1x3xHxW",
            )
        return shape

    def is_output(self, value: str) -> bool:
        """Whether a value is an output of the whole graph."""
        return value in self.model.outputs

    def node(self, operator: str, inputs: Sequence[str], to: str = "", **attributes: Any) -> str:
        """Append a node with one output, named `to` or after layer and operator; its name."""
        return self.nodes_of(operator, inputs, (to,), **attributes)[0]

    def nodes_of(
        self, operator: str, inputs: Sequence[str], to: Sequence[str], **attributes: Any
    ) -> tuple[str, ...]:
        """Append a node with several outputs; an empty name in `to` is made up."""
        inner = f"{self.layer.name}/{operator}"
        outputs = tuple(name or self.unique(inner) for name in to)
        self._append(operator, inputs, outputs, self._node_name(operator, outputs), attributes)
        return outputs

    def _node_name(self, operator: str, outputs: Sequence[str]) -> str:
        """The layer's own name for the node that writes its first output."""
        if outputs[0] == self.layer.outputs[0]:
            return self.layer.name
        return _unique(f"{self.layer.name}/{operator}", self._node_names)

    def cast(self, x: str, kind: int, to: str = "") -> str:
        """The tensor in another element type (a TensorProto one)."""
        output = to or self.unique(f"{self.layer.name}/Cast")
        node = helper.make_node("Cast", (x,), (output,), to=kind)
        node.name = self._node_name("Cast", (output,))
        self.nodes.append(node)
        return output

    def shared_node(self, operator: str, inputs: Sequence[str], to: str, **attributes: Any) -> str:
        """Append a node that belongs to no layer (size arithmetic); its unique output name."""
        output = self.unique(to)
        self._append(operator, inputs, (output,), _unique(output, self._node_names), attributes)
        return output

    def border_node(self, operator: str, inputs: Sequence[str], to: str, **more: Any) -> None:
        """Append a node at the graph's border that writes the tensor `to`."""
        node = helper.make_node(operator, inputs, (to,), **more)
        node.name = _unique(f"{to}/{operator}", self._node_names)
        self.nodes.append(node)

    def _append(
        self,
        operator: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        name: str,
        attributes: dict[str, Any],
    ) -> None:
        self.nodes.append(helper.make_node(operator, inputs, outputs, name=name, **attributes))

    def unique(self, name: str) -> str:
        """The name, or with _1, _2 ... behind it where it is taken."""
        return _unique(name, self._taken)

    def constant(self, values: NDArray[Any], name: str = "") -> str:
        """An initializer with these values, shared by all who need the same ones."""
        array = np.ascontiguousarray(values)
        key = (array.dtype.str, values.shape, array.tobytes())
        if key not in self._constants:
            chosen = self.unique(name or f"constant/{_constant_name(values)}")
            self.constants.append(numpy_helper.from_array(array.reshape(values.shape), chosen))
            self._constants[key] = chosen
        return self._constants[key]

    def ints(self, values: Sequence[int]) -> str:
        """A one-dimensional int64 constant; UnsupportedError for numbers beyond 64 bits."""
        if not all(-(1 << 63) <= value < 1 << 63 for value in values):
            raise UnsupportedError("it counts with numbers that 64 bits do not hold")
        return self.constant(np.array(values, np.int64))

    def index(self, value: int) -> str:
        """A scalar int64 constant."""
        return self.constant(np.array(value, np.int64))

    def number(self, value: float) -> str:
        """A scalar float32 constant; beyond float32's range it is infinite, as in Caffe."""
        with np.errstate(over="ignore"):
            return self.constant(np.array(value, np.float32))

    def weight(self, name: str, dims: Sequence[int] | None = None) -> str:
        """The initializer of a weight of the current layer, seen in the shape `dims`.

        A weight that several layers share is written once.
        """
        weight = self.layer.weights[name]
        assert weight.data is not None, "refused before: missing weights"
        assert weight.shape is not None, "a present weight has a shape"
        shape = tuple(weight.shape if dims is None else dims)
        key = (id(weight.data), shape)
        if key not in self._weights:
            chosen = self.unique(f"{self.layer.name}/{name}")
            self.weights.append(StoredWeight(chosen, shape, weight.data))
            self._weights[key] = (weight.data, chosen)
        return self._weights[key][1]

    def stored(self, name: str, data: TensorData) -> str:
        """The initializer of values that are read when they are written."""
        chosen = self.unique(name)
        self.weights.append(StoredWeight(chosen, data.shape, data))
        return chosen

    def optional_weight(self, name: str) -> tuple[str, ...]:
        """(initializer,) of a weight the layer may have, or ()."""
        return (self.weight(name),) if name in self.layer.weights else ()

    def size(self, size: Size) -> str:
        """A one-element int64 tensor that holds a size."""
        return self._sizes.size(size)

    def size_vector(self, sizes: Sequence[Size]) -> str:
        """An int64 tensor that holds several sizes."""
        return self._sizes.vector(sizes)

    def known(self, size: Size) -> Size:
        """The size with references to other values resolved: an int where inference knows it."""
        return self._sizes.known(size)

    def reshape(self, x: str, before: Shape | None, after: Shape, to: str = "") -> str:
        """Reshape the tensor `x`, of the shape `before`, to `after`."""
        return self.node("Reshape", (x, self._sizes.reshape_target(before, after)), to)


def _constant_name(values: NDArray[Any]) -> str:
    flat = values.reshape(-1)
    if flat.size > 8:
        return f"{values.dtype.name}_{'x'.join(map(str, values.shape))}"
    text = "_".join(f"{value:g}" if values.dtype.kind == "f" else f"{value}" for value in flat)
    return text or "empty"


def _unique(name: str, taken: set[str]) -> str:
    chosen, count = name, 0
    while chosen in taken:
        count += 1
        chosen = f"{name}_{count}"
    taken.add(chosen)
    return chosen
