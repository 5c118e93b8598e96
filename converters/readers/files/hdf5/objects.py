"""Objects: a group's links and attributes, a dataset's shape, type and place, read once each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from upconv.converters.ir.records import record
from upconv.converters.readers.files.hdf5.btree2 import records
from upconv.converters.readers.files.hdf5.headers import Kind, Message, messages
from upconv.converters.readers.files.hdf5.heaps import FractalHeap, LocalHeap, local_heap
from upconv.converters.readers.files.hdf5.store import Store
from upconv.converters.readers.files.hdf5.types import Datatype, dataspace, datatype

_HARD, _SOFT, _EXTERNAL = 0, 1, 64
_WORDS: Final = {_SOFT: "SoftLink", _EXTERNAL: "ExternalLink"}
_SOFT_ENTRY: Final = 2
_NAME_INDEX, _ATTRIBUTE_INDEX = 5, 8
_MOST_LEVELS: Final = 32


@record(frozen=True, slots=True)
class Link:
    """Where a name leads: to an object's address, else the `kind` of link that says otherwise."""

    address: int | None
    kind: str = ""


@record(frozen=True, slots=True)
class Attribute:
    """An attribute's type, shape (None: no value) and where its bytes are."""

    datatype: Datatype
    shape: tuple[int, ...] | None
    at: int
    size: int


class Object:
    """What the object header at an address says. Raises UnreadableError where it is broken."""

    def __init__(self, store: Store, at: int) -> None:
        self._store = store
        self.messages: dict[int, list[Message]] = {}
        for message in messages(store, at):
            self.messages.setdefault(message.kind, []).append(message)
        self._links: Mapping[str, Link] | None = None
        self._attributes: Mapping[str, Attribute] | None = None

    def one(self, kind: Kind) -> Message | None:
        """The message of a kind; None where there is none."""
        found = self.messages.get(kind)
        return found[0] if found else None

    @property
    def is_dataset(self) -> bool:
        return Kind.LAYOUT in self.messages

    @property
    def is_group(self) -> bool:
        kinds = (Kind.SYMBOL_TABLE, Kind.LINK_INFO, Kind.LINK)
        return any(kind in self.messages for kind in kinds)

    @property
    def links(self) -> Mapping[str, Link]:
        if self._links is None:
            self._links = dict(_links(self._store, self))
        return self._links

    @property
    def attributes(self) -> Mapping[str, Attribute]:
        if self._attributes is None:
            self._attributes = dict(_attributes(self._store, self))
        return self._attributes


def _links(store: Store, group: Object) -> Iterator[tuple[str, Link]]:
    for message in group.messages.get(Kind.LINK, ()):
        yield _link(store, message.at)
    table = group.one(Kind.SYMBOL_TABLE)
    if table is not None:
        yield from _old_links(store, table.at)
    info = group.one(Kind.LINK_INFO)
    if info is not None:
        at = info.at + 2 + 8 * (store.number(info.at + 1, 1) & 1)
        # A record is a hash of the name, and the identifier of the link in the heap.
        for identifier in _identifiers(store, at, _NAME_INDEX, 4, 7):
            yield _link(store, identifier)


def _identifiers(store: Store, at: int, kind: int, skipped: int, size: int) -> Iterator[int]:
    """Where the objects are that an index lists, of the heap and the index named at a place."""
    place = store.address(at)
    if place is None:
        return
    heap = FractalHeap(store, place)
    index = store.address(at + store.address_size)
    for one in records(store, index, kind, skipped + size):
        yield heap.object(bytes(store.piece(one + skipped, size)))[0]


def _link(store: Store, at: int) -> tuple[str, Link]:
    """(name, link) of a link message (IV.A.2.g)."""
    store.version(at, 1)
    flags = store.number(at + 1, 1)
    at += 2
    kind = store.number(at, 1) if flags & 8 else _HARD
    at += bool(flags & 8) + 8 * bool(flags & 4) + bool(flags & 16)
    width = 1 << (flags & 3)
    size = store.number(at, width)
    name = store.text_bytes(at + width, size).decode("utf-8", "replace")
    if kind != _HARD:
        return name, Link(None, _WORDS.get(kind, f"link of type {kind}"))
    return name, Link(store.address(at + width + size))


def _old_links(store: Store, at: int) -> Iterator[tuple[str, Link]]:
    """The links of an old group: a tree (III.A.1) whose leaves are tables of symbols (III.B)."""
    tree, heap_at = store.address(at), store.address(at + store.address_size)
    if tree is None or heap_at is None:
        return
    heap = local_heap(store, heap_at)
    for table in leaves(store, tree, 0, store.length_size):
        yield from _symbols(store, table[1], heap)


def leaves(store: Store, root: int, kind: int, key_size: int) -> Iterator[tuple[int, int]]:
    """(where its key is, its address) of everything that a tree of version 1 lists."""
    waiting = [(root, _MOST_LEVELS)]
    while waiting:
        node, level = waiting.pop()
        at = store.expect(node, b"TREE")
        found, here, count = store.number(at, 1), store.number(at + 1, 1), store.number(at + 2, 2)
        if found != kind or here >= level:
            store.fail("an index that leads back into itself, or of another type", node)
        store.meter.spend(1 + count)
        at += 4 + 2 * store.address_size
        children = []
        for _ in range(count):
            child = store.address(at + key_size)
            if child is None:
                store.fail("an index leads nowhere", at)
            children.append((at, child))
            at += key_size + store.address_size
        if here:
            waiting += [(child, here) for _, child in reversed(children)]
        else:
            yield from children


def _symbols(store: Store, at: int, heap: LocalHeap) -> Iterator[tuple[str, Link]]:
    at = store.expect(at, b"SNOD")
    store.version(at, 1)
    count = store.number(at + 2, 2)
    store.meter.spend(count)
    at += 4
    far = store.address_size
    for _ in range(count):
        name, header = heap.text(store.number(at, far)), store.address(at + far)
        soft = store.number(at + 2 * far, 4) == _SOFT_ENTRY
        yield name, Link(None, _WORDS[_SOFT]) if soft else Link(header)
        at += 2 * far + 24


def _attributes(store: Store, owner: Object) -> Iterator[tuple[str, Attribute]]:
    for message in owner.messages.get(Kind.ATTRIBUTE, ()):
        if message.is_shared:
            store.fail("an attribute that is shared, which is not read", message.at)
        yield _attribute(store, message.at)
    info = owner.one(Kind.ATTRIBUTE_INFO)
    if info is not None:
        at = info.at + 2 + 2 * (store.number(info.at + 1, 1) & 1)
        for place in _identifiers(store, at, _ATTRIBUTE_INDEX, 0, 8):
            yield _attribute(store, place)


def _attribute(store: Store, at: int) -> tuple[str, Attribute]:
    """(name, attribute) of an attribute message (IV.A.2.m)."""
    version = store.version(at, 1, 2, 3)
    flags = store.number(at + 1, 1) if version > 1 else 0
    sizes = [store.number(at + place, 2) for place in (2, 4, 6)]
    at += 9 if version == 3 else 8
    if version == 1:
        sizes = [-(-size // 8) * 8 for size in sizes]
    name = store.text_bytes(at, sizes[0]).partition(b"\0")[0].decode("utf-8", "replace")
    if flags & 3:
        store.fail(f"the attribute {name:.100} has a type that is shared, which is not read", at)
    type_at = at + sizes[0]
    space_at = type_at + sizes[1]
    return name, Attribute(
        datatype(store, type_at), dataspace(store, space_at), space_at + sizes[2], sum(sizes)
    )
