"""Files that appear whole or not at all, with weights inside or in a file beside the model."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from onnx import ModelProto, TensorProto

from upconv.converters.ir.errors import UsageError
from upconv.converters.ir.temporaries import HOLDS, temporary_file
from upconv.converters.onnx_writer.graph import StoredWeight
from upconv.converters.onnx_writer.options import ExternalData
from upconv.converters.onnx_writer.wire import (
    checked_chunks,
    model_bytes,
    model_size,
    tensor_header,
)

EXTERNAL_ABOVE: Final = 1 << 30
PROTOBUF_LIMIT: Final = (1 << 31) - 1
PAGE: Final = 4096
"""Offsets of external weights are multiples of it, so that runtimes can map them."""


def data_path(path: Path) -> Path:
    """Where the external weights of a model lie: beside it, `.data` behind its name."""
    return path.with_name(path.name + ".data")


def save(
    model: ModelProto, weights: Sequence[StoredWeight], path: Path, mode: ExternalData
) -> Path | None:
    """Write a model; returns the path of its external data, None where weights are inline.

    Raises UsageError where the target is no place for a file, or the model is too large to keep
    its weights inline. Whatever fails, nothing is left behind, and a file that was there stays
    as it was.
    """
    require_place(path)
    if weights and _external(model, weights, path, mode):
        return _save_external(model, weights, path)
    with _staged(path, model_bytes(model, weights)) as written:
        os.replace(written, path)
    return None


def require_place(path: Path) -> None:
    """Raise UsageError unless a file can stand there: a new one, or in the place of another.

    A device or a pipe is refused, since writing goes by renaming, which would put a file in its
    place: run as root, `-o /dev/null` would do away with /dev/null.
    """
    if path.is_dir():
        raise UsageError("is a folder; name a file", path=str(path))
    if path.exists() and not path.is_file():
        raise UsageError("is no regular file; name one", path=str(path))
    if not path.parent.is_dir():
        hint = f"mkdir -p {path.parent}"
        raise UsageError("its folder does not exist", path=str(path), hint=hint)


def _external(
    model: ModelProto, weights: Sequence[StoredWeight], path: Path, mode: ExternalData
) -> bool:
    size = model_size(model, weights)
    if mode == "never" and size > PROTOBUF_LIMIT:
        raise UsageError(
            f"the model has {size} bytes, and one file holds at most {PROTOBUF_LIMIT}",
            path=str(path),
            hint="leave out --external-data never",
        )
    return mode == "always" or (mode == "auto" and size > EXTERNAL_ABOVE)


def _save_external(model: ModelProto, weights: Sequence[StoredWeight], path: Path) -> Path:
    target = data_path(path)
    if target.exists() and not target.is_file():
        raise UsageError("is no file, and the weights need that name", path=str(target))
    full = ModelProto()
    full.CopyFrom(model)
    full.graph.initializer.extend(_references(weights, target.name))
    with (
        _staged(target, _aligned_bytes(weights)) as data,
        _staged(path, (full.SerializeToString(),)) as written,
    ):
        os.replace(data, target)
        os.replace(written, path)
    return target


def _offsets(weights: Sequence[StoredWeight]) -> Iterator[int]:
    offset = 0
    for weight in weights:
        yield offset
        offset += -(-weight.nbytes // PAGE) * PAGE


def _references(weights: Sequence[StoredWeight], location: str) -> Iterator[TensorProto]:
    for weight, offset in zip(weights, _offsets(weights), strict=True):
        tensor = tensor_header(weight)
        tensor.data_location = TensorProto.EXTERNAL
        entries = {"location": location, "offset": offset, "length": weight.nbytes}
        for key, value in entries.items():
            tensor.external_data.add(key=key, value=str(value))
        yield tensor


def _aligned_bytes(weights: Sequence[StoredWeight]) -> Iterator[memoryview | bytes]:
    for weight in weights:
        yield from checked_chunks(weight)
        yield bytes(-weight.nbytes % PAGE)


@contextmanager
def _staged(target: Path, chunks: Iterable[memoryview | bytes]) -> Iterator[str]:
    """A temporary file beside the target with these bytes; removed unless it was moved away."""
    handle, name = temporary_file(target.parent)
    try:
        with os.fdopen(handle, "wb", buffering=0) as stream:
            for parts in whole_pages(chunks):
                _write_all(stream.fileno(), parts, target)
            if not HOLDS:
                stream.close()
            yield name
    finally:
        Path(name).unlink(missing_ok=True)


def whole_pages(
    chunks: Iterable[memoryview | bytes],
) -> Iterator[tuple[memoryview | bytes, ...]]:
    """The same bytes in parts to be written at once, all of whole pages but the last.

    Where each write ends within a page, and the next one begins there, systems take twice as long.

    >>> [sum(map(len, parts)) for parts in whole_pages([bytes(300), bytes(9000), bytes(10)])]
    [8192, 1118]
    """
    held = b""
    for chunk in chunks:
        view = memoryview(chunk)
        whole = (len(held) + len(view)) // PAGE * PAGE - len(held)
        if whole < 0:
            held += view
            continue
        if held or whole:
            yield (held, view[:whole])
        held = bytes(view[whole:])
    yield (held,)


def _write_all(descriptor: int, parts: Iterable[memoryview | bytes], target: Path) -> None:
    left = [memoryview(part) for part in parts if len(part)]
    while left:
        try:
            count = _written(descriptor, left)
        except OSError as error:  # a full disk; the system does not know the file's name
            raise OSError(error.errno, error.strerror, str(target)) from None
        while left and count >= len(left[0]):
            count -= len(left.pop(0))
        if left:
            left[0] = left[0][count:]


def _written(descriptor: int, parts: list[memoryview]) -> int:
    """How many bytes of these the system took at once."""
    writev = getattr(os, "writev", None)  # which Windows does not have
    return writev(descriptor, parts) if writev else os.write(descriptor, parts[0])


def move_model(source: Path, target: Path) -> None:
    """Move a model with its external data, whose name inside the model follows.

    Raises UsageError where the target cannot be written.
    """
    require_place(target)
    data = data_path(source)
    if not data.exists():
        os.replace(source, target)
        return
    model = ModelProto.FromString(source.read_bytes())
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = data_path(target).name
    with _staged(target, (model.SerializeToString(),)) as written:
        os.replace(data, data_path(target))
        os.replace(written, target)
    source.unlink()
