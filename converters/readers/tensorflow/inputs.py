"""A graph's inputs: their names, shapes and layouts."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from upconv.converters.ir.model import Shape
from upconv.converters.ir.origin import Origin
from upconv.converters.readers.assembly.axes import Value, layout
from upconv.converters.readers.assembly.element_types import DType
from upconv.converters.readers.assembly.inputs import lettered, overridden
from upconv.converters.readers.assembly.workspace import Workspace
from upconv.converters.readers.options import ReadOptions
from upconv.converters.readers.tensorflow.flat import FlatNode, Key, Place
from upconv.converters.readers.tensorflow.graphdef import FileShape, Node

_PASSES: Final = frozenset(
    """
    Identity Cast StopGradient CheckNumerics EnsureShape PlaceholderWithDefault Add AddV2
    Sub Mul RealDiv Div Maximum Minimum Pad PadV2 MirrorPad BiasAdd Relu Relu6 LeakyRelu Elu
    Sigmoid Tanh Neg Abs Square Sqrt Squeeze ExpandDims Slice StridedSlice ConcatV2 Pack
    FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3
    """.split()  # noqa: SIM905
)
"""Operations behind which the layout is still that of the input."""
_KEEPS_RANK: Final = _PASSES - {"Squeeze", "ExpandDims", "Pack", "StridedSlice"}
_LAST: Final = ("Resize", "SpaceToBatch", "DepthToSpace", "SpaceToDepth", "BatchToSpace")
_CONVOLUTIONS: Final[Mapping[str, tuple[int, int]]] = {
    "Conv2D": (0, 4),
    "Conv3D": (0, 5),
    "DepthwiseConv2dNative": (0, 4),
    "Conv2DBackpropInput": (2, 4),
    "Conv3DBackpropInputV2": (2, 5),
}
"""Convolution -> the input that is its data, and that input's axes."""


@dataclass(frozen=True, slots=True)
class Written:
    """An input as the file has it."""

    name: str
    place: Place
    dtype: DType
    shape: FileShape
    node: Node


@dataclass(slots=True)
class Surroundings:
    """Who reads what, to see what an input is used for."""

    nodes: Sequence[FlatNode]
    shapes: Mapping[Key, tuple[int, ...]]
    readers: dict[Place, list[tuple[FlatNode, int]]] = field(default_factory=dict)
    by_key: dict[Key, FlatNode] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.by_key.update((node.key, node) for node in self.nodes)
        for node in self.nodes:
            for at, place in enumerate(node.inputs):
                self.readers.setdefault(place, []).append((node, at))

    def behind(self, place: Place, passes: frozenset[str]) -> Iterator[tuple[FlatNode, int]]:
        """The readers of a tensor, nearest first, and those of what they pass on."""
        queue, seen = deque([place]), {place}
        while queue:
            for node, at in self.readers.get(queue.popleft(), []):
                yield node, at
                further = Place(node.key, 0)
                if node.node.op in passes and further not in seen:
                    seen.add(further)
                    queue.append(further)

    def is_channels_last(self, place: Place) -> bool:
        """What the first operation that cares about layout says; channels last where none does."""
        for node, _ in self.behind(place, _PASSES):
            op = node.node.op
            word = node.node.word("data_format")
            if op == "Transpose":
                order = self._order(node)
                if order in _TURNS:
                    return _TURNS[order]
            elif word and op != "BiasAdd":
                return not word.startswith("NC")
            elif op.startswith(_LAST):
                return True
        return True

    def _order(self, node: FlatNode) -> tuple[int, ...]:
        if len(node.inputs) < 2:
            return ()
        found = self.by_key.get(node.inputs[1].key)
        tensor = found.node.tensor("value") if found is not None else None
        values = tensor.native().reshape(-1).tolist() if tensor is not None else []
        return tuple(values) if all(isinstance(value, int) for value in values) else ()

    def convolved_shape(self, place: Place) -> FileShape:
        """The shape of an input whose file says none, by the convolution that reads it."""
        for node, at in self.behind(place, _KEEPS_RANK):
            data, rank = _CONVOLUTIONS.get(node.node.op, (-1, 0))
            if at != data or len(node.inputs) < 2:
                continue
            kernel = self._kernel(node.inputs[1].key)
            if kernel is None or len(kernel) != rank:
                return None
            transposed = node.node.op.endswith(("Input", "InputV2"))
            channels = kernel[-1] if transposed else kernel[-2]
            first = node.node.word("data_format", "NHWC").startswith("NC")
            spatial = (None,) * (rank - 2)
            return (None, channels, *spatial) if first else (None, *spatial, channels)
        return None

    def _kernel(self, key: Key) -> tuple[int, ...] | None:
        for _ in range(8):
            if key in self.shapes:
                return self.shapes[key]
            found = self.by_key.get(key)
            if found is None or not found.inputs:
                return None
            key = found.inputs[0].key
        return None


_TURNS: Final[Mapping[tuple[int, ...], bool]] = {
    (0, 3, 1, 2): True,
    (0, 4, 1, 2, 3): True,
    (0, 2, 3, 1): False,
    (0, 2, 3, 4, 1): False,
}
"""The order of a Transpose that reads an input -> whether the input has its channels last."""


def graph_inputs(
    written: Sequence[Written], around: Surroundings, options: ReadOptions, work: Workspace
) -> list[Value]:
    """Enter the inputs, channels first inside; their values.

    Raises UsageError for an --input that the model does not have or that has other axes.
    """
    last = [around.is_channels_last(entry.place) for entry in written]
    named = {
        entry.name: _lettered(entry, index, around, channels_last=last[index])
        for index, entry in enumerate(written)
    }
    shapes = overridden(named, options.inputs, work.path)
    values = []
    for entry, is_last in zip(written, last, strict=True):
        shape = shapes[entry.name]
        origin = Origin(work.path, "tensorflow", entry.node.op, entry.node.span)
        work.feed(entry.name, shape, origin, channels_last=is_last)
        axes = None if shape is None else layout(len(shape), last=is_last)
        values.append(Value(entry.name, axes))
    return values


def _lettered(
    entry: Written, index: int, around: Surroundings, *, channels_last: bool
) -> Shape | None:
    """The shape in the model's own order, with letters for what is open."""
    known = entry.shape
    if known is None or (
        not known and entry.dtype.kind == "float"
    ):  # () is what old files leave out
        known = around.convolved_shape(entry.place)
    if known is None:
        return None
    return lettered(known, entry.name, index, channels_last=channels_last)
