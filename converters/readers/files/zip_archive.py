"""ZIP archives over a memory map: a directory of bounded length, members as views, inflated within
a bound.

The layout is PKWARE's APPNOTE.TXT 6.3.10 with its 64-bit extensions (4.3.14, 4.5.3). The formats
read here store their members or deflate them; archives that are encrypted, cut in volumes or
compressed in any other way are refused by name. What is odd is one UnreadableError.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Final, NoReturn

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.ir.records import record
from upconv.converters.readers.files.budgets import ARCHIVE, Meter

STORED: Final = 0
DEFLATED: Final = 8
_METHODS: Final = {9: "deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "xz"}

_END: Final = struct.Struct("<4s4HLLH")
_END64: Final = struct.Struct("<4sQ2H2L4Q")
_LOCATOR: Final = struct.Struct("<4sLQL")
_ENTRY: Final = struct.Struct("<4s6H3L5H2L")
_LOCAL: Final = struct.Struct("<4s22xHH")
_LONGEST_COMMENT: Final = 0xFFFF
_ABSENT: Final = 0xFFFFFFFF
_ENCRYPTED, _UTF8 = 1, 1 << 11
_PIECE: Final = 1 << 22


@record(frozen=True, slots=True)
class Member:
    """An entry of the directory: where its local header is, and what it says of the bytes."""

    name: str
    method: int
    flags: int
    crc: int
    stored_size: int
    size: int
    header: int


class Zip:
    """An archive's members by their names. Raises UnreadableError, here and where one is taken."""

    def __init__(self, view: memoryview, path: str) -> None:
        self.view = view
        self.path = path
        self._meter = Meter(ARCHIVE, self.fail)
        found: dict[str, Member] = {}
        for member in self._directory():
            if member.name in found:
                self.fail(f"the archive has two members '{member.name:.100}'")
            found[member.name] = member
        self.members: Mapping[str, Member] = found

    def fail(self, message: str, hint: str = "") -> NoReturn:
        """Raise the one error of a file that is not what it should be."""
        raise UnreadableError(message, path=self.path, hint=hint)

    def span(self, member: Member) -> tuple[int, int]:
        """(begin, end) of a member's bytes in the file, as they are stored there: the local header
        repeats the name and has fields of its own before them."""
        header = bytes(self.view[member.header : member.header + _LOCAL.size])
        if len(header) < _LOCAL.size or not header.startswith(b"PK\x03\x04"):
            self.fail(f"the member '{member.name:.100}' is not where the directory says")
        _, name, extra = _LOCAL.unpack(header)
        begin = member.header + _LOCAL.size + name + extra
        end = begin + member.stored_size
        if end > len(self.view):
            reason = f"the member '{member.name:.100}' reaches past the end of the file"
            self.fail(f"truncated: {reason}")
        return begin, end

    def read(self, member: Member, limit: int = ARCHIVE.bytes) -> bytes:
        """A copy of a member's bytes, inflated where it is deflated, at most `limit` of them."""
        if member.size > limit:
            self.fail(f"the member '{member.name:.100}' has {member.size} bytes, more than {limit}")
        data = b"".join(self.pieces(member))
        if zlib.crc32(data) != member.crc:
            self.fail(f"the member '{member.name:.100}' is corrupt: its checksum is another")
        return data

    def pieces(self, member: Member) -> Iterator[bytes]:
        """A member's bytes in order; there are as many of them as the directory says."""
        begin, end = self.span(member)
        left = member.size
        for piece in self._inflated(member, begin, end):
            left -= len(piece)
            if left < 0:
                break
            yield piece
        if left:
            self.fail(f"the member '{member.name:.100}' is corrupt: its size is another")

    def _inflated(self, member: Member, begin: int, end: int) -> Iterator[bytes]:
        if member.flags & _ENCRYPTED:
            self.fail(f"the member '{member.name:.100}' is encrypted")
        if member.method == STORED:
            yield bytes(self.view[begin:end])
        elif member.method == DEFLATED:
            yield from self._deflated(member, self.view[begin:end])
        else:
            how = _METHODS.get(member.method, f"method {member.method}")
            self.fail(
                f"the member '{member.name:.100}' is compressed with {how}, which is not read",
                hint="pack it again, stored or deflated",
            )

    def _deflated(self, member: Member, data: memoryview) -> Iterator[bytes]:
        stream = zlib.decompressobj(-zlib.MAX_WBITS)
        rest: bytes | memoryview = data
        try:
            while piece := stream.decompress(rest, _PIECE):
                yield piece
                rest = stream.unconsumed_tail
        except zlib.error as error:
            self.fail(f"the member '{member.name:.100}' is corrupt: {error}")

    def _directory(self) -> Iterator[Member]:
        at, size = self._place_of_directory()
        end = at + size
        if end > len(self.view):
            self._not_readable("its directory reaches past the end")
        while at < end:
            self._meter.spend()
            if at + _ENTRY.size > end:
                self._not_readable("an entry of its directory is cut off")
            fields = _ENTRY.unpack_from(self.view, at)
            if fields[0] != b"PK\x01\x02":
                self._not_readable("its directory is broken")
            name, extra, comment = fields[10:13]
            at += _ENTRY.size
            if at + name + extra + comment > end:
                self._not_readable("an entry of its directory is cut off")
            yield self._member(fields, at, name, extra)
            at += name + extra + comment

    def _member(self, fields: tuple[int, ...], at: int, name: int, extra: int) -> Member:
        flags, method, crc, stored, size, header = (*fields[3:5], *fields[7:10], fields[16])
        try:
            text = str(self.view[at : at + name], "utf-8" if flags & _UTF8 else "cp437")
        except UnicodeDecodeError:
            self._not_readable("a name in it is no text")
        wide = self._wide(bytes(self.view[at + name : at + name + extra]))
        size, stored, header = (
            next(wide, one) if one == _ABSENT else one for one in (size, stored, header)
        )
        return Member(text, method, flags, crc, stored, size, header)

    def _wide(self, extra: bytes) -> Iterator[int]:
        """The 64-bit numbers that stand for those of 32 bits that are all ones, in their order."""
        at = 0
        while at + 4 <= len(extra):
            kind, length = struct.unpack_from("<HH", extra, at)
            if kind == 1:
                whole = extra[at + 4 : at + 4 + length]
                count = len(whole) // 8
                yield from struct.unpack_from(f"<{count}Q", whole)
            at += 4 + length

    def _place_of_directory(self) -> tuple[int, int]:
        """(offset, size) of the directory, which the end of the file leads to."""
        view = self.view
        first = max(len(view) - _END.size - _LONGEST_COMMENT, 0)
        tail = bytes(view[first:])
        at = tail.rfind(b"PK\x05\x06")
        if at < 0 or at + _END.size > len(tail):
            self._not_readable("it has no directory")
        _, disk, start_disk, _, _, size, offset, _ = _END.unpack_from(tail, at)
        locator = first + at - _LOCATOR.size
        if locator >= 0 and bytes(view[locator : locator + 4]) == b"PK\x06\x07":
            return self._wide_place(_LOCATOR.unpack_from(view, locator)[2])
        if disk or start_disk:
            self._not_readable("it is cut in volumes")
        return offset, size

    def _wide_place(self, at: int) -> tuple[int, int]:
        if at + _END64.size > len(self.view) or bytes(self.view[at : at + 4]) != b"PK\x06\x06":
            self._not_readable("the end of its directory is not where it should be")
        fields = _END64.unpack_from(self.view, at)
        return fields[9], fields[8]

    def _not_readable(self, reason: str) -> NoReturn:
        self.fail(f"not a readable ZIP archive: {reason}", hint="is the file complete?")
