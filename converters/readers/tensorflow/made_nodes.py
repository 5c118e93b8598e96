"""Nodes made in memory, for formats whose operators are TensorFlow's operations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.readers.tensorflow.flat import FlatNode
from upconv.converters.readers.tensorflow.graphdef import Node

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from upconv.converters.readers.tensorflow.messages import Record

Attribute: TypeAlias = bool | int | float | str | Sequence[int]


@dataclass(frozen=True, slots=True)
class Made:
    """A record in memory; see `messages.Record`."""

    fields: Mapping[str, list[Any]] = field(default_factory=dict)
    span: None = None

    def records(self, name: str) -> list[Record]:
        return self.fields.get(name, [])

    def texts(self, name: str) -> list[str]:
        return self.fields.get(name, [])

    def data(self, name: str) -> list[memoryview]:
        return self.fields.get(name, [])

    def ints(self, name: str) -> list[int]:
        return self.fields.get(name, [])

    def floats(self, name: str) -> list[float]:
        return self.fields.get(name, [])

    def numbers(self, name: str) -> NDArray[Any]:
        import numpy as np

        return np.array(self.fields.get(name, []))

    def fail(self, message: str) -> UnreadableError:
        return UnreadableError(message)


def node_of(name: str, op: str, attributes: Mapping[str, Attribute]) -> FlatNode:
    """An operation with these attributes, under a name."""
    entries = [
        Made({"key": [key], "value": [_value(key, value)]}) for key, value in attributes.items()
    ]
    node = Node(Made({"name": [name], "op": [op], "attr": entries}))
    return FlatNode((0, name), name, node, ())


def _value(key: str, value: Attribute) -> Made:
    """An AttrValue; whole numbers of `TYPES` are element types."""
    if isinstance(value, str):
        return Made({"s": [memoryview(value.encode())]})
    if isinstance(value, float):
        return Made({"f": [value]})
    if isinstance(value, int):
        kind = "type" if key in ("T", "SrcT", "DstT") else "b" if isinstance(value, bool) else "i"
        return Made({kind: [int(value)]})
    return Made({"list": [Made({"i": list(value)})]})
