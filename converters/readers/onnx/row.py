"""The row of ONNX in the table of formats."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from upconv.converters.readers.row import Format, Head

if TYPE_CHECKING:
    from upconv.converters.ir.model import Model
    from upconv.converters.readers.options import ReadOptions

_JSON_WORDS: Final = (b'"irVersion"', b'"opsetImport"')


def _form(head: Head) -> str:
    """Which of ONNX's text forms a text is, "" for none: protobuf's, JSON, ONNX's own syntax."""
    start = head.data.lstrip()
    if start.startswith(b"{") and any(word in head.data for word in _JSON_WORDS):
        return "JSON"
    if start.startswith(b"<") and b"ir_version" in head.data and b"opset_import" in head.data:
        return "ONNX's textual syntax"
    from upconv.converters.readers.files.prototxt.kinds import kind_of_text

    return "protobuf text" if kind_of_text(head.path, head.data) == "ONNX text" else ""


def _claim(head: Head) -> bool:
    """ModelProto begins with field 1, ir_version, a varint, where other formats have a text."""
    if head.is_text:
        return bool(head.data) and _form(head) != ""
    return head.data[:1] == b"\x08" or (head.extension == "onnx" and bool(head.data))


def _open(path: str, options: ReadOptions) -> Model:
    from upconv.converters.readers.files.opening import open_regular
    from upconv.converters.readers.onnx.reader import read_onnx

    with open_regular(path) as stream:
        head = Head(path, stream.read(1 << 16))
    if head.is_text and (form := _form(head)):
        from upconv.converters.ir.errors import UnsupportedError

        raise UnsupportedError(
            f"an ONNX model as {form}, which is not read",
            path=path,
            hint="save it in the binary form, as onnx.save does by default",
        )
    return read_onnx(path, options)


def _companions(path: str) -> Iterable[str]:
    """The files that its tensors lie in."""
    if Head(path).extension != "onnx":
        return ()
    from upconv.converters.readers.onnx.external import companions

    return companions(path)


ONNX: Final = Format("ONNX", ("onnx",), _claim, _open, companions=_companions)
