"""The ONNX file as a stream of bytes: weights go from their source to the file in chunks.

Protobuf allows the fields of a message in any order, so a model's bytes are those of everything
but its weights, then one TensorProto per weight; nothing holds two weights at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from onnx import ModelProto, TensorProto

from upconv.converters.ir.errors import UpconvError
from upconv.converters.onnx_writer.graph import StoredWeight

LENGTH_DELIMITED: Final = 2
GRAPH_OF_MODEL: Final = 7
INITIALIZER_OF_GRAPH: Final = 5
RAW_DATA_OF_TENSOR: Final = 9
"""Field numbers of onnx.proto."""


def model_size(model: ModelProto, weights: Sequence[StoredWeight]) -> int:
    """Bytes that `model_bytes` yields."""
    graph: int = model.graph.ByteSize() + sum(_entry_size(weight) for weight in weights)
    return len(_without_graph(model)) + len(_head(GRAPH_OF_MODEL, graph)) + graph


def model_bytes(model: ModelProto, weights: Sequence[StoredWeight]) -> Iterator[memoryview | bytes]:
    """The model with the weights as inline initializers, in pieces.

    Raises UpconvError where a source gives another number of bytes than its shape says.
    """
    graph: bytes = model.graph.SerializeToString()
    yield _without_graph(model)
    yield _head(GRAPH_OF_MODEL, len(graph) + sum(_entry_size(weight) for weight in weights))
    yield graph
    for weight in weights:
        yield _entry_head(weight)
        yield from checked_chunks(weight)


def checked_chunks(weight: StoredWeight) -> Iterator[memoryview | bytes]:
    """The weight's bytes; UpconvError where they are more or fewer than its shape says."""
    total = 0
    for chunk in weight.data.chunks():
        total += len(chunk)
        yield chunk
    if total != weight.nbytes:
        raise UpconvError(f"the weight '{weight.name}' holds {total} bytes, not {weight.nbytes}")


def tensor_header(weight: StoredWeight) -> TensorProto:
    """A TensorProto with everything but the values."""
    return TensorProto(name=weight.name, dims=weight.dims, data_type=TensorProto.FLOAT)


def _without_graph(model: ModelProto) -> bytes:
    head = ModelProto()
    for descriptor, value in model.ListFields():
        if descriptor.name == "graph":
            continue
        if isinstance(value, int | str):
            setattr(head, descriptor.name, value)
        else:
            getattr(head, descriptor.name).extend(value)
    encoded: bytes = head.SerializeToString()
    return encoded


def _entry_head(weight: StoredWeight) -> bytes:
    encoded: bytes = tensor_header(weight).SerializeToString()
    header = encoded + _head(RAW_DATA_OF_TENSOR, weight.nbytes)
    return _head(INITIALIZER_OF_GRAPH, len(header) + weight.nbytes) + header


def _entry_size(weight: StoredWeight) -> int:
    return len(_entry_head(weight)) + weight.nbytes


def _head(field: int, length: int) -> bytes:
    return _varint(field << 3 | LENGTH_DELIMITED) + _varint(length)


def _varint(value: int) -> bytes:
    """Seven bits a byte, lowest first, the high bit set on all but the last.

    >>> _varint(300).hex()
    'ac02'
    """
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
