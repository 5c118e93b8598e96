"""Edits of an ONNX file: attributes of nodes, everything else left as it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from upconv.converters.ir.errors import UnsupportedError, UsageError
from upconv.converters.readers.files.opening import read_regular
from upconv.linter.finding import NodeEdit

if TYPE_CHECKING:
    from onnx import NodeProto


MOST: Final = (1 << 31) - 1
"""Bytes of a file that protobuf can hold."""


def edited(path: str, edits: Sequence[NodeEdit]) -> bytes:
    """The ModelProto in a file with its nodes edited.

    Raises UnsupportedError where a node is not in the graph itself, or protobuf cannot hold it, and
    OSError where the file cannot be read.
    """
    import onnx
    from google.protobuf.message import DecodeError

    model = onnx.ModelProto()
    try:
        model.ParseFromString(read_regular(path, MOST))
    except DecodeError as error:
        raise UnsupportedError(f"protobuf does not read it ({error})", path=path) from None
    makers = {name: node for node in model.graph.node for name in node.output}
    for edit in edits:
        if edit.output not in makers:
            raise UnsupportedError(
                f"the node that writes '{edit.output}' is in a function or a branch",
                path=path,
                hint="upconv convert writes the whole model anew",
            )
        _edit(makers[edit.output], edit)
    done: bytes = model.SerializeToString()
    return done


def place_of_copy(path: str, data: bytes) -> Path:
    """NAME.fixed.onnx beside a file; raises UsageError where other bytes than `data` are there."""
    copy = Path(path).with_suffix(f".fixed{Path(path).suffix}")
    if copy.exists() and read_regular(copy, MOST) != data:
        raise UsageError("is there already", path=str(copy), hint="move it away, or use --in-place")
    return copy


def _edit(node: NodeProto, edit: NodeEdit) -> None:
    from onnx import helper

    gone = {*edit.dropped, *(name for name, _ in edit.written)}
    kept = [one for one in node.attribute if one.name not in gone]
    written = [helper.make_attribute(name, numbers) for name, numbers in edit.written]
    del node.attribute[:]
    node.attribute.extend([*kept, *written])
