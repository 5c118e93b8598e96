"""What grows while a graph is read: layers, shapes, and tensors laid out as an operator wants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from upconv.converters.ir.dims import Like, Size, Symbol, leaves, like, substitute
from upconv.converters.ir.errors import ShapeError
from upconv.converters.ir.inference import layer_shapes
from upconv.converters.ir.model import Layer, Shape
from upconv.converters.ir.operators import (
    Concat,
    Crop,
    Flatten,
    Identity,
    Operator,
    Permute,
    Pool,
    Reshape,
    Resize,
    Slice,
    Tile,
    targets,
)
from upconv.converters.ir.origin import Origin
from upconv.converters.ir.tensors import Weight
from upconv.converters.readers.keras.lowering import Workspace
from upconv.converters.readers.options import ReadOptions
from upconv.converters.readers.tensorflow.values import Axes, Copies, Value
from upconv.converters.readers.tensorflow.variables import Variables


@dataclass(slots=True)
class Network:
    """The network under construction. `whole` are the tensors that hold whole numbers only."""

    path: str
    options: ReadOptions
    variables: Variables
    work: Workspace = field(default_factory=Workspace)
    weights: dict[object, Weight] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)
    _arranged: dict[tuple[Value, Axes], str] = field(default_factory=dict)

    def shape(self, name: str) -> Shape | None:
        """The inferred shape of a tensor, in the representation's order; None where unknown."""
        return self.work.shapes.get(name)

    def sizes(self, value: Value) -> tuple[Size, ...]:
        """The sizes in TensorFlow's order, each as that of the tensor's own axis."""
        assert value.axes is not None, "asked of values whose rank is known"
        return tuple(
            axis.count if isinstance(axis, Copies) else like(value.name, axis)
            for axis in value.axes
        )

    def known(self, size: Size) -> Size:
        """The size in the symbols of the network's inputs: a number where nothing is open."""
        return substitute(size, self._size_of)

    def _size_of(self, leaf: Symbol | Like) -> Size | None:
        if isinstance(leaf, Symbol):
            return None
        shape = self.shape(leaf.tensor)
        return shape[leaf.axis] if shape is not None and leaf.axis < len(shape) else None

    def known_sizes(self, value: Value) -> tuple[Size, ...]:
        """`sizes`, resolved."""
        return tuple(self.known(size) for size in self.sizes(value))

    def add(
        self,
        name: str,
        operator: Operator,
        inputs: Sequence[str],
        origin: Origin,
        weights: Mapping[str, Weight] | None = None,
        outputs: int = 1,
    ) -> tuple[str, ...]:
        """Append a layer; its outputs, named after it. Tensors whose sizes the operator takes
        become inputs too."""
        further = (tensor for tensor in references(operator) if tensor not in inputs)
        wanted = [name, *(f"{name}:{index}" for index in range(1, outputs))]
        layer = Layer(
            name=self.work.layer_name(name),
            operator=operator,
            inputs=(*inputs, *further),
            outputs=tuple(self.work.value_name(one) for one in wanted),
            weights=weights or {},
            origin=origin,
        )
        self.work.layers.append(layer)
        self._infer(layer)
        if _moves_values(operator) and self.whole.issuperset(inputs):
            self.whole.update(layer.outputs)
        return layer.outputs

    def _infer(self, layer: Layer) -> None:
        """Enter the outputs' shapes; a contradiction is for `infer` to report."""
        try:
            results = layer_shapes(layer, self.work.shapes)
        except ShapeError as error:
            results = error.guess
        for index, output in enumerate(layer.outputs):
            self.work.shapes[output] = results[index] if index < len(results) else None

    def arranged(self, value: Value, axes: Axes, origin: Origin) -> str:
        """The tensor with TensorFlow's axis i at `axes[i]`: turned, and with axes that were only
        thought of made real."""
        if value.axes is None or value.axes == axes:
            return value.name
        key = (value, axes)
        if key not in self._arranged:
            self._arranged[key] = _Arrangement(self, value, axes, origin).name
        return self._arranged[key]

    def real(self, value: Value, origin: Origin) -> Value:
        """The value with every axis there: new ones in front of the axis that follows them."""
        if value.axes is None or all(isinstance(axis, int) for axis in value.axes):
            return value
        order = _filled(value.axes)
        axes: Axes = tuple(order.index(axis) for axis in range(len(order)))
        return Value(self.arranged(value, axes, origin), axes)


def _filled(axes: Axes) -> list[int]:
    """TensorFlow's axes in the order of the tensor, those not there put before their successor,
    the first in front of all and the last at the end."""
    order = sorted((i for i, axis in enumerate(axes) if isinstance(axis, int)), key=_Key(axes))
    for i in reversed(range(len(axes))):
        if not isinstance(axes[i], int):
            behind = order.index(i + 1) if 0 < i < len(axes) - 1 else len(order)
            order.insert(behind if i else 0, i)
    return order


@dataclass(frozen=True, slots=True)
class _Key:
    """The place of TensorFlow's axis i in the tensor, to sort by."""

    axes: Axes

    def __call__(self, index: int) -> int:
        axis = self.axes[index]
        assert isinstance(axis, int), "asked of axes that are there"
        return axis


class _Arrangement:
    """The steps from a value to a wanted order of its axes: Permute, Reshape, Tile, each where it
    does something. Moving axes of size 1 is a Reshape."""

    def __init__(self, network: Network, value: Value, axes: Axes, origin: Origin) -> None:
        assert value.axes is not None
        self.network = network
        self.origin = origin
        self.name = value.name
        self.base = value.name
        present = [i for i, axis in enumerate(value.axes) if isinstance(axis, int)]
        order = sorted(present, key=_Key(value.axes))
        wanted = sorted(range(len(axes)), key=_Key(axes))
        order = self._permute(order, [i for i in wanted if i in present])
        if order != wanted:
            self._reshape(order, wanted)
        for i, axis in enumerate(value.axes):
            if isinstance(axis, Copies) and axis.count != 1:
                self._add(Tile(wanted.index(i), axis.count), "copies")

    def _permute(self, order: list[int], wanted: list[int]) -> list[int]:
        shape = self.network.shape(self.name)
        ones = {i for at, i in enumerate(order) if shape and len(shape) > at and shape[at] == 1}
        if [i for i in order if i not in ones] == [i for i in wanted if i not in ones]:
            return order
        self._add(Permute(tuple(order.index(i) for i in wanted)), "transposed")
        return wanted

    def _reshape(self, order: list[int], wanted: list[int]) -> None:
        sizes = [like(self.name, order.index(i)) if i in order else 1 for i in wanted]
        self._add(Reshape(tuple(sizes)), "reshaped")

    def _add(self, operator: Operator, what: str) -> None:
        inputs = (self.name,)
        (self.name,) = self.network.add(f"{self.base}/{what}", operator, inputs, self.origin)


def _moves_values(operator: Operator) -> bool:
    """Whether every value of the output is one of the inputs'."""
    if isinstance(operator, Resize):
        return operator.mode == "nearest"
    return isinstance(operator, _MOVES) or (isinstance(operator, Pool) and operator.kind == "max")


_MOVES = (Concat, Crop, Flatten, Identity, Permute, Reshape, Slice, Tile)


def references(operator: Operator) -> Iterable[str]:
    """The tensors whose sizes an operator takes, each once."""
    found = (leaf for size in targets(operator) for leaf in leaves(size))
    return sorted({leaf.tensor for leaf in found if isinstance(leaf, Like)})
