"""A model's tables (tensorflow/lite/schema/schema.fbs), checked against each other."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Final, TypeAlias

from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.readers.files.flatbuffer import FlatBuffer, Table

Ints: TypeAlias = tuple[int, ...]
MAX_AXES: Final = 8

TYPES: Final = {
    **{0: ("float", "<f4"), 1: ("half", "<f2"), 2: ("int32", "<i4"), 3: ("uint8", "<u1")},
    **{4: ("int64", "<i8"), 6: ("bool", "<b1"), 7: ("int16", "<i2"), 9: ("int8", "<i1")},
    **{10: ("double", "<f8"), 15: ("uint32", "<u4"), 16: ("uint16", "<u2")},
}
"""TensorType -> TensorFlow's name of the element type, and NumPy's."""
QUANTIZED: Final = frozenset((3, 7, 9, 17))
"""Element types that stand for real numbers where there is a scale."""


@dataclass(frozen=True, slots=True)
class Quantization:
    """real = scale * (stored - zero), for each entry of an axis or all at once."""

    scales: tuple[float, ...]
    zeros: Ints
    axis: int


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor: what it is called, its sizes (None where open), and where its values lie."""

    name: str
    type: int
    shape: tuple[int | None, ...]
    span: tuple[int, int] | None
    quantization: Quantization | None
    is_sparse: bool


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator: its code, the tensors it reads (-1 for an absent one) and writes."""

    code: int
    custom: str
    inputs: Ints
    outputs: Ints
    options: Table | None
    custom_options: tuple[int, int]

    def option(self, field: int, kind: str = "i", default: int = 0) -> int:
        return self.options.number(field, kind, default) if self.options is not None else default

    def real(self, field: int, default: float = 0.0) -> float:
        return self.options.real(field, default) if self.options is not None else default


@dataclass(frozen=True, slots=True)
class Graph:
    """The main subgraph, and what its signature calls inputs and outputs."""

    buffer: FlatBuffer
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: Ints
    outputs: Ints
    names: dict[int, str]


def read_model(buffer: FlatBuffer) -> Graph:
    """The first subgraph of a model. Raises UnreadableError where a table or index is out of
    bounds, UnsupportedError for another version of the schema."""
    model = buffer.root()
    if model.number(0, "I") != 3:
        raise UnsupportedError(f"version {model.number(0, 'I')} of the schema", path=buffer.path)
    buffers = [_span(buffer, one) for one in model.tables(4)]
    codes = [_code(one) for one in model.tables(1)]
    graph, *_ = model.tables(2) or buffer.fail("a model without a graph")
    tensors = tuple(_tensor(one, buffers, buffer) for one in graph.tables(0))
    operators = tuple(_operator(one, codes, len(tensors), buffer) for one in graph.tables(3))
    ends = [graph.numbers(1), graph.numbers(2)]
    for index in (*ends[0], *ends[1]):
        _require_tensor(index, len(tensors), buffer)
    return Graph(buffer, tensors, operators, ends[0], ends[1], _names(model, len(tensors), buffer))


def _span(buffer: FlatBuffer, one: Table) -> tuple[int, int]:
    """Where a buffer's bytes lie: in its vector, or behind the flatbuffer in a model above 2 GB."""
    begin, size = one.number(1, "Q"), one.number(2, "Q")
    if begin > 1 and size > 1:
        buffer.require(begin, size)
        return begin, begin + size
    return one.span(0)


def _code(one: Table) -> tuple[int, str]:
    """Codes above 127 did not fit the field that came first."""
    return max(one.number(0, "b"), one.number(3)), one.text(1)


def _require_tensor(index: int, count: int, buffer: FlatBuffer, least: int = 0) -> None:
    if not least <= index < count:
        buffer.fail(f"tensor {index} of {count}")


def _tensor(one: Table, buffers: list[tuple[int, int]], buffer: FlatBuffer) -> Tensor:
    stored = one.number(2, "I")
    if stored >= len(buffers):
        buffer.fail(f"buffer {stored} of {len(buffers)}")
    begin, end = buffers[stored]
    shape, name = one.numbers(0), one.text(3)
    signature = one.numbers(7) if one.has(7) else shape
    if len(shape) > MAX_AXES or len(signature) != len(shape) or min((0, *shape)) < 0:
        buffer.fail(f"the tensor '{name:.100}' has the shape {shape[:9]}")
    sizes = tuple(None if open_ < 0 else size for size, open_ in zip(shape, signature, strict=True))
    kind = one.number(1, "B")
    if end > begin and kind in TYPES and prod(shape) * int(TYPES[kind][1][2:]) != end - begin:
        buffer.fail(f"the tensor '{name:.100}' of the shape {shape} has {end - begin} bytes")
    span = (begin, end) if end > begin else None
    return Tensor(name, kind, sizes, span, _quantization(one, buffer), one.has(6))


def _quantization(one: Table, buffer: FlatBuffer) -> Quantization | None:
    found = one.table(4)
    if found is None or not found.has(2):
        return None
    scales = found.numbers(2, "f")
    zeros = found.numbers(3, "q") or (0,) * len(scales)
    if not scales or len(zeros) != len(scales):
        return None
    return Quantization(scales, zeros, found.number(6))


def _operator(one: Table, codes: list[tuple[int, str]], count: int, buffer: FlatBuffer) -> Operator:
    index = one.number(0, "I")
    if index >= len(codes):
        buffer.fail(f"operator code {index} of {len(codes)}")
    inputs, outputs = one.numbers(1), one.numbers(2)
    for tensor in inputs:
        _require_tensor(tensor, count, buffer, -1)
    for tensor in outputs:
        _require_tensor(tensor, count, buffer)
    return Operator(*codes[index], inputs, outputs, one.table(4), one.span(5))


def _names(model: Table, count: int, buffer: FlatBuffer) -> dict[int, str]:
    """Tensor -> its name in the signature of the first subgraph, where there is one."""
    found: dict[int, str] = {}
    for one in model.tables(7):
        if one.number(4, "I") == 0 and not found:
            for entry in (*one.tables(0), *one.tables(1)):
                index = entry.number(1, "I")
                _require_tensor(index, count, buffer)
                found.setdefault(index, entry.text(0))
    return found
