"""Rows for files that are known and have no reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.readers.row import Format

if TYPE_CHECKING:
    from upconv.converters.ir.model import Model
    from upconv.converters.readers.options import ReadOptions

_LFS: Final = b"version https://git-lfs"


def _refuse_pointer(path: str, options: ReadOptions) -> Model:
    raise UnreadableError(
        "a Git LFS pointer, not the file itself", path=path, hint="fetch it with `git lfs pull`"
    )


LFS_POINTER: Final = Format(
    "Git LFS pointer", (), lambda head: head.data.startswith(_LFS), _refuse_pointer, "refused"
)

UNREAD_ENDINGS: Final = frozenset(
    ("ort", "mlmodel", "mnn", "pdmodel", "rknn", "uff", "trt", "engine", "dlc")
)
"""Endings of models that nothing here reads, and of nothing else that is common in a repository. A
search counts them: what was not looked at is not clean."""
