"""Hidden files and folders beside a target, and the end of those whose process was killed.

A process that is killed outright leaves what it was writing. So each temporary is locked by who
made it for as long as it is there: the system lets go of a lock with its process, and whoever
writes into that folder next removes what nobody holds. Names of processes would not do: numbers
come again, and a folder may be shared by machines.
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Final

try:
    import fcntl
except ImportError:  # Windows: nothing is removed there, and an open file cannot be moved
    HOLDS = False
else:
    HOLDS = True

NEW_FILE: Final = 0o666
NEW_FOLDER: Final = 0o700
"""The modes asked for; the system takes from them what the process's umask says."""

_NAME: Final = re.compile(r"\.upconv-[0-9a-f]{16}(\.onnx)?")


def temporary_file(
    folder: str | os.PathLike[str], mode: int = NEW_FILE, suffix: str = ""
) -> tuple[int, str]:
    """A new file in a folder, open for writing, and its path; it is held until it is closed.

    `tempfile` makes files that only their owner may read, and there is no asking for the umask
    without setting it, which every thread of the process would feel: here the system applies it.
    Raises OSError.
    """
    _clear_once(os.path.abspath(folder))
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    while True:
        name = os.path.join(folder, f".upconv-{os.urandom(8).hex()}{suffix}")
        with suppress(FileExistsError):
            handle = os.open(name, flags, mode)
            if _is_held(handle, name):
                return handle, name
            os.close(handle)


def temporary_folder(parent: str | os.PathLike[str]) -> tuple[int, Path]:
    """A new folder in another, and what holds it, both for `remove_folder`. Raises OSError."""
    _clear_once(os.path.abspath(parent))
    while True:
        path = Path(parent, f".upconv-{os.urandom(8).hex()}")
        with suppress(FileExistsError):
            path.mkdir(NEW_FOLDER)
            handle = os.open(path, os.O_RDONLY) if HOLDS else -1
            if handle < 0 or _is_held(handle, path):
                return handle, path
            os.close(handle)


def remove_folder(handle: int, path: Path) -> None:
    """Remove a temporary folder, or let go of one that was moved to its place."""
    shutil.rmtree(path, ignore_errors=True)
    if handle >= 0:
        os.close(handle)


@lru_cache(1024)
def _clear_once(folder: str) -> None:
    """Clear a folder the first time that this process writes into it: what it leaves later, it
    removes itself."""
    clear_abandoned(folder)


def clear_abandoned(folder: str | os.PathLike[str]) -> None:
    """Remove the temporaries of a folder that nobody holds."""
    with suppress(OSError), os.scandir(folder) as entries:
        for left in [entry.path for entry in entries if _NAME.fullmatch(entry.name)]:
            _remove_abandoned(left)


def _remove_abandoned(path: str) -> None:
    if not HOLDS:
        return
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW
    with suppress(OSError):
        handle = os.open(path, flags)
        try:
            if _lock(handle):
                if os.path.isdir(path):
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    os.unlink(path)
        finally:
            os.close(handle)


def _is_held(handle: int, path: str | os.PathLike[str]) -> bool:
    """Lock what was just made; False where another process was faster, and took it for left."""
    if not HOLDS:
        return True
    _lock(handle)  # a file system without locks has nothing removed
    try:
        return os.path.samestat(os.fstat(handle), os.lstat(path))
    except FileNotFoundError:
        return False


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
