"""A store elsewhere: what is kept in the folder is kept there too, and fetched from there where the
folder has it not, as after a move to another machine. Anything that fsspec has a name for will do:
s3://bucket/prefix of Amazon or of another service, gs://, file:///mnt/shared ...
(https://filesystem-spec.readthedocs.io/).

A file there is named by its SHA-256, and what is fetched is held against it, so that half a file
counts as none.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from upconv.converters.ir.errors import UsageError

PIECE: Final = 1 << 20


class Remote:
    """The place that a URL names."""

    def __init__(self, url: str) -> None:
        """Raises UsageError for a URL that nothing here understands."""
        try:
            from fsspec.core import url_to_fs
        except ImportError:
            raise UsageError(
                "--artefacts needs fsspec", hint="pip install 'upconv[object-store]'"
            ) from None
        folders = {"auto_mkdir": True} if url.startswith("file:") else {}
        try:
            self._files, self._root = url_to_fs(url, use_listings_cache=False, **folders)
        except (ImportError, ValueError) as error:
            raise UsageError(f"--artefacts {url}: {error}") from None

    def put(self, file: Path, sha256: str) -> None:
        """Keep a file, unless it is there. Raises OSError."""
        target = self._name(sha256)
        try:
            if self._files.info(target)["size"] == file.stat().st_size:
                return
        except FileNotFoundError:
            pass
        self._files.put_file(str(file), target)

    def pieces(self, sha256: str) -> Iterator[bytes]:
        """The bytes of a file. Raises FileNotFoundError, and OSError."""
        with self._files.open(self._name(sha256), "rb") as file:
            while piece := file.read(PIECE):
                yield piece

    def remove(self, sha256: str) -> None:
        """Remove a file, if it is there."""
        name = self._name(sha256)
        if self._files.exists(name):
            self._files.rm_file(name)

    def files(self) -> Iterator[tuple[str, int, float]]:
        """SHA-256, size and time (seconds since 1970) of each file."""
        found: dict[str, Any] = self._files.find(self._root, detail=True)
        for name, about in found.items():
            sha256 = "".join(name.rsplit("/", 2)[-2:])
            changed = about.get("LastModified", about.get("mtime", about.get("created", 0)))
            seconds = changed.timestamp() if hasattr(changed, "timestamp") else float(changed)
            yield sha256, about["size"], seconds

    def _name(self, sha256: str) -> str:
        return posixpath.join(self._root, sha256[:2], sha256[2:])
