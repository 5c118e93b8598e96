"""Which files git tracks, read from the index itself.

What is tracked belongs to a repository even where .gitignore names it, and only the index says so.
Git is not run: a repository may configure commands of its own, and one that is checked is not
trusted. The index is bounded before it is believed; one that cannot be understood is as none.

Format: git's Documentation/gitformat-index.txt, versions 2 to 4.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Final

from upconv.converters.ir.records import record
from upconv.converters.readers.files.opening import read_regular

MAX_INDEX: Final = 1 << 27
"""Bytes of an index: one of a million files has some 100 MB."""

MAX_NAMES: Final = 1 << 28
"""Bytes of all names together: version 4 writes a name as a change of the one before."""

MAX_NAME: Final = 1 << 12

_STAT: Final = 40
"""Bytes of an entry before its object's digest: times, device, inode, mode, owner, size."""

_EXTENDED: Final = 0x4000
_SHA256: Final = re.compile(rb"(?im)^[ \t]*+objectformat\s*=\s*sha256\s*$")


@record(frozen=True, slots=True)
class Tracked:
    """What a repository's index names: files, and the folders that lead to them."""

    root: Path
    files: frozenset[str] = frozenset()
    folders: frozenset[str] = frozenset()

    def holds(self, path: Path, folder: bool) -> bool:
        """Whether a file, or anything in a folder, is tracked. The path is absolute, its folders
        resolved. A submodule is an entry itself."""
        if not path.is_relative_to(self.root):
            return False
        name = path.relative_to(self.root).as_posix()
        return name in self.files or (folder and name in self.folders)


@lru_cache(maxsize=64)
def tracked(root: Path) -> Tracked:
    """What git tracks in the repository whose root this is; nothing where that cannot be read."""
    try:
        git = _git_folder(root)
        files = frozenset(name for file in _indexes(git) for name in _names(file, _digest(git)))
    except (OSError, ValueError, IndexError):
        return Tracked(root)
    folders = {str(above) for name in files for above in PurePosixPath(name).parents}
    return Tracked(root, files, frozenset(folders))


def _git_folder(root: Path) -> Path:
    """Where the index is: .git, or what a file of that name points at (worktrees, submodules)."""
    git = root / ".git"
    if git.is_dir():
        return git
    words = _bounded(git, MAX_NAME).decode("utf-8", "surrogateescape")
    return root / words.removeprefix("gitdir:").strip()


def _digest(git: Path) -> int:
    """Bytes of an object's digest."""
    config = git / "config"
    return 32 if config.is_file() and _SHA256.search(_bounded(config, 1 << 16)) else 20


def _indexes(git: Path) -> Iterator[bytes]:
    """The index; of a split one, the shared part too (what it replaces or drops is not asked)."""
    yield _bounded(git / "index", MAX_INDEX)
    for shared in sorted(git.glob("sharedindex.*"))[:4]:
        yield _bounded(shared, MAX_INDEX)


def _bounded(file: Path, limit: int) -> bytes:
    """Raises OSError for what is no file or too large."""
    return read_regular(file, limit)


def _names(data: bytes, digest: int) -> Iterator[str]:
    """The name of every entry. Raises ValueError and IndexError where it is no such index."""
    version = int.from_bytes(data[4:8])
    count = int.from_bytes(data[8:12])
    if data[:4] != b"DIRC" or version not in (2, 3, 4):
        raise ValueError(version)
    at, name, total = 12, b"", 0
    for _ in range(min(count, len(data) // (_STAT + digest))):
        start = at
        at += _STAT + digest + 2
        if int.from_bytes(data[at - 2 : at]) & _EXTENDED:
            at += 2
        if version == 4:
            dropped, at = _offset(data, at)
            name = name[: max(len(name) - dropped, 0)]
        else:
            name = b""
        end = data.index(b"\0", at)
        name += data[at:end]
        total += len(name)
        if len(name) > MAX_NAME or total > MAX_NAMES:
            raise ValueError("names too long")
        at = end + 1 if version == 4 else end + 8 - (end - start) % 8
        # A folder of a sparse index ends in a slash.
        yield name.decode("utf-8", "surrogateescape").removesuffix("/")


def _offset(data: bytes, at: int) -> tuple[int, int]:
    """A number as pack files write offsets, and where it ends."""
    byte = data[at]
    number = byte & 0x7F
    for step in range(1, 6):
        if not byte & 0x80:
            return number, at + step
        byte = data[at + step]
        number = (number + 1) << 7 | byte & 0x7F
    raise ValueError("a number too long")
