from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.readers.torch.state.safetensors import read_safetensors

DTYPES = {
    "F32": torch.float32,
    "F64": torch.float64,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


def written(path: Path, header: Any, data: bytes) -> str:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return str(path)


def test_values_of_every_type(tmp_path: Path) -> None:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    data = b""
    tensors = {}
    for name, dtype in DTYPES.items():
        tensors[name] = torch.randint(0, 2, (3, 4)).to(dtype)
        raw = tensors[name].contiguous().view(torch.uint8).numpy().tobytes()
        header[name] = {
            "dtype": name,
            "shape": [3, 4],
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    found = read_safetensors(written(tmp_path / "a.safetensors", header, data))
    assert list(found) == list(DTYPES)
    for name, tensor in tensors.items():
        assert np.array_equal(found[name].array(), tensor.float().numpy())


def entry(**changes: Any) -> dict[str, Any]:
    return {"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} | changes}


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        (b"", "length is impossible"),
        (b"[]", "no table"),
        (b"{x", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        ({"x": 3}, "described wrongly"),
        (entry(dtype="F8_E4M3"), "element type F8_E4M3"),
        (entry(shape=[-2]), "impossible"),
        (entry(shape=[1] * 40), "impossible"),
        (entry(shape=[True, 2]), "impossible"),
        (entry(shape="2"), "impossible"),
        (entry(shape=[1 << 60]), "impossible"),
        (entry(data_offsets=[0]), "impossible"),
        (entry(data_offsets=[8, 0]), "past the end"),
        (entry(data_offsets=[4, 12]), "past the end"),
        (entry(shape=[1 << 40, 1 << 40]), "do not fit"),
        (entry(data_offsets=[0, 4]), "do not fit"),
        (
            entry() | {"y": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}},
            "overlap",
        ),
    ],
)
def test_broken_headers(tmp_path: Path, header: Any, problem: str) -> None:
    path = written(tmp_path / "a.safetensors", header, b"\0" * 8)
    with pytest.raises(UnreadableError, match=problem):
        read_safetensors(path)


@pytest.mark.parametrize("data", [b"", b"abc", struct.pack("<Q", 1 << 63), b"\xff" * 8 + b"{}"])
def test_files_that_are_none(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(data)
    with pytest.raises(UnreadableError):
        read_safetensors(str(path))
