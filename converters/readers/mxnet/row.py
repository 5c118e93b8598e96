"""The rows of MXNet in the table of formats: symbols in JSON, and .params."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from upconv.converters.ir.patterns import pattern
from upconv.converters.readers.row import Format, Head

if TYPE_CHECKING:
    from upconv.converters.ir.model import Model
    from upconv.converters.ir.source import Source
    from upconv.converters.readers.options import ReadOptions

_NODES: Final = pattern(rb'\s*\{\s*"(?:nodes|arg_nodes|node_row_ptr|heads|attrs)"\s*:')
_NODE: Final = pattern(rb'"nodes"\s*:\s*\[\s*\{[^{}]*"op"\s*:\s*"')
_PARAMS: Final = b"\x12\x01" + bytes(14)


def _claim(head: Head) -> bool:
    """An object that begins as nnvm writes it, with nodes that have an op."""
    return _NODES.match(head.data) is not None and _NODE.search(head.data) is not None


def _open(path: str, options: ReadOptions) -> Model:
    from upconv.converters.readers.mxnet.reader import read_mxnet

    return read_mxnet(path, options)


def _open_text(source: Source, options: ReadOptions) -> Model:
    from upconv.converters.readers.mxnet.reader import read_mxnet_source

    return read_mxnet_source(source, options)


def _refuse_weights(path: str, options: ReadOptions) -> Model:
    from upconv.converters.ir.errors import UnsupportedError

    raise UnsupportedError(
        "a .params file holds weights; the net is in its -symbol.json",
        path=path,
        hint=f"give the symbol as the model, and --weights {path}",
    )


MXNET: Final = Format("MXNet", ("json",), _claim, _open, open_text=_open_text)
MXNET_WEIGHTS: Final = Format(
    "MXNet weights",
    ("params",),
    lambda head: head.data.startswith(_PARAMS) or head.extension == "params",
    _refuse_weights,
    "--weights",
)
