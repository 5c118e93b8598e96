"""A `.keras` file: a ZIP archive with metadata.json, config.json and model.weights.h5.

Keras stores its members without compression, so the weights are a range of bytes of the archive
itself and are read where they lie. Every size is bounded before anything is unpacked.
"""

from __future__ import annotations

import io
import os
import struct
import tempfile
import zipfile
from dataclasses import dataclass
from typing import IO, Final
from weakref import finalize

from upconv.converters.ir.errors import UnreadableError

MAX_TEXT: Final = 1 << 26
MAX_MEMBERS: Final = 10_000
MAX_RATIO: Final = 200
"""Uncompressed over compressed bytes; trained weights hardly compress at all."""
MAX_UNPACKED: Final = 1 << 36

CONFIG: Final = "config.json"
METADATA: Final = "metadata.json"
WEIGHTS: Final = ("model.weights.h5", "model.weights.npz")
_LOCAL_HEADER: Final = struct.Struct("<4s22xHH")


@dataclass(frozen=True, slots=True, weakref_slot=True)
class ByteRange:
    """A file inside a file: `length` bytes of `path` from `start` on. A temporary file goes with
    the last range of it."""

    path: str
    start: int
    length: int


class KerasArchive:
    """An opened archive. Raises UnreadableError where the file is no archive of Keras."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise UnreadableError(f"not a ZIP archive: {error}", path=path) from None
        members = self._zip.infolist()
        if len(members) > MAX_MEMBERS:
            raise UnreadableError(f"an archive of {len(members)} members", path=path)
        self._members = {member.filename: member for member in members}
        if CONFIG not in self._members:
            raise UnreadableError(f"an archive without {CONFIG}, so not a Keras model", path=path)

    def text(self, name: str) -> str:
        """A JSON member as text, "" where there is none."""
        member = self._members.get(name)
        if member is None:
            return ""
        if member.file_size > MAX_TEXT:
            raise UnreadableError(f"its {name} has {member.file_size} bytes", path=self.path)
        try:
            with self._zip.open(member) as stream:
                return stream.read(MAX_TEXT + 1).decode("utf-8")
        except _BROKEN as error:
            raise UnreadableError(f"its {name} is broken: {error}", path=self.path) from None

    def weights(self) -> ByteRange | None:
        """Where the weights are, None where the archive has none."""
        for name in WEIGHTS:
            if name in self._members:
                if name.endswith(".npz"):
                    raise UnreadableError("weights as .npz are not read", path=self.path)
                return self._range(self._members[name])
        return None

    def _range(self, member: zipfile.ZipInfo) -> ByteRange:
        if member.compress_type == zipfile.ZIP_STORED and not member.flag_bits & 1:
            return ByteRange(self.path, self._data_start(member), member.file_size)
        return self._unpacked(member)

    def _data_start(self, member: zipfile.ZipInfo) -> int:
        """The first byte of a member's data, behind its local header (APPNOTE 4.3.7)."""
        with open(self.path, "rb") as file:
            file.seek(member.header_offset)
            header = file.read(_LOCAL_HEADER.size)
        if len(header) < _LOCAL_HEADER.size or header[:4] != b"PK\x03\x04":
            raise UnreadableError(f"no local header of {member.filename}", path=self.path)
        _, name, extra = _LOCAL_HEADER.unpack(header)
        start: int = member.header_offset + _LOCAL_HEADER.size + name + extra
        if start + member.file_size > os.path.getsize(self.path):
            raise UnreadableError(f"truncated: {member.filename} is cut off", path=self.path)
        return start

    def _unpacked(self, member: zipfile.ZipInfo) -> ByteRange:
        """The member in a temporary file, which stays as long as whoever reads it does."""
        if member.file_size > min(MAX_RATIO * member.compress_size + MAX_TEXT, MAX_UNPACKED):
            raise UnreadableError(
                f"{member.filename} would unpack from {member.compress_size} to "
                f"{member.file_size} bytes",
                path=self.path,
            )
        target = tempfile.NamedTemporaryFile(suffix=".h5", delete=False)  # noqa: SIM115
        place = ByteRange(target.name, 0, member.file_size)
        finalize(place, _remove, target.name)
        try:
            with target, self._zip.open(member) as stream:
                _copy(stream, target, member.file_size)
        except _BROKEN as error:
            raise UnreadableError(f"{member.filename} is broken: {error}", path=self.path) from None
        return place


_BROKEN: Final = (OSError, zipfile.BadZipFile, ValueError, EOFError, RuntimeError)


def _copy(source: IO[bytes], target: IO[bytes], most: int) -> None:
    left = most
    while left and (piece := source.read(min(left, 1 << 22))):
        target.write(piece)
        left -= len(piece)


def _remove(path: str) -> None:
    if os.path.exists(path):
        os.unlink(path)


class RangeFile(io.RawIOBase):
    """A ByteRange as a read-only file of its own, for libraries that want a file."""

    def __init__(self, place: ByteRange) -> None:
        self._place = place
        self._file = open(place.path, "rb", buffering=0)  # noqa: SIM115
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._place.length}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        left = self._place.length - self._at
        if left <= 0:
            return 0
        self._file.seek(self._place.start + self._at)
        count = self._file.readinto(memoryview(buffer)[:left]) or 0
        self._at += count
        return count

    def close(self) -> None:
        self._file.close()
        super().close()
