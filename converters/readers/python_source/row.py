"""The row of Python source in the table of formats: modules and notebooks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from upconv.converters.ir.patterns import pattern
from upconv.converters.readers.row import Format, Head

if TYPE_CHECKING:
    from upconv.converters.ir.model import Model
    from upconv.converters.ir.source import Source
    from upconv.converters.readers.options import ReadOptions

_EXTENSIONS: Final = ("py", "ipynb")
_IMPORT: Final = pattern(rb"^(?:import|from)[ \t]+[\w.]+", re.MULTILINE)


def _claim(head: Head) -> bool:
    """A text that is named so: code has no other mark, and a notebook is JSON like others."""
    return head.extension in _EXTENSIONS and head.is_text


def _claim_text(head: Head) -> bool:
    """Code is told by its imports too, since what comes through a pipe has no name."""
    return head.extension in _EXTENSIONS or _IMPORT.search(head.data) is not None


def _mentions(data: bytes) -> bool:
    """Whether code mentions an upsampling call: most files have nothing to do with models, and
    what they mention is cheaper to find than to parse."""
    from upconv.converters.readers.python_source.mentions import mentions

    return mentions(data)


def _open(path: str, options: ReadOptions) -> Model:
    from upconv.converters.readers.python_source.reader import read_python

    return read_python(path, options)


def _open_text(source: Source, options: ReadOptions) -> Model:
    from upconv.converters.readers.python_source.reader import read_python_source

    return read_python_source(source, options)


PYTHON: Final = Format(
    "Python source",
    _EXTENSIONS,
    _claim,
    _open,
    "check only",
    claim_text=_claim_text,
    open_text=_open_text,
    mentions=_mentions,
)
