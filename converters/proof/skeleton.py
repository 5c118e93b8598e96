"""An ONNX file without the data of its large tensors, which are left where they lie.

A reference to the bytes of a tensor is a tensor too, of external data: so a piece of a large file,
or the whole of it, runs in onnxruntime without a second copy of its weights, and nothing but the
graph is ever parsed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.readers.files.opening import read_regular, reason
from upconv.converters.readers.files.wire import LENGTH, Field, Wire, map_file
from upconv.converters.readers.onnx.messages import FIELDS, Message

MAX_PROTOBUF: Final = (1 << 31) - 1
"""Bytes that a message may have; what is larger keeps its weights in other files."""

LARGE_FILE: Final = 1 << 28
"""Bytes of a file whose large tensors are left where they are."""

SMALL_TENSOR: Final = 1 << 16
"""Bytes up to which a tensor is taken whole."""

ORDER: Final = "the model comes first, and then the ONNX file that was made from it"


def proto_of(path: str) -> Any:
    """The ModelProto of a file; raises UnreadableError where there is none."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        return onnx.ModelProto.FromString(read_regular(path, MAX_PROTOBUF))
    except FileNotFoundError:
        raise UnreadableError("no such file", path=path, hint="check the path") from None
    except OSError as error:
        raise UnreadableError(f"cannot be read: {reason(error)}", path=path) from None
    except (DecodeError, ValueError):
        raise UnreadableError("no ONNX model, or a broken one", path=path, hint=ORDER) from None


def skeleton(path: str) -> Any:
    """The ModelProto of a file; in that of a large one, inline tensors are references to the file.

    Raises UnreadableError where the file is no ONNX model.
    """
    source = Path(path)
    # What a link points at may lie in another folder than the file's own external data.
    if not source.is_file() or source.is_symlink() or source.stat().st_size <= LARGE_FILE:
        return proto_of(path)
    from google.protobuf.message import DecodeError

    try:
        return _with_references(path)
    except DecodeError:
        raise UnreadableError("a broken ONNX model", path=path, hint=ORDER) from None


def _with_references(path: str) -> Any:
    import onnx

    wire = Wire(map_file(path, "ONNX model"), path)
    model = onnx.ModelProto()
    for field, start in _placed(wire, 0, len(wire.view)):
        if field.number != FIELDS["model"]["graph"] or field.wire_type != LENGTH:
            model.MergeFromString(bytes(wire.view[start : field.end]))
            continue
        for inner, begin in _placed(wire, field.start, field.end):
            if _is_large_tensor(inner):
                model.graph.initializer.append(_reference(wire, inner, Path(path).name))
            else:
                model.graph.MergeFromString(bytes(wire.view[begin : inner.end]))
    return model


def _placed(wire: Wire, start: int, end: int) -> Iterator[tuple[Field, int]]:
    """Each field with the place of its tag."""
    for field in wire.fields(start, end):
        yield field, start
        start = field.end


def _is_large_tensor(field: Field) -> bool:
    is_tensor = field.number == FIELDS["graph"]["initializer"] and field.wire_type == LENGTH
    return is_tensor and field.end - field.start > SMALL_TENSOR


def _reference(wire: Wire, field: Field, location: str) -> Any:
    """The tensor with a reference in the place of its raw data; as it is where it has none."""
    import onnx

    message = Message(wire, "tensor", field.start, field.end)
    raw = [one for one in message.fields("raw_data") if one.wire_type == LENGTH]
    if len(raw) != 1:
        return onnx.TensorProto.FromString(bytes(wire.view[field.start : field.end]))
    tensor = onnx.TensorProto()
    for inner, begin in _placed(wire, field.start, field.end):
        if inner.start != raw[0].start:
            tensor.MergeFromString(bytes(wire.view[begin : inner.end]))
    tensor.data_location = onnx.TensorProto.EXTERNAL
    length = raw[0].end - raw[0].start
    entries = {"location": location, "offset": raw[0].start, "length": length}
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor
