"""ONNX's messages as ranges of a memory map: nothing is decoded before it is asked for.

Fields and their numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.ir.records import record
from upconv.converters.readers.files.wire import FIXED32, LENGTH, VARINT, Field, Wire, signed

FIELDS: Final[Mapping[str, Mapping[str, int]]] = {
    "model": {
        **{"ir_version": 1, "producer_name": 2, "graph": 7, "opset_import": 8, "functions": 25},
    },
    "opset": {"domain": 1, "version": 2},
    "graph": {
        **{"node": 1, "name": 2, "initializer": 5, "input": 11, "output": 12},
        **{"value_info": 13, "sparse_initializer": 15},
    },
    "node": {
        **{"input": 1, "output": 2, "name": 3, "op_type": 4, "attribute": 5, "domain": 7},
        "overload": 8,
    },
    "attribute": {
        **{"name": 1, "f": 2, "i": 3, "s": 4, "t": 5, "g": 6, "floats": 7, "ints": 8},
        **{"strings": 9, "graphs": 11, "ref_attr_name": 21, "sparse_tensor": 22},
    },
    "function": {
        **{"name": 1, "input": 4, "output": 5, "attribute": 6, "node": 7, "opset_import": 9},
        **{"domain": 10, "attribute_proto": 11, "overload": 13},
    },
    "value": {"name": 1, "type": 2},
    "type": {"tensor_type": 1},
    "tensor type": {"elem_type": 1, "shape": 2},
    "shape": {"dim": 1},
    "dim": {"dim_value": 1, "dim_param": 2},
    "sparse": {"values": 1},
    "tensor": {
        **{"dims": 1, "data_type": 2, "segment": 3, "float_data": 4, "int32_data": 5},
        **{"string_data": 6, "int64_data": 7, "name": 8, "raw_data": 9, "double_data": 10},
        **{"uint64_data": 11, "external_data": 13, "data_location": 14},
    },
    "entry": {"key": 1, "value": 2},
}
"""Message -> field -> number, of what is read."""


_NONE: Final[list[Field]] = []


class Message:
    """A message in bytes start..end of a buffer. A field that is absent has no values; of one that
    is not repeated the last counts. Every method raises UnreadableError where the file is broken.
    """

    __slots__ = ("_fields", "_numbers", "end", "start", "wire")

    def __init__(self, wire: Wire, kind: str, start: int = 0, end: int | None = None) -> None:
        self.wire = wire
        self._numbers = FIELDS[kind]
        self.start = start
        self.end = len(wire.view) if end is None else end
        self._fields: dict[int, list[Field]] | None = None

    def fields(self, name: str) -> list[Field]:
        """The occurrences of a field."""
        if self._fields is None:
            found: dict[int, list[Field]] = {}
            for field in self.wire.fields(self.start, self.end):
                found.setdefault(field.number, []).append(field)
            self._fields = found
        return self._fields.get(self._numbers[name], _NONE)

    def has(self, name: str) -> bool:
        return bool(self.fields(name))

    def messages(self, name: str, kind: str) -> list[Message]:
        ranges = [field for field in self.fields(name) if field.wire_type == LENGTH]
        return [Message(self.wire, kind, field.start, field.end) for field in ranges]

    def message(self, name: str, kind: str) -> Message | None:
        found = self.messages(name, kind)
        return found[-1] if found else None

    def texts(self, name: str) -> list[str]:
        return [self.wire.text(one) for one in self.fields(name) if one.wire_type == LENGTH]

    def text(self, name: str) -> str:
        for field in reversed(self.fields(name)):
            if field.wire_type == LENGTH:
                return self.wire.text(field)
        return ""

    def ints(self, name: str) -> list[int]:
        return [signed(n) for field in self.fields(name) for n in self.wire.varints(field)]

    def integer(self, name: str, default: int = 0) -> int:
        found = [field for field in self.fields(name) if field.wire_type == VARINT]
        return signed(found[-1].value) if found else default

    def number(self, name: str) -> float:
        found = [field for field in self.fields(name) if field.wire_type == FIXED32]
        return self.wire.float32(found[-1]) if found else 0.0

    def floats(self, name: str, letter: Literal["f", "d"] = "f") -> list[float]:
        size = {"f": 4, "d": 8}[letter]
        runs = [self.wire.fixed_run(field, size) for field in self.fields(name)]
        return [number for run in runs for number in self.wire.unpacked(run, letter)]

    def fail(self, message: str) -> UnreadableError:
        """The error of this place."""
        return UnreadableError(f"{message} (byte {self.start})", path=self.wire.path)


@record(frozen=True, slots=True)
class Node:
    """One node; `name` is unique only where the file's are, `index` its place in its graph."""

    name: str
    op: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Message]
    overload: str = ""


def node_of(message: Message, index: int, bound: Mapping[str, Message]) -> Node:
    """The node in a message; attributes that refer to those of a function are what is `bound`."""
    op = message.text("op_type")
    attributes: dict[str, Message] = {}
    for attribute in message.messages("attribute", "attribute"):
        name, reference = attribute.text("name"), attribute.text("ref_attr_name")
        if not reference:
            attributes[name] = attribute
        elif reference in bound:
            attributes[name] = bound[reference]
    return Node(
        message.text("name") or f"{op}#{index}",
        op,
        "" if (domain := message.text("domain")) == "ai.onnx" else domain,
        tuple(message.texts("input")),
        tuple(message.texts("output")),
        attributes,
        message.text("overload"),
    )
