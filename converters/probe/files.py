"""The files of a probe. They come back from other machines, so nothing in them is trusted: no
pickles, and bounded sizes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir.errors import UnreadableError, UsageError
from upconv.converters.ir.records import record

Array = NDArray[np.float64]

MANIFEST: Final = "manifest.json"
MODEL: Final = "model.onnx"
GENERATOR: Final = "upconv probe"
MAX_BYTES: Final = 1 << 30
MAX_ARRAYS: Final = 4096
MAX_MANIFEST: Final = 1 << 20


@record(frozen=True, slots=True)
class Manifest:
    """What a probe holds: the files of inputs, one a run, and the outputs that are asked for."""

    runs: tuple[str, ...]
    outputs: tuple[str, ...]


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write it into the probe's folder."""
    words = {
        "schema_version": 1,
        "generator": GENERATOR,
        "model": MODEL,
        "runs": list(manifest.runs),
        "outputs": list(manifest.outputs),
    }
    (folder / MANIFEST).write_text(json.dumps(words, indent=2) + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """Raises UnreadableError where the folder is no probe."""
    from upconv.converters.readers.files.json_plain import JsonError, load_json
    from upconv.converters.readers.files.opening import read_regular

    path = folder / MANIFEST
    try:
        words = load_json(read_regular(path, MAX_MANIFEST))
        if not isinstance(words, dict) or words["generator"] != GENERATOR:
            raise ValueError
        runs, outputs = (_texts(words[key]) for key in ("runs", "outputs"))
    except (OSError, JsonError, ValueError, KeyError, TypeError):
        hint = "`upconv probe make MODEL -o DIR` makes one"
        raise UnreadableError("is no manifest of a probe", path=str(path), hint=hint) from None
    if any(os.path.basename(name) != name for name in runs):
        raise UnreadableError("names files outside of the probe", path=str(path))
    return Manifest(runs, outputs)


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError
    return tuple(value)


def read_arrays(path: Path) -> dict[str, Array]:
    """The arrays of an .npz file, as float64. Raises UnreadableError for one that is none, is too
    large, or holds what is no array of numbers."""
    try:
        with ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > MAX_ARRAYS or sum(one.file_size for one in entries) > MAX_BYTES:
                raise UnreadableError("holds more than a probe's outputs", path=str(path))
        with np.load(path, allow_pickle=False) as stored:
            return {name: _numbers(stored[name]) for name in stored.files}
    except (OSError, ValueError, BadZipFile, KeyError, EOFError, NotImplementedError) as error:
        why = " ".join(str(error).split())[:200]
        raise UnreadableError(f"is no .npz of arrays: {why}", path=str(path)) from None


def _numbers(values: NDArray[Any]) -> Array:
    if values.dtype.kind not in "fiub":
        raise ValueError(f"an array of {values.dtype}")
    return np.asarray(values, np.float64)


def read_raw(path: Path, shape: Sequence[int]) -> Array:
    """Little-endian float32 values, or float16 where there are half as many bytes.

    Raises UnreadableError where the bytes are not of that shape.
    """
    from upconv.converters.readers.files.opening import read_regular

    count = prod(shape)
    if count > MAX_BYTES // 4:
        raise UsageError(f"a shape of {count} numbers")
    try:
        data = read_regular(path, MAX_BYTES)
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror}", path=str(path)) from None
    kinds: Mapping[int, str] = {4 * count: "<f4", 2 * count: "<f2"}
    if len(data) not in kinds:
        said = "x".join(map(str, shape))
        raise UnreadableError(
            f"has {len(data)} bytes, and {said} floats have others", path=str(path)
        )
    return np.frombuffer(data, kinds[len(data)]).reshape(shape).astype(np.float64)
