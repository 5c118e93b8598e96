"""The one door to the files of a user: regular files only, nothing that waits, a size that is
bounded.

A pipe would wait for a writer and a device may never end, also behind a symbolic link and though
the name says .prototxt. A path can hold a NUL, and a link can lead to itself. Whatever is wrong is
an OSError with a reason that can be read, so that whoever opens a file has one thing to expect.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import IO, Final

MAX_TEXT: Final = 64 * 2**20
"""Bytes of a text that is read whole; the largest nets seen are 2 MB."""

_READ: Final = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)  # a pipe without a writer is opened at once, then refused
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)
_KINDS: Final = (
    (stat.S_ISDIR, errno.EISDIR, "a folder, expected a file"),
    (stat.S_ISFIFO, errno.EINVAL, "a pipe, expected a regular file: write it to one first"),
    (stat.S_ISSOCK, errno.EINVAL, "a socket, expected a regular file"),
    (stat.S_ISCHR, errno.EINVAL, "a device, expected a regular file"),
    (stat.S_ISBLK, errno.EINVAL, "a device, expected a regular file"),
)


def open_regular(path: str | os.PathLike[str]) -> IO[bytes]:
    """A regular file, opened for reading without a buffer.

    Raises OSError: FileNotFoundError where there is none, IsADirectoryError for a folder, and
    otherwise with a `strerror` that says what is there instead.
    """
    name = os.fspath(path)
    if "\0" in name:
        raise OSError(errno.EINVAL, "the path holds a NUL", name)
    _require_regular(os.stat(name).st_mode, name)  # opening a device can already do something
    handle = os.open(name, _READ)
    try:
        _require_regular(os.fstat(handle).st_mode, name)
        return os.fdopen(handle, "rb", buffering=0)
    except BaseException:
        os.close(handle)
        raise


def read_regular(path: str | os.PathLike[str], most: int = MAX_TEXT) -> bytes:
    """The bytes of a regular file; raises OSError as `open_regular`, and for more than `most`."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise OSError(errno.EFBIG, f"larger than {most} bytes", os.fspath(path))
        pieces = []
        while size >= 0 and (piece := file.read(size + 1)):
            pieces.append(piece)
            size -= len(piece)
    return b"".join(pieces)


def reason(error: OSError) -> str:
    """Why a file could not be opened, in words."""
    return error.strerror or str(error)


def _require_regular(mode: int, path: str) -> None:
    for is_kind, number, what in _KINDS:
        if is_kind(mode):
            raise OSError(number, what, path)
