"""Sound files with one of their numbers changed, each in turn: texts, members, binary files."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from tests.fuzz.making import TENTH, WEIGHTS, members_of, write
from tests.fuzz.seeds import CODE, NET, mxnet_net, seeds, zipped

LARGE: Final = (-1, 10**9, 4 * 10**9, 10**30)
WORDS: Final = ((1 << 31) - 1, (1 << 32) - 1, 1 << 30)
_PLACES: Final = 12 if TENTH == 1 else 6
"""Numbers of a file that are changed; they are spread over all of it."""


def _spread(found: Sequence[Any]) -> Sequence[Any]:
    return found[:: max(len(found) // _PLACES, 1)]


def _renumbered(text: bytes) -> Iterator[tuple[str, bytes]]:
    """The text with one of its numbers changed, under a name that says which."""
    for match in _spread(list(re.finditer(rb"(?<![\w.])\d+", text))):
        for value in LARGE:
            changed = text[: match.start()] + b"%d" % value + text[match.end() :]
            yield f"at{match.start()}_{value}", changed


def numbers_in_texts(folder: Path) -> None:
    for target, suffix in (
        ("prototxt", "prototxt"), ("python", "py"), ("notebook", "ipynb"), ("pbtxt", "pbtxt"),
        ("keras_json", "json"), ("mxnet", "json"),
    ):  # fmt: skip
        for name, data in _renumbered(seeds(target)[0]):
            write(folder, f"{target}_{name}.{suffix}", data)
    for target, suffix, end in (
        ("pt2", "pt2", "model.json"), ("torchscript", "pt", ".py"),
        ("keras", "keras", "config.json"),
    ):  # fmt: skip
        members = members_of(target)
        member = next(name for name in members if name.endswith(end))
        for name, data in _renumbered(members[member]):
            write(folder, f"{target}_{name}.{suffix}", zipped(members | {member: data}))


def numbers_in_binaries(folder: Path) -> None:
    write(folder, WEIGHTS[".caffemodel"], NET)
    write(folder, WEIGHTS[".params"], mxnet_net())
    write(folder, WEIGHTS[".safetensors"], CODE)
    for target, suffix in (
        ("caffemodel", "caffemodel"), ("hdf5", "h5"), ("graphdef", "pb"), ("pickle", "pth"),
        ("safetensors", "safetensors"), ("onnx_model", "onnx"), ("tflite", "tflite"),
        ("mxnet_params", "params"),
    ):  # fmt: skip
        data = seeds(target)[-1 if target == "onnx_model" else 0]
        for at in _spread(range(0, len(data) - 3, 4)):
            for value in WORDS:
                changed = data[:at] + struct.pack("<I", value) + data[at + 4 :]
                write(folder, f"{target}_at{at}_{value}.{suffix}", changed)
