"""Files written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

NEW_FILE: Final = 0o666
"""The mode that any new file asks for; the system takes from it what the process's umask says."""


def write_whole(path: str | os.PathLike[str], data: bytes) -> None:
    """Replace a file's content through a temporary file beside it, keeping its mode.

    A symbolic link stays, and the file it leads to is written. Raises OSError, with the path,
    also for a file that is there and read-only.
    """
    target = os.path.realpath(path)
    there = os.path.exists(target)
    if there and not os.access(target, os.W_OK):
        raise PermissionError(13, "is read-only", os.fspath(path))
    try:
        handle, name = temporary_file(os.path.dirname(target), 0o600 if there else NEW_FILE)
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        if there:
            os.chmod(name, os.stat(target).st_mode & 0o7777)
        os.replace(name, target)
    except BaseException as error:
        Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, os.fspath(path)) from None
        raise


def temporary_file(folder: str | os.PathLike[str], mode: int = NEW_FILE) -> tuple[int, str]:
    """A new file in a folder, open for writing, and its path.

    `tempfile` makes files that only their owner may read, and there is no asking for the umask
    without setting it, which every thread of the process would feel: here the system applies it.
    Raises OSError.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    while True:
        name = os.path.join(folder, f".upconv-{os.urandom(8).hex()}")
        try:
            return os.open(name, flags, mode), name
        except FileExistsError:
            continue
