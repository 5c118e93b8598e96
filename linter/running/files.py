"""Files written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_whole(path: str | os.PathLike[str], data: bytes) -> None:
    """Replace a file's content through a temporary file beside it, keeping its mode.

    A symbolic link stays, and the file it leads to is written. Raises OSError, with the path,
    also for a file that is there and read-only.
    """
    target = os.path.realpath(path)
    mode = _mode_of(target)
    if os.path.exists(target) and not os.access(target, os.W_OK):
        raise PermissionError(13, "is read-only", os.fspath(path))
    try:
        handle, name = tempfile.mkstemp(prefix=".upconv-", dir=os.path.dirname(target))
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        os.chmod(name, mode)
        os.replace(name, target)
    except BaseException as error:
        Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, os.fspath(path)) from None
        raise


def _mode_of(path: str) -> int:
    """The mode of the file there is, else that of any new file."""
    if os.path.exists(path):
        return os.stat(path).st_mode & 0o7777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
