"""Uploads: the parts of a form into the store, under names that were looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from starlette.datastructures import UploadFile

from upconv.converters.ir.errors import UsageError
from upconv.service.jobs.archives import expand
from upconv.service.jobs.names import require_tree, safe_name
from upconv.service.jobs.spec import Named
from upconv.service.jobs.store import PIECE, Store

ARCHIVE: Final = ".zip"
MOST_FILES: Final = 2000


def keep_files(parts: Sequence[UploadFile], store: Store, limit: int) -> tuple[Named, ...]:
    """The files of a request, kept; those of a ZIP archive in its place.

    Raises UsageError for a name that is refused or is there twice, UnreadableError for a broken
    archive, TooLargeError beyond `limit` bytes, also when they are inflated.
    """
    if not parts:
        raise UsageError("no file was sent", hint="send one or more as 'files'")
    kept: list[Named] = []
    for part in parts:
        left = limit - sum(file.size for file in kept)
        kept += _kept(part, store, left)
    require_tree(file.name for file in kept)
    return tuple(kept)


def _kept(part: UploadFile, store: Store, limit: int) -> Iterator[Named]:
    name = safe_name(part.filename or "")
    part.file.seek(0)
    blob = store.put(iter(lambda: part.file.read(PIECE), b""), limit)
    if name.lower().endswith(ARCHIVE):
        yield from expand(store.path(blob.sha256), store, limit)
    else:
        yield Named(name, blob.sha256, blob.size)
