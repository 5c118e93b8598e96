"""The names of TensorFlow's files: which of them make one SavedModel or checkpoint."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

SAVED_MODEL_NAMES: Final = ("saved_model.pb", "saved_model.pbtxt")


def saved_model_in(folder: str) -> str:
    """The path of a folder's SavedModel, "" where it has none."""
    paths = (os.path.join(folder, name) for name in SAVED_MODEL_NAMES)
    return next((path for path in paths if os.path.isfile(path)), "")


def checkpoint_prefix(weights: str) -> str:
    """A checkpoint's prefix, given itself or as one of its files."""
    base = os.path.basename(weights)
    for mark in (".index", ".data-", ".meta"):
        at = base.find(mark)
        if at > 0:
            return os.path.join(os.path.dirname(weights), base[:at])
    return weights


def saved_variables(folder: str) -> str:
    """The prefix of the checkpoint that belongs to the SavedModel in a folder."""
    return os.path.join(folder, "variables", "variables")


def companions(path: str) -> Iterator[str]:
    """The SavedModel in a folder, and the checkpoint of it or of any prefix that a path names."""
    if saved_model := saved_model_in(path):
        yield saved_model
        yield from _checkpoint(saved_variables(path))
    elif os.path.basename(path) in SAVED_MODEL_NAMES:
        yield from _checkpoint(saved_variables(os.path.dirname(path)))
    else:
        prefixes = (checkpoint_prefix(path), os.path.splitext(path)[0])
        for prefix in dict.fromkeys(prefixes):
            yield from _checkpoint(prefix)


def _checkpoint(prefix: str) -> Iterator[str]:
    """The files of a checkpoint: its index, and its data where there is one."""
    index = f"{prefix}.index"
    yield index
    if os.path.exists(index):
        folder, start = os.path.dirname(prefix), f"{os.path.basename(prefix)}.data-"
        names = sorted(name for name in os.listdir(folder or ".") if name.startswith(start))
        yield from (os.path.join(folder, name) for name in names)
