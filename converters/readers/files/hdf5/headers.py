"""Object headers: the messages that say what a group or a dataset is (IV.A)."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import Final

from upconv.converters.ir.records import record
from upconv.converters.readers.files.hdf5.store import Store

_SHARED: Final = 0x02
_TIMES, _LIMITS, _ORDERED = 0x20, 0x10, 0x04


class Kind(IntEnum):
    """The messages that are read; others say nothing about values."""

    DATASPACE = 0x01
    LINK_INFO = 0x02
    DATATYPE = 0x03
    LINK = 0x06
    EXTERNAL = 0x07
    LAYOUT = 0x08
    FILTERS = 0x0B
    ATTRIBUTE = 0x0C
    CONTINUATION = 0x10
    SYMBOL_TABLE = 0x11
    ATTRIBUTE_INFO = 0x15


@record(frozen=True, slots=True)
class Message:
    """One message: its kind's number, its flags, and where its bytes are."""

    kind: int
    flags: int
    at: int
    size: int

    @property
    def is_shared(self) -> bool:
        """Whether the bytes only say where the message is."""
        return bool(self.flags & _SHARED)


def messages(store: Store, at: int) -> Iterator[Message]:
    """The messages of the object header at an address, its continuations among them."""
    is_new = bytes(store.piece(at, 4)) == b"OHDR"
    walk = _new(store, at) if is_new else _old(store, at)
    for message in walk:
        store.meter.spend()
        yield message


def _old(store: Store, at: int) -> Iterator[Message]:
    """Version 1 (IV.A.1.a): a count of messages, in blocks that each name the next."""
    store.version(at, 1)
    left = store.number(at + 2, 2)
    blocks = [(at + 16, store.number(at + 8, 4))]
    while blocks:
        begin, size = blocks.pop(0)
        store.piece(begin, size)
        end = begin + size
        while begin + 8 <= end and left:
            left -= 1
            kind, size, flags = (store.number(begin + at, n) for at, n in ((0, 2), (2, 2), (4, 1)))
            one = Message(kind, flags, begin + 8, size)
            begin = _end_of(store, one, end)
            yield from _followed(store, one, blocks)


def _new(store: Store, at: int) -> Iterator[Message]:
    """Version 2 (IV.A.1.b): blocks with signatures, and a checksum behind each."""
    store.version(at + 4, 2)
    flags = store.number(at + 5, 1)
    begin = at + 6 + 16 * bool(flags & _TIMES) + 4 * bool(flags & _LIMITS)
    width = 1 << (flags & 3)
    blocks = [(begin + width, store.number(begin, width))]
    head = 4 + 2 * bool(flags & _ORDERED)
    first = True
    while blocks:
        begin, size = blocks.pop(0)
        store.piece(begin, size)
        end = begin + size
        if not first:
            begin, end = store.expect(begin, b"OCHK"), end - 4
        first = False
        while begin + head <= end:
            kind, size, flags = (store.number(begin + at, n) for at, n in ((0, 1), (1, 2), (3, 1)))
            one = Message(kind, flags, begin + head, size)
            begin = _end_of(store, one, end)
            yield from _followed(store, one, blocks)


def _end_of(store: Store, message: Message, end: int) -> int:
    if message.at + message.size > end:
        store.fail("a message reaches past its header", message.at)
    return message.at + message.size


def _followed(store: Store, one: Message, blocks: list[tuple[int, int]]) -> Iterator[Message]:
    """The message, or the block that it continues in."""
    if one.kind != Kind.CONTINUATION:
        yield one
        return
    store.meter.spend()
    place = store.address(one.at)
    if place is None:
        store.fail("a header continues nowhere", one.at)
    blocks.append((place, store.length(one.at + store.address_size)))
