"""Where things were written: source texts, spans in them, and the origin every layer keeps."""

from __future__ import annotations

from dataclasses import field

from upconv.converters.ir.records import record
from upconv.converters.ir.source import Source, Span
from upconv.converters.ir.written import Written

__all__ = ["Origin", "Source", "Span", "Written"]


@record(frozen=True, slots=True)
class Origin:
    """Where a layer was written, in the source's own words.

    `framework` is "caffe", "keras", "mxnet", "tensorflow", "tflite", "pytorch" or "onnx"; `type`
    the layer's type as the file spells it; `written` what rules may ask of the author's own words.
    Spans are absent in binary files. `code` is the line of the user's own program that made the
    layer, as file:line, where the file keeps it.
    """

    path: str
    framework: str = ""
    type: str = ""
    span: Span | None = None
    written: Written = field(default_factory=Written, repr=False, compare=False)
    code: str = ""
