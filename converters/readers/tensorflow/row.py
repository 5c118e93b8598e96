"""The row of TensorFlow in the table of formats: SavedModel folders, graphs, .meta files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from upconv.converters.readers.row import Format, Head
from upconv.converters.readers.tensorflow.paths import companions, saved_model_in

if TYPE_CHECKING:
    from upconv.converters.ir.model import Model
    from upconv.converters.ir.source import Source
    from upconv.converters.readers.options import ReadOptions


def _claim(head: Head) -> bool:
    if head.is_folder:
        return saved_model_in(head.path) != ""
    if head.is_text:
        return _is_graph_text(head)
    if head.has_version:
        return False
    from upconv.converters.readers.tensorflow.files import kind_of

    is_onnx = head.data[:1] == b"\x08"
    return kind_of(head.data) != "" or (head.extension == "pb" and bool(head.data) and not is_onnx)


def _sure(head: Head) -> bool:
    """Content of TensorFlow's, where any protobuf may be named .pb."""
    if head.is_text or head.is_folder:
        return True
    if head.has_version:
        return False
    from upconv.converters.readers.tensorflow.files import kind_of

    return kind_of(head.data) != ""


def _is_graph_text(head: Head) -> bool:
    from upconv.converters.readers.files.prototxt.kinds import kind_of_text

    return kind_of_text(head.path, head.data).startswith("TensorFlow")


def _open(path: str, options: ReadOptions) -> Model:
    from upconv.converters.readers.tensorflow.reader import read_tensorflow

    return read_tensorflow(path, options)


def _open_text(source: Source, options: ReadOptions) -> Model:
    from upconv.converters.readers.tensorflow.reader import read_tensorflow_source

    return read_tensorflow_source(source, options)


TENSORFLOW: Final = Format(
    "TensorFlow",
    ("pb", "pbtxt", "meta"),
    _claim,
    _open,
    claim_text=_is_graph_text,
    open_text=_open_text,
    sure=_sure,
    companions=companions,
)
