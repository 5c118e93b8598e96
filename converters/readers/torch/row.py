"""The rows of PyTorch in the table of formats: programs and pickles, and safetensors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from upconv.converters.readers.row import ZIP, Format, Head

if TYPE_CHECKING:
    from upconv.converters.ir.model import Model
    from upconv.converters.readers.options import ReadOptions

_EXTENSIONS: Final = ("pt", "pth", "pt2", "torchscript")
_MEMBERS: Final = (
    b"data.pkl",
    b"/version",
    b"constants.pkl",
    b"/code/",
    b"/data/weights/",
    b"/models/",
    b"serialized_exported_program.json",
)
_TENSOR_FIRST: Final = re.compile(rb"PK\x03\x04.{26}[^/\0]+/(?:data|constants)/\d", re.DOTALL)
"""A TorchScript archive begins with its first tensor, which may hide every other name."""


def _claim(head: Head) -> bool:
    if head.data.startswith(ZIP):
        return _TENSOR_FIRST.match(head.data) is not None or any(
            member in head.data for member in _MEMBERS
        )
    return head.data[:1] == b"\x80" and head.extension in _EXTENSIONS


def _open(path: str, options: ReadOptions) -> Model:
    from upconv.converters.readers.torch.reader import read_pytorch

    return read_pytorch(path, options)


def _is_safetensors(head: Head) -> bool:
    """A length, and the JSON object of that length."""
    return head.data[8:9] == b"{" and head.extension == "safetensors"


def _refuse_safetensors(path: str, options: ReadOptions) -> Model:
    from upconv.converters.ir.errors import UnsupportedError

    raise UnsupportedError(
        "a safetensors file holds weights and no model",
        path=path,
        hint=f"give the exported program, or the code that builds it, and --weights {path}",
    )


PYTORCH: Final = Format("PyTorch", _EXTENSIONS, _claim, _open)
SAFETENSORS: Final = Format(
    "safetensors", ("safetensors",), _is_safetensors, _refuse_safetensors, "--weights"
)
