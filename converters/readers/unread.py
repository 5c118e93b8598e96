"""Rows for files that are known and have no reader."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from upconv.converters.ir.errors import UnreadableError, UnsupportedError
from upconv.converters.readers.row import Format

if TYPE_CHECKING:
    from upconv.converters.ir.model import Model
    from upconv.converters.readers.options import ReadOptions

_LFS: Final = b"version https://git-lfs"


def _refuse_pointer(path: str, options: ReadOptions) -> Model:
    raise UnreadableError(
        "a Git LFS pointer, not the file itself", path=path, hint="fetch it with `git lfs pull`"
    )


def _not_built(name: str) -> Callable[[str, ReadOptions], Model]:
    def refuse(path: str, options: ReadOptions) -> Model:
        raise UnsupportedError(f"this is {name}; reading it is not built yet", path=path)

    return refuse


LFS_POINTER: Final = Format(
    "Git LFS pointer", (), lambda head: head.data.startswith(_LFS), _refuse_pointer, "refused"
)
TENSORFLOW_LITE: Final = Format(
    "TensorFlow Lite",
    ("tflite",),
    lambda head: head.data[4:8] == b"TFL3",
    _not_built("a TensorFlow Lite model"),
    "not built yet",
)

UNREAD_ENDINGS: Final = frozenset(
    ("ort", "tflite", "mlmodel", "mnn", "pdmodel", "rknn", "uff", "trt", "engine", "dlc")
)
"""Endings of models that nothing here reads, and of nothing else that is common in a repository. A
search counts them: what was not looked at is not clean."""
