"""Safetensors: a JSON header and raw tensors behind it, read as lazy views of the file.

The layout (huggingface/safetensors README): 8 bytes little-endian length of the header, the header
`{"name": {"dtype", "shape", "data_offsets": [begin, end]}}`, then the bytes, which the tensors must
cover without overlap.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from math import prod
from typing import Any, Final, NoReturn

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.readers.files.budgets import JSON
from upconv.converters.readers.files.json_plain import JsonError, load_json
from upconv.converters.readers.files.stored import ITEM_SIZES, MAX_AXES, StoredTensor, contiguous
from upconv.converters.readers.files.wire import Wire, map_file

DTYPES: Final = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "bfloat16",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
}


def read_safetensors(path: str) -> Mapping[str, StoredTensor]:
    """The tensors of a file by their names; nothing but the header is read.

    Raises UnreadableError where the header is malformed, a tensor lies outside of the file, two
    overlap, or a size does not fit its shape.
    """
    view = map_file(path, "safetensors file")
    length = int.from_bytes(view[:8], "little")
    if len(view) < 8 or not 2 <= length <= len(view) - 8:
        _fail(path, "the header's length is impossible")
    header = _header(view[8 : 8 + length], path)
    base, wire = 8 + length, Wire(view, path)
    found: dict[str, StoredTensor] = {}
    spans: list[tuple[int, int]] = []
    for name, entry in header.items():
        if name != "__metadata__":
            shape, dtype, begin, end = _entry(name, entry, len(view) - base, path)
            found[name] = StoredTensor(shape, dtype, contiguous(shape), base + begin, wire)
            spans.append((begin, end))
    spans.sort()
    if any(after[0] < before[1] for before, after in pairwise(spans)):
        _fail(path, "two tensors overlap")
    return found


def _header(data: memoryview, path: str) -> Mapping[str, Any]:
    if len(data) > JSON.bytes:
        _fail(path, f"its header has {len(data)} bytes, more than {JSON.bytes}")
    try:
        header = load_json(bytes(data))
    except JsonError as error:
        _fail(path, f"the header is not JSON: {error}")
    if not isinstance(header, dict):
        _fail(path, "the header is no table of tensors")
    return header


def _entry(name: str, entry: Any, size: int, path: str) -> tuple[tuple[int, ...], str, int, int]:
    """(shape, dtype, begin, end) of one tensor, checked."""
    shown = f"the tensor '{name[:200]}'"
    if not isinstance(entry, dict):
        _fail(path, f"{shown} is described wrongly")
    dtype = DTYPES.get(str(entry.get("dtype")))
    if dtype is None:
        _fail(path, f"{shown} has the element type {str(entry.get('dtype'))[:20]}, not known here")
    shape: Any = entry.get("shape")
    offsets: Any = entry.get("data_offsets")
    if not _naturals(shape, MAX_AXES) or not _naturals(offsets, 2) or len(offsets) != 2:
        _fail(path, f"{shown} has an impossible shape or place")
    begin, end = offsets
    if not begin <= end <= size:
        _fail(path, f"{shown} reaches past the end of the file")
    if prod(shape) * ITEM_SIZES[dtype] != end - begin:
        _fail(path, f"{shown} has {end - begin} bytes, which do not fit its shape")
    return tuple(shape), dtype, begin, end


def _naturals(values: Any, most: int) -> bool:
    """Whether it is a list of at most `most` sizes."""
    plain = isinstance(values, list) and len(values) <= most
    return plain and all(type(one) is int and 0 <= one < 1 << 48 for one in values)


def _fail(path: str, message: str) -> NoReturn:
    raise UnreadableError(f"not a readable safetensors file: {message}", path=path)
