"""Artefacts by their content: a folder of files that are named by their SHA-256.

A file is written beside, made durable, and then given its name, so that what has a name is whole;
writing the same again changes nothing. So a step that was cut short can run again.
"""

from __future__ import annotations

import errno
import hashlib
import os
import sys
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from upconv.converters.ir.errors import UsageError
from upconv.converters.ir.records import record
from upconv.converters.ir.temporaries import HOLDS, temporary_file
from upconv.converters.readers.files.opening import open_regular
from upconv.service.jobs.remote import Remote

PIECE: Final = 1 << 20
OF_ITS_OWNER: Final = 0o600


class TooLargeError(UsageError):
    """More bytes than are taken."""


@record(frozen=True, slots=True)
class Blob:
    """A stored file."""

    sha256: str
    size: int


@record(frozen=True, slots=True)
class Store:
    """The folder, which is made where it is missing, and a copy of it elsewhere, if any."""

    folder: Path
    remote: Remote | None = None

    def path(self, sha256: str) -> Path:
        """Where a file of that content is, or would be. Raises ValueError for what is no hash."""
        if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
            raise ValueError("no SHA-256")
        return self.folder / sha256[:2] / sha256[2:]

    def local(self, sha256: str) -> Path:
        """A file of that content, fetched where only the copy elsewhere has it. Raises
        FileNotFoundError and OSError."""
        path = self.path(sha256)
        if self.remote is not None and not path.exists():
            blob = self._keep(self.remote.pieces(sha256), sys.maxsize)
            if blob.sha256 != sha256:
                self.path(blob.sha256).unlink(missing_ok=True)
                raise FileNotFoundError(errno.ENOENT, "the store has only a part of it", sha256)
        return path

    def put(self, pieces: Iterable[bytes], limit: int) -> Blob:
        """Keep these bytes. Raises TooLargeError beyond `limit` of them, and OSError."""
        blob = self._keep(pieces, limit)
        if self.remote is not None:
            self.remote.put(self.path(blob.sha256), blob.sha256)
        return blob

    def _keep(self, pieces: Iterable[bytes], limit: int) -> Blob:
        self.folder.mkdir(parents=True, exist_ok=True)
        handle, name = temporary_file(self.folder, OF_ITS_OWNER)
        try:
            with os.fdopen(handle, "wb") as file:
                digest, size = _copied(pieces, file, limit)
                file.flush()
                os.fsync(file.fileno())
                target = self.path(digest)
                target.parent.mkdir(exist_ok=True)
                if not HOLDS:
                    file.close()
                os.replace(name, target)
            _make_durable(target.parent)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        return Blob(digest, size)

    def put_file(self, path: Path, limit: int) -> Blob:
        """Keep a copy of a regular file. Raises as `put`."""
        with open_regular(str(path)) as file:
            return self.put(iter(lambda: file.read(PIECE), b""), limit)

    def sizes(self) -> Iterator[int]:
        """The size of each file, what is being written included."""
        if self.remote is not None:
            for _, size, _ in self.remote.files():
                yield size
            return
        for _, size, _ in self._files():
            yield size

    def sweep(self, keep: Collection[str], seconds: float) -> int:
        """Remove what is not to be kept and older than so many seconds, and what was left half
        written; how many files went."""
        gone, limit = 0, time.time() - seconds
        for path, _, stamp in self._files():
            if stamp < limit and path.parent.name + path.name not in keep:
                path.unlink(missing_ok=True)
                gone += 1
        if self.remote is not None:
            for sha256, _, stamp in list(self.remote.files()):
                if stamp < limit and sha256 not in keep:
                    self.remote.remove(sha256)
        return gone

    def _files(self) -> Iterator[tuple[Path, int, float]]:
        for folder, _, names in os.walk(self.folder):
            for name in names:
                path = Path(folder, name)
                try:
                    stat = path.stat(follow_symlinks=False)
                except FileNotFoundError:  # swept, or named, meanwhile
                    continue
                yield path, stat.st_size, stat.st_mtime


def _copied(pieces: Iterable[bytes], file: BinaryIO, limit: int) -> tuple[str, int]:
    """The hash and the number of bytes that were written."""
    digest, size = hashlib.sha256(), 0
    for piece in pieces:
        size += len(piece)
        if size > limit:
            raise TooLargeError(f"more than {limit} bytes")
        digest.update(piece)
        file.write(piece)
    return digest.hexdigest(), size


def _make_durable(folder: Path) -> None:
    """Let a file's new name outlive a loss of power, where a folder can be asked for that."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
