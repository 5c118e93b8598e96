"""TorchScript archives made by hand, of any code: what torch would never write."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path

FORWARD = "class M(Module):\n  def forward(self: __torch__.M,\n    x: Tensor) -> Tensor:\n"


def root() -> bytes:
    """data.pkl of an object of the class __torch__.M without attributes."""
    return b"\x80\x02c__torch__\nM\n)\x81}b."


def code(body: str, more: str = "") -> str:
    """The code of a module whose forward is that, and functions beside it."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return f"{FORWARD}{lines}{more}"


def archive(path: Path, text: str | bytes, members: Mapping[str, bytes] | None = None) -> Path:
    """An archive of that code, with other members in place of or beside its own."""
    content = text.encode() if isinstance(text, str) else text
    every = {
        "data.pkl": root(),
        "code/__torch__.py": content,
        "constants.pkl": pickle.dumps((), 2),
        "version": b"3\n",
        **(members or {}),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, data in every.items():
            compress = zipfile.ZIP_DEFLATED if name.startswith("code/") else zipfile.ZIP_STORED
            file.writestr(f"m/{name}", data, compress)
    path.write_bytes(buffer.getvalue())
    return path
