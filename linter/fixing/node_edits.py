"""Edits of an ONNX file: attributes of nodes, everything else left as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from upconv.converters.ir.errors import UnsupportedError
from upconv.linter.finding import NodeEdit

if TYPE_CHECKING:
    from onnx import NodeProto


def edited(data: bytes, edits: Sequence[NodeEdit], path: str) -> bytes:
    """The ModelProto in these bytes with its nodes edited.

    Raises UnsupportedError where a node is not in the graph itself, or protobuf cannot hold it.
    """
    import onnx
    from google.protobuf.message import DecodeError

    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
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


def _edit(node: NodeProto, edit: NodeEdit) -> None:
    from onnx import helper

    gone = {*edit.dropped, *(name for name, _ in edit.written)}
    kept = [one for one in node.attribute if one.name not in gone]
    written = [helper.make_attribute(name, numbers) for name, numbers in edit.written]
    del node.attribute[:]
    node.attribute.extend([*kept, *written])
