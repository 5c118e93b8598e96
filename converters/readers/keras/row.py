"""The row of Keras in the table of formats: archives, HDF5 and architectures in JSON."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from upconv.converters.ir.patterns import pattern
from upconv.converters.readers.row import ZIP, Format, Head

if TYPE_CHECKING:
    from upconv.converters.ir.model import Model
    from upconv.converters.ir.source import Source
    from upconv.converters.readers.options import ReadOptions

_HDF5: Final = b"\x89HDF\r\n\x1a\n"
_MEMBERS: Final = (b"metadata.json", b"config.json", b"model.weights.h5")
_JSON: Final = pattern(rb"\s*\{.*\"class_name\"", re.DOTALL)
_MODEL: Final = pattern(rb"\"class_name\"\s*:\s*\"(?:Sequential|Functional|Model)\"")


def _claim(head: Head) -> bool:
    if head.data.startswith(_HDF5):
        return True
    if head.data.startswith(ZIP):
        return any(member in head.data for member in _MEMBERS)
    return _JSON.match(head.data) is not None


def _sure(head: Head) -> bool:
    """A file of Keras, where any JSON may say "class_name"."""
    return not head.data.lstrip().startswith(b"{") or (
        _MODEL.search(head.data) is not None and b'"modelTopology"' not in head.data
    )


def _open(path: str, options: ReadOptions) -> Model:
    from upconv.converters.readers.keras.reader import read_keras

    return read_keras(path, options)


def _open_text(source: Source, options: ReadOptions) -> Model:
    from upconv.converters.readers.keras.reader import read_keras_source

    return read_keras_source(source, options)


KERAS: Final = Format(
    "Keras", ("keras", "h5", "hdf5", "json"), _claim, _open, open_text=_open_text, sure=_sure
)
