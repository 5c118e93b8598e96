"""Files written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from upconv.converters.ir.temporaries import HOLDS, NEW_FILE, temporary_file


def write_whole(
    path: str | os.PathLike[str], data: bytes, folder: str | os.PathLike[str] = ""
) -> None:
    """Replace a file's content through a temporary file beside it, or in a folder of the same file
    system, keeping its mode.

    A symbolic link stays, and the file it leads to is written. Raises OSError, with the path,
    also for a file that is there and read-only.
    """
    target = os.path.realpath(path)
    there = os.path.exists(target)
    if there and not os.access(target, os.W_OK):
        raise PermissionError(13, "is read-only", os.fspath(path))
    try:
        handle, name = temporary_file(
            folder or os.path.dirname(target), 0o600 if there else NEW_FILE
        )
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            if there:
                os.chmod(name, os.stat(target).st_mode & 0o7777)
            if not HOLDS:
                stream.close()
            os.replace(name, target)
    except BaseException as error:
        Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, os.fspath(path)) from None
        raise
