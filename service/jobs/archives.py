"""Uploaded ZIP archives: their members into the store, within bounds that are known beforehand."""

from __future__ import annotations

import mmap
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from upconv.converters.ir.errors import UsageError
from upconv.converters.readers.files.opening import open_regular
from upconv.converters.readers.files.zip_archive import Member, Zip
from upconv.service.jobs.names import require_tree, safe_name
from upconv.service.jobs.spec import Named
from upconv.service.jobs.store import Store, TooLargeError

MOST_MEMBERS: Final = 2000


def expand(archive: Path, store: Store, limit: int) -> tuple[Named, ...]:
    """The members of an archive, kept in the store. An archive inside of it is a file like others.

    Raises UnreadableError for a broken archive and a broken member, UsageError for a name or a
    number of members that is refused, and TooLargeError where they are more than `limit` bytes.
    """
    with open_regular(str(archive)) as file:
        try:
            view = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:
            raise UsageError("the archive is empty") from None
    # No `with`: where a member is broken, the error's frames still look into the map.
    return tuple(_kept(Zip(memoryview(view), "the archive"), store, limit))


def _kept(read: Zip, store: Store, limit: int) -> Iterator[Named]:
    members = [member for name, member in read.members.items() if not name.endswith("/")]
    if not members:
        raise UsageError("the archive is empty")
    if len(members) > MOST_MEMBERS:
        raise UsageError(f"the archive has {len(members)} members, more than {MOST_MEMBERS}")
    require_tree(safe_name(member.name) for member in members)
    if sum(member.size for member in members) > limit:
        raise TooLargeError(f"the archive's members have more than {limit} bytes")
    for member in members:
        blob = store.put(_checked(read, member), member.size)
        yield Named(member.name, blob.sha256, blob.size)


def _checked(read: Zip, member: Member) -> Iterator[bytes]:
    crc = 0
    for piece in read.pieces(member):
        crc = zlib.crc32(piece, crc)
        yield piece
    if crc != member.crc:
        read.fail(f"the member '{member.name:.100}' is corrupt: its checksum is another")
