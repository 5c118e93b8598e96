"""What lies beside a net and may say how it is trained: solvers, and the code that runs them."""

from __future__ import annotations

import os
from functools import lru_cache
from itertools import islice
from typing import Final

MAX_ENTRIES: Final = 4096
MAX_FILES: Final = 32
"""A folder with more of either is no example, but a heap: what trains what cannot be told."""

_CODE: Final = (".py", ".sh")


def training_files(path: str) -> tuple[str, ...]:
    """The solvers in a net's folder, and the scripts where there is a solver."""
    if not path.endswith(".prototxt"):
        return ()
    folder = os.path.dirname(path)
    try:
        names = _names(folder, os.stat(folder or ".").st_mtime_ns)
    except OSError:
        return ()
    return tuple(os.path.join(folder, name) for name in names)


@lru_cache(maxsize=64)
def _names(folder: str, changed: int) -> tuple[str, ...]:
    """Listed once for all nets of a folder, and again when it has changed."""
    with os.scandir(folder or ".") as entries:
        some = list(islice(entries, MAX_ENTRIES + 1))
    names = sorted(entry.name for entry in some if entry.is_file())
    solvers = [name for name in names if name.endswith(".prototxt") and "solver" in name.lower()]
    found = [*solvers, *(name for name in names if name.endswith(_CODE))]
    known = solvers and len(some) <= MAX_ENTRIES and len(found) <= MAX_FILES
    return tuple(found) if known else ()
