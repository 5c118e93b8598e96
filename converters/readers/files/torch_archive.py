"""PyTorch's archives: members by their names below the one top folder.

Tensors are stored and are views of the map; the few members that are deflated (TorchScript's code)
are inflated within a bound. Names that climb out of the archive or come twice are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, NoReturn

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.readers.files.budgets import ARCHIVE, JSON
from upconv.converters.readers.files.json_plain import JsonError, load_json
from upconv.converters.readers.files.wire import map_file
from upconv.converters.readers.files.zip_archive import STORED, Member, Zip


class Archive:
    """A ZIP archive's members by their names below its one top folder.

    `path` is what messages name. Raises UnreadableError, here and wherever a member is taken.
    """

    def __init__(self, view: memoryview, path: str) -> None:
        self.view = view
        self.path = path
        self._zip = Zip(view, path)
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
        if entry.method != STORED:
            self.fail(f"the member '{name}' is compressed where it should be stored")
        if entry.stored_size != entry.size:
            self.fail(f"the member '{name}' has two sizes")
        return self._zip.span(entry)

    def stored(self, name: str) -> memoryview:
        """The bytes of a stored member, not copied."""
        begin, end = self.span(name)
        return self.view[begin:end]

    def read(self, name: str, limit: int = ARCHIVE.bytes) -> bytes:
        """A copy of a member's bytes, inflated where it is deflated, at most `limit` of them."""
        return self._zip.read(self._entry(name), limit)

    def json(self, name: str) -> Any:
        """A member as JSON."""
        try:
            return load_json(self.read(name, JSON.bytes))
        except JsonError as error:
            self.fail(f"the member '{name}' is not JSON: {error}")

    def _entry(self, name: str) -> Member:
        if name not in self._members:
            self.fail(f"the archive has no member '{name:.100}'")
        return self._members[name]

    def _directory(self) -> Mapping[str, Member]:
        entries = self._zip.members.values()
        # What is cut off may end with an archive that was stored inside of it.
        if min((entry.header for entry in entries), default=0):
            self.fail("truncated: the archive does not begin where the file does")
        members: dict[str, Member] = {}
        for entry in entries:
            name = self._inner_name(entry)
            if name in members:
                self.fail(f"the archive has two members '{name:.100}'")
            members[name] = entry
        return members

    def _inner_name(self, entry: Member) -> str:
        """The name below the top folder, whose own name is any."""
        path = PurePosixPath(entry.name)
        odd = path.is_absolute() or ".." in path.parts or "\\" in entry.name
        if odd or "\x00" in entry.name:
            self.fail(f"hostile: the member name {entry.name[:100]!r} leaves the archive")
        return "/".join(path.parts[1:]) or entry.name


def open_archive(path: str) -> Archive:
    """The archive in a file.

    Raises UnreadableError where it cannot be mapped or is no archive.
    """
    return Archive(map_file(path, "PyTorch archive"), path)
