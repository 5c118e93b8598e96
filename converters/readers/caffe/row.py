"""The rows of Caffe in the table of formats: nets in text, and weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from upconv.converters.readers.caffe.beside import training_files
from upconv.converters.readers.row import Format, Head

if TYPE_CHECKING:
    from upconv.converters.ir.model import Model
    from upconv.converters.ir.source import Source
    from upconv.converters.readers.options import ReadOptions

_OF_BINARIES: Final = ("pt2", "pth", "torchscript", "keras", "h5", "hdf5", "tflite")
"""Extensions that no net has, whatever the first bytes look like."""


def _is_net(head: Head) -> bool:
    """Any other text, and what is named like one: the reader says what it is if it is no net."""
    if head.is_folder or head.extension in _OF_BINARIES:
        return False
    return head.is_text or head.extension == "prototxt"


def _open(path: str, options: ReadOptions) -> Model:
    from upconv.converters.readers.caffe.reader import read_caffe

    return read_caffe(path, options)


def _open_text(source: Source, options: ReadOptions) -> Model:
    from upconv.converters.readers.caffe.reader import read_caffe_source

    return read_caffe_source(source, options)


def _require(options: ReadOptions) -> None:
    from upconv.converters.readers.caffe.dialects import require_dialect

    require_dialect(options.dialect)


def _is_weights(head: Head) -> bool:
    if head.is_text or head.is_folder:
        return False
    if head.extension == "caffemodel" or head.has_version:
        return head.extension == "caffemodel"
    from upconv.converters.readers.caffe.caffemodel import looks_like_caffemodel

    return looks_like_caffemodel(head.data)


def _refuse_weights(path: str, options: ReadOptions) -> Model:
    from upconv.converters.ir.errors import UnsupportedError

    raise UnsupportedError(
        "a caffemodel holds weights; the net is in its prototxt",
        path=path,
        hint=f"give the prototxt as the model, and --weights {path}",
    )


CAFFE: Final = Format(
    "Caffe",
    ("prototxt", "prototext", "pbtxt", "pt", "prototmp", "txt"),
    _is_net,
    _open,
    claim_text=lambda head: True,
    open_text=_open_text,
    vague=("txt",),
    texts=("prototxt", "prototext", "prototmp", "pbtxt"),
    companions=training_files,
    require=_require,
)
CAFFE_WEIGHTS: Final = Format(
    "Caffe weights", ("caffemodel",), _is_weights, _refuse_weights, "--weights"
)
