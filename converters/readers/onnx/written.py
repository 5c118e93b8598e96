"""A node's attributes, and a file's, as rules ask for them."""

from __future__ import annotations

from collections.abc import Mapping

from upconv.converters.ir.origin import Span
from upconv.converters.ir.records import record
from upconv.converters.ir.written import NOTHING, Block
from upconv.converters.readers.onnx.messages import Message, Node


@record(frozen=True, slots=True)
class NodeSettings:
    """A `Settings` of a file that is no text: it has words and no places."""

    attributes: Mapping[str, Message]

    def span_of(self, *names: str) -> Span | None:
        return None

    def text_of(self, name: str) -> str:
        """The word in an attribute, or its whole numbers with an x in between."""
        found = self.attributes.get(name)
        if found is None:
            return ""
        return found.text("s") or "x".join(map(str, found.ints("ints")))

    @property
    def params(self) -> Block:
        return NOTHING


@record(frozen=True, slots=True)
class WrittenNode:
    """An `OnnxNode` of a file."""

    node: Node
    opset: int
    stores_open_size: bool = False

    @property
    def operator(self) -> str:
        return self.node.op

    @property
    def inputs(self) -> tuple[str, ...]:
        return self.node.inputs

    @property
    def outputs(self) -> tuple[str, ...]:
        return self.node.outputs

    def attribute(self, name: str) -> str | int | float | tuple[int, ...] | None:
        found = self.node.attributes.get(name)
        if found is None:
            return None
        if found.has("s"):
            return found.text("s")
        if found.has("f"):
            return found.number("f")
        return tuple(found.ints("ints")) if found.has("ints") else found.integer("i")


@record(frozen=True, slots=True)
class FileSettings:
    """A `Settings` of what a file says of itself."""

    words: Mapping[str, str]

    def span_of(self, *names: str) -> Span | None:
        return None

    def text_of(self, name: str) -> str:
        return self.words.get(name, "")

    @property
    def params(self) -> Block:
        return NOTHING
