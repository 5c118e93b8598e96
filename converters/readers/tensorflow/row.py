"""The row of TensorFlow in the table of formats: SavedModel folders, graphs, .meta files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from upconv.converters.readers.row import Format, Head

if TYPE_CHECKING:
    from upconv.converters.ir.model import Model
    from upconv.converters.ir.source import Source
    from upconv.converters.readers.options import ReadOptions

SAVED_MODEL_NAMES: Final = ("saved_model.pb", "saved_model.pbtxt")


def saved_model_in(folder: str) -> str:
    """The path of a folder's SavedModel, "" where it has none."""
    paths = (os.path.join(folder, name) for name in SAVED_MODEL_NAMES)
    return next((path for path in paths if os.path.isfile(path)), "")


def checkpoint_prefix(weights: str) -> str:
    """A checkpoint's prefix, given itself or as one of its files."""
    base = os.path.basename(weights)
    for mark in (".index", ".data-", ".meta"):
        at = base.find(mark)
        if at > 0:
            return os.path.join(os.path.dirname(weights), base[:at])
    return weights


def saved_variables(folder: str) -> str:
    """The prefix of the checkpoint that belongs to the SavedModel in a folder."""
    return os.path.join(folder, "variables", "variables")


def _companions(path: str) -> Iterator[str]:
    """The SavedModel in a folder, and the checkpoint of it or of any prefix that a path names."""
    if saved_model := saved_model_in(path):
        yield saved_model
        yield from _checkpoint(saved_variables(path))
    elif os.path.basename(path) in SAVED_MODEL_NAMES:
        yield from _checkpoint(saved_variables(os.path.dirname(path)))
    else:
        prefixes = (checkpoint_prefix(path), os.path.splitext(path)[0])
        for prefix in dict.fromkeys(prefixes):
            yield from _checkpoint(prefix)


def _checkpoint(prefix: str) -> Iterator[str]:
    """The files of a checkpoint: its index, and its data where there is one."""
    index = f"{prefix}.index"
    yield index
    if os.path.exists(index):
        folder, start = os.path.dirname(prefix), f"{os.path.basename(prefix)}.data-"
        names = sorted(name for name in os.listdir(folder or ".") if name.startswith(start))
        yield from (os.path.join(folder, name) for name in names)


def _claim(head: Head) -> bool:
    if head.is_folder:
        return saved_model_in(head.path) != ""
    if head.is_text:
        return _is_graph_text(head)
    from upconv.converters.readers.tensorflow.files import kind_of

    is_onnx = head.data[:1] == b"\x08"
    return kind_of(head.data) != "" or (head.extension == "pb" and bool(head.data) and not is_onnx)


def _sure(head: Head) -> bool:
    """Content of TensorFlow's, where any protobuf may be named .pb."""
    if head.is_text or head.is_folder:
        return True
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
    companions=_companions,
)
