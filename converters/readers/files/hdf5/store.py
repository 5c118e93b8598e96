"""The bytes of an HDF5 file: every number, address and piece is checked against the file's end.

The format: "HDF5 File Format Specification Version 3.0" (support.hdfgroup.org); its section numbers
stand beside what reads them. Superblocks 0 to 3 are read (II), at the beginning of the file.
"""

from __future__ import annotations

from typing import Final, NoReturn

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.readers.files.budgets import HDF5, Meter

SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"
_SIZES: Final = (2, 4, 8)


class Store:
    """A file's bytes, the sizes of its addresses and lengths, and what reading it has cost."""

    __slots__ = ("_text_left", "address_size", "length_size", "meter", "path", "root", "view")

    def __init__(self, view: memoryview, path: str) -> None:
        self.view = view
        self.path = path
        self.address_size = self.length_size = 8
        self.meter = Meter(HDF5, self._refuse)
        self._text_left = 2 * HDF5.bytes
        self.root = self._superblock()

    def fail(self, message: str, at: int) -> NoReturn:
        """Raise the one error of a file that is not what it should be."""
        raise UnreadableError(f"a broken HDF5 file: {message} (byte {at})", path=self.path)

    def _refuse(self, message: str) -> NoReturn:
        raise UnreadableError(message, path=self.path)

    def piece(self, at: int, size: int) -> memoryview:
        """The bytes at..at+size, which all lie in the file."""
        if at < 0 or size < 0 or at + size > len(self.view):
            self.fail(f"{size} bytes reach past the end of the file", at)
        return self.view[at : at + size]

    def text_bytes(self, at: int, size: int) -> bytes:
        """Bytes that become a text, counted, since many references may name one large text."""
        self._text_left -= size
        if self._text_left < 0:
            self._refuse(f"an HDF5 file with texts of more than {2 * HDF5.bytes} bytes")
        return bytes(self.piece(at, size))

    def number(self, at: int, size: int) -> int:
        """A little-endian unsigned number."""
        return int.from_bytes(self.piece(at, size), "little")

    def address(self, at: int) -> int | None:
        """An address; None where all its bits are set, which means that there is nothing."""
        value = self.number(at, self.address_size)
        return None if value == (1 << 8 * self.address_size) - 1 else value

    def length(self, at: int) -> int:
        return self.number(at, self.length_size)

    def expect(self, at: int, signature: bytes) -> int:
        """The place behind a signature that has to stand here."""
        found = bytes(self.piece(at, len(signature)))
        if found != signature:
            self.fail(f"{signature.decode()} is expected, not {found!r}", at)
        return at + len(signature)

    def version(self, at: int, *known: int) -> int:
        """The version at a place, one of those that are known."""
        version = self.number(at, 1)
        if version not in known:
            self.fail(
                f"version {version} of a structure, known are {', '.join(map(str, known))}", at
            )
        return version

    def _superblock(self) -> int:
        """The address of the root group's object header."""
        if bytes(self.view[:8]) != SIGNATURE:
            raise UnreadableError("not an HDF5 file, or broken: no signature", path=self.path)
        version = self.version(8, 0, 1, 2, 3)
        self.address_size = self.number(13 if version < 2 else 9, 1)
        self.length_size = self.number(14 if version < 2 else 10, 1)
        if self.address_size not in _SIZES or self.length_size not in _SIZES:
            self.fail("addresses of an impossible size", 9)
        base_at = {0: 24, 1: 28}.get(version, 12)
        # Old: base, free space, end of file, driver, then the root's entry: its name, its header.
        root_at = base_at + (5 if version < 2 else 3) * self.address_size
        root = self.address(root_at)
        if self.address(base_at) != 0 or root is None:
            self.fail("it begins elsewhere, or has no root group", base_at)
        return root
