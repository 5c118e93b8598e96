"""The row of TensorFlow Lite in the table of formats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from upconv.converters.readers.row import Format

if TYPE_CHECKING:
    from upconv.converters.ir.model import Model
    from upconv.converters.readers.options import ReadOptions


def _open(path: str, options: ReadOptions) -> Model:
    from upconv.converters.readers.tflite.reader import read_tflite

    return read_tflite(path, options)


TENSORFLOW_LITE: Final = Format(
    "TensorFlow Lite", ("tflite",), lambda head: head.data[4:8] == b"TFL3", _open
)
