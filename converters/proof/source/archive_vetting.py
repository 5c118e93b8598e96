"""What of a PyTorch archive has to hold before PyTorch is given it."""

from __future__ import annotations

import re
from typing import Any, Final

from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.proof.source.loaded import asking
from upconv.converters.readers.files.budgets import JSON
from upconv.converters.readers.files.torch_archive import Archive
from upconv.converters.readers.torch.script.code import FOLDER

DECIDING: Final = (".json", ".py", ".pkl")
"""Members that say what is run, beside those that only hold numbers."""

_OUTSIDE: Final = re.compile(rb"\b(save|from_file|rpc_\w+)\b|\bops\s*\.\s*(?!prim\b|aten\b)(\w+)")
"""Operators that read, write or send files, and operators of other libraries than ATen."""


def require_same_view(torch: Any, archive: Archive) -> None:
    """Raise UnsupportedError where PyTorch sees other members than upconv, or other bytes in them,
    and UnreadableError where it cannot open the archive.

    PyTorch finds members in upper and lower case alike, and reads the directory of an archive with
    a parser of its own: what upconv has vetted has to be what PyTorch reads.
    """
    with asking("PyTorch", archive.path):
        reader = torch._C.PyTorchFileReader(archive.path)
        names = reader.get_all_records()
    for name in names:
        known = name in archive
        if known and name.endswith(DECIDING):
            with asking("PyTorch", archive.path):
                found = bytes(reader.get_record(name))
            known = found == archive.read(name, JSON.bytes)
        if not known:
            raise refused(archive, f"PyTorch finds something else than upconv in '{name[:100]}'")


def require_no_files(archive: Archive) -> None:
    """Raise UnsupportedError where TorchScript code, which may run as soon as it is loaded, has
    operators that reach files or the network."""
    for name in archive.names:
        if name.startswith(FOLDER) and name.endswith(".py"):
            found = _OUTSIDE.search(archive.read(name))
            if found is not None:
                word = (found[1] or found[2]).decode()
                raise refused(archive, f"its code in '{name[:100]}' has the operator '{word}'")


def refused(archive: Archive, reason: str) -> UnsupportedError:
    """The error of an archive that PyTorch does not get."""
    return UnsupportedError(
        f"it is not given to PyTorch: {reason}", path=archive.path, hint="use --against reference"
    )
