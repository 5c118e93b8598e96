"""Mutations of files by a seeded generator: bits and pieces, numbers of texts and of binary files,
and, inside of archives, members."""

from __future__ import annotations

import io
import random
import re
import zipfile
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from tests.fuzz.seeds import zipped

NUMBERS: Final = (
    0, 1, 2, 3, 7, 127, 128, 255, 256, 65535, 1 << 16, 10**7, (1 << 31) - 1, 1 << 31, (1 << 32) - 1,
    4 * 10**9, 1 << 48, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, 10**30, 10**400, 10**5000, -1, -2**31,
)  # fmt: skip
WORDS: Final = (
    b"", b"nan", b"-inf", b"1e308", b"null", b"true", b'""', b"[]", b"{}", b"\xff", b"\0", b"\\ud800",
    b"*", b"**", b"!", b"\\", b"[z-a]", b"/", b"..", b"'", b'"', b"#", b"\n", b"(" * 300, b"[" * 300,
    b"{" * 300, b"-" * 300, b"a." * 300,
)  # fmt: skip
LARGEST: Final = 300_000

_DIGITS: Final = re.compile(rb"-?\d+(?:\.\d+)?")
_PIECE: Final = re.compile(rb"[\w.]+|\"[^\"]*\"|\S")


def _bytes(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 1, 2, 8))):
        data[rng.randrange(len(data))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))


def _cut(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data))
    del data[at : at + rng.choice((1, 2, 4, 16, len(data)))]


def _twice(data: bytearray, rng: random.Random) -> None:
    """A piece of the file once more, or very often."""
    at, to = rng.randrange(len(data)), rng.randrange(len(data))
    piece = bytes(data[at : at + rng.choice((1, 8, 64, 512))])
    times = rng.choice((1, 2, 50, 2000))
    data[to:to] = (piece * times)[:LARGEST]


def _integer(data: bytearray, rng: random.Random) -> None:
    """A little-endian number of a binary file."""
    size = rng.choice((1, 2, 4, 8))
    at = rng.randrange(len(data))
    data[at : at + size] = (rng.choice(NUMBERS) & (1 << 8 * size) - 1).to_bytes(size, "little")


def _number(data: bytearray, rng: random.Random) -> None:
    """A number of a text."""
    found = list(_DIGITS.finditer(data))
    if found:
        match = rng.choice(found)
        value = rng.choice(NUMBERS)
        data[match.start() : match.end()] = b"%d" % value if value < 10**4000 else b"9" * 5000


def _word(data: bytearray, rng: random.Random) -> None:
    """A word of a text for another of it, or for one that is odd."""
    found = [match.span() for match in _PIECE.finditer(data, 0, 50_000)]
    if found:
        start, end = rng.choice(found)
        other = rng.choice(found)
        data[start:end] = rng.choice((bytes(data[slice(*other)]), rng.choice(WORDS)))


_WAYS: Final[tuple[Callable[[bytearray, random.Random], None], ...]] = (
    _bytes, _cut, _twice, _integer, _number, _number, _word, _word,
)  # fmt: skip


def mutated(data: bytes, rng: random.Random) -> bytes:
    """The data, changed in one to four ways."""
    if data[:4] == b"PK\x03\x04" and rng.random() < 0.8:
        with suppress(Exception):  # zipfile raises whatever it likes for a broken archive
            return _repacked(data, rng)
    found = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        if found:
            rng.choice(_WAYS)(found, rng)
    return bytes(found[:LARGEST])


def _repacked(data: bytes, rng: random.Random) -> bytes:
    """An archive with one of its members mutated."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
        members = {name: archive.read(name) for name, size in sizes.items() if size <= LARGEST}
    if not members:
        raise zipfile.BadZipFile("no members")
    deciding = [n for n in members if n.endswith((".json", ".py", ".pkl", ".h5"))] or list(members)
    name = rng.choice(deciding)
    members[name] = mutated(members[name], rng)
    return zipped(members)
