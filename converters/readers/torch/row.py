"""The rows of PyTorch in the table of formats: programs and pickles, and safetensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from upconv.converters.readers.row import Format, Head
from upconv.converters.readers.torch.state.sniffing import PICKLE, is_archive

if TYPE_CHECKING:
    from upconv.converters.ir.model import Model
    from upconv.converters.readers.options import ReadOptions

_EXTENSIONS: Final = ("pt", "pth", "pt2", "torchscript")


def _claim(head: Head) -> bool:
    pickled = head.data.startswith(PICKLE) and head.extension in _EXTENSIONS
    return pickled or is_archive(head.data)


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
