"""Where things were written: source texts, spans in them, and the origin every layer keeps."""

from __future__ import annotations

from dataclasses import field
from typing import Any, Protocol

from upconv.converters.ir.records import record
from upconv.converters.ir.source import Source, Span
from upconv.converters.ir.written import Written

__all__ = ["Origin", "Source", "Span", "Written"]


class Placed(Protocol):
    """What knows where it is written: a span, or a node of a tree, which moves with its text."""

    @property
    def source(self) -> Source: ...
    @property
    def start(self) -> int: ...
    @property
    def span(self) -> Span: ...


@record(frozen=True, slots=True)
class Origin:
    """Where a layer was written, in the source's own words.

    `framework` is "caffe", "keras", "mxnet", "tensorflow", "tflite", "pytorch" or "onnx"; `type`
    the layer's type as the file spells it; `written` what rules may ask of the author's own words.
    There is no `place` in binary files. `code` is the line of the user's own program that made the
    layer, as file:line, where the file keeps it.
    """

    path: str
    framework: str = ""
    type: str = ""
    place: Placed | None = None
    written: Written = field(default_factory=Written, repr=False, compare=False)
    code: str = ""

    @property
    def span(self) -> Span | None:
        return None if self.place is None else self.place.span

    @property
    def kept(self) -> dict[Any, Any] | None:
        """What is remembered of the piece of text that the layer is written in (`kept.py`)."""
        return None if self.place is None else self.place.source.kept
