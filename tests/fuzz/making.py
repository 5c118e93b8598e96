"""What the makers of hostile files have in common: how large, and where they are written."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeAlias

from tests.fuzz.seeds import seeds

Maker: TypeAlias = Callable[[Path], None]

TENTH: Final = 1 if os.environ.get("UPCONV_HOSTILE") == "full" else 10
"""The tests have a tenth of every budget, and so these files are a tenth of what they were; with
UPCONV_HOSTILE=full both are whole."""


def many(count: int) -> int:
    return count // TENTH


COUNT: Final = max(many(6_000), 1_500)
"""Layers of a net that is only large; the benchmark of growth goes further."""


def write(folder: Path, name: str, data: bytes | str) -> None:
    (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)


def deflated(members: Mapping[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", how, compresslevel=1) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def members_of(target: str) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(seeds(target)[0])) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


WEIGHTS: Final = {
    ".safetensors": "net.py",
    ".caffemodel": "weights.prototxt",
    ".params": "weights-symbol.json",
}
"""Suffix -> the net beside them whose weights such files are."""
