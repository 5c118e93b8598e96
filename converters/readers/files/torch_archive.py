"""PyTorch's ZIP archives over a memory map: members as views, nothing unpacked to disk.

Members that are stored are views of the map; the few that are deflated (TorchScript's code) are
inflated within a bound. Whatever is odd about an archive is one UnreadableError: a directory that
is cut off, names that climb out of it or come twice, sizes that reach past the file.
"""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Final, NoReturn

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.readers.files.wire import map_file

MAX_MEMBERS: Final = 200_000
MAX_INFLATED: Final = 1 << 26
MAX_JSON: Final = 1 << 28
_LOCAL_HEADER: Final = 30
_LOCAL_MAGIC: Final = b"PK\x03\x04"
_ENCRYPTED: Final = 1


class Archive:
    """A ZIP archive's members by their names below its one top folder.

    `path` is what messages name. Raises UnreadableError, here and wherever a member is taken.
    """

    def __init__(self, view: memoryview, path: str) -> None:
        self.view = view
        self.path = path
        self._members = self._directory()

    @property
    def names(self) -> tuple[str, ...]:
        """The members' names, as the directory lists them."""
        return tuple(self._members)

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def fail(self, message: str, hint: str = "") -> NoReturn:
        """Raise the one error of a file that is not what it should be."""
        raise UnreadableError(message, path=self.path, hint=hint)

    def span(self, name: str) -> tuple[int, int]:
        """(begin, end) of a stored member's bytes in the file."""
        entry = self._entry(name)
        if entry.compress_type != zipfile.ZIP_STORED:
            self.fail(f"the member '{name}' is compressed where it should be stored")
        if entry.compress_size != entry.file_size:
            self.fail(f"the member '{name}' has two sizes")
        return self._payload(name, entry)

    def stored(self, name: str) -> memoryview:
        """The bytes of a stored member, not copied."""
        begin, end = self.span(name)
        return self.view[begin:end]

    def read(self, name: str, limit: int = MAX_INFLATED) -> bytes:
        """A copy of a member's bytes, inflated where it is deflated, at most `limit` of them."""
        entry = self._entry(name)
        if entry.file_size > limit:
            self.fail(f"the member '{name}' has {entry.file_size} bytes, more than {limit}")
        begin, end = self._payload(name, entry)
        if entry.compress_type == zipfile.ZIP_STORED:
            data = bytes(self.view[begin:end])
        elif entry.compress_type == zipfile.ZIP_DEFLATED:
            data = self._inflated(name, begin, end, entry.file_size)
        else:
            self.fail(f"the member '{name}' is compressed in a way PyTorch does not use")
        if len(data) != entry.file_size or zlib.crc32(data) != entry.CRC:
            self.fail(f"the member '{name}' is corrupt: its checksum is another")
        return data

    def json(self, name: str) -> Any:
        """A member as JSON."""
        try:
            return json.loads(self.read(name, MAX_JSON))
        except (ValueError, RecursionError) as error:
            self.fail(f"the member '{name}' is not JSON: {error}")

    def _entry(self, name: str) -> zipfile.ZipInfo:
        if name not in self._members:
            self.fail(f"the archive has no member '{name:.100}'")
        return self._members[name]

    def _payload(self, name: str, entry: zipfile.ZipInfo) -> tuple[int, int]:
        """The local header repeats the name and has fields of its own before the bytes."""
        at = entry.header_offset
        header = bytes(self.view[at : at + _LOCAL_HEADER])
        if len(header) < _LOCAL_HEADER or not header.startswith(_LOCAL_MAGIC):
            self.fail(f"the member '{name}' is not where the directory says")
        name_length, extra_length = struct.unpack_from("<HH", header, 26)
        begin = at + _LOCAL_HEADER + name_length + extra_length
        end = begin + entry.compress_size
        if end > len(self.view):
            self.fail(f"truncated: the member '{name}' reaches past the end of the file")
        return begin, end

    def _inflated(self, name: str, begin: int, end: int, size: int) -> bytes:
        stream = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            return stream.decompress(self.view[begin:end], size + 1)
        except zlib.error as error:
            self.fail(f"the member '{name}' is corrupt: {error}")

    def _directory(self) -> Mapping[str, zipfile.ZipInfo]:
        try:
            entries = zipfile.ZipFile(_Reader(self.view)).infolist()
        except (zipfile.BadZipFile, struct.error, ValueError, NotImplementedError) as error:
            self.fail(f"not a readable ZIP archive: {error}", hint="is the file complete?")
        if len(entries) > MAX_MEMBERS:
            self.fail(f"an archive of {len(entries)} members is no model")
        # What is cut off may end with an archive that was stored inside of it.
        if min((entry.header_offset for entry in entries), default=0):
            self.fail("truncated: the archive does not begin where the file does")
        members: dict[str, zipfile.ZipInfo] = {}
        for entry in entries:
            name = self._inner_name(entry)
            if name in members:
                self.fail(f"the archive has two members '{name}'")
            members[name] = entry
        return members

    def _inner_name(self, entry: zipfile.ZipInfo) -> str:
        """The name below the top folder, whose own name is any."""
        path = PurePosixPath(entry.orig_filename)
        odd = path.is_absolute() or ".." in path.parts or "\\" in entry.orig_filename
        if odd or "\x00" in entry.orig_filename:
            self.fail(f"hostile: the member name {entry.orig_filename!r} leaves the archive")
        if entry.flag_bits & _ENCRYPTED:
            self.fail(f"the member '{entry.orig_filename}' is encrypted")
        return "/".join(path.parts[1:]) or entry.orig_filename


class _Reader:
    """The little of a file that `zipfile` asks for, over a view."""

    def __init__(self, view: memoryview) -> None:
        self._view = view
        self._at = 0

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        base = (0, self._at, len(self._view))[whence]
        self._at = max(base + offset, 0) if whence else offset
        if self._at < 0 or base + offset < 0:
            raise ValueError("a place before the file's begin")
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes:
        end = len(self._view) if size < 0 else self._at + size
        data = bytes(self._view[self._at : end])
        self._at += len(data)
        return data


def open_archive(path: str) -> Archive:
    """The archive in a file.

    Raises UnreadableError where it cannot be mapped or is no archive.
    """
    return Archive(map_file(path, "PyTorch archive"), path)
