"""Where the values of a dataset are (IV.A.2.i): in its header, in one piece, or in chunks that
are listed in an index (III.A.1, VII) and may have gone through filters (IV.A.2.l)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod
from typing import Final

from upconv.converters.ir.records import record
from upconv.converters.readers.files.hdf5.headers import Message
from upconv.converters.readers.files.hdf5.objects import leaves
from upconv.converters.readers.files.hdf5.store import Store

DEFLATE, SHUFFLE = 1, 2
_FILTERS: Final = {3: "fletcher32", 4: "szip", 5: "nbit", 6: "scale-offset", 32000: "LZF"}
_COMPACT, _CONTIGUOUS, _CHUNKED, _VIRTUAL = 0, 1, 2, 3
_INDICES: Final = {4: "an extensible array", 5: "a B-tree of version 2"}


@record(frozen=True, slots=True)
class Chunk:
    """One chunk: its place among the values, and its bytes as they went through the filters but
    those that `skipped` leaves out."""

    corner: tuple[int, ...]
    at: int
    size: int
    skipped: int = 0


@record(frozen=True, slots=True)
class Layout:
    """Values in one piece of the file (`at`, `size`), or in chunks of a `chunk_shape`; `problem`
    says why they cannot be read. `at` is None where nothing was stored."""

    at: int | None = None
    size: int = 0
    chunk_shape: tuple[int, ...] = ()
    index: int = 0
    index_at: int | None = None
    details: tuple[int, ...] = ()
    problem: str = ""


def layout(store: Store, message: Message) -> Layout:
    """The layout that a message says. Raises UnreadableError where it cannot be understood."""
    at = message.at
    version = store.version(at, 1, 2, 3, 4)
    if version < 3:
        return _old_layout(store, at)
    kind = store.number(at + 1, 1)
    if kind == _COMPACT:
        return Layout(at + 4, store.number(at + 2, 2))
    if kind == _CONTIGUOUS:
        return Layout(store.address(at + 2), store.length(at + 2 + store.address_size))
    if kind == _VIRTUAL:
        return Layout(problem="its values lie in another file, which is never opened")
    if kind != _CHUNKED:
        store.fail(f"values laid out in the way {kind}", at)
    if version == 3:
        axes = store.number(at + 2, 1) - 1
        first = at + 3 + store.address_size
        shape = tuple(store.number(first + 4 * axis, 4) for axis in range(axes))
        return Layout(chunk_shape=_chunk(store, shape, at), index_at=store.address(at + 3))
    return _new_chunks(store, at)


def _chunk(store: Store, shape: tuple[int, ...], at: int) -> tuple[int, ...]:
    if not shape or not all(shape):
        store.fail("chunks of no size", at)
    return shape


def _old_layout(store: Store, at: int) -> Layout:
    axes, kind = store.number(at + 1, 1), store.number(at + 2, 1)
    first = at + 8 + (0 if kind == _COMPACT else store.address_size)
    sizes = tuple(store.number(first + 4 * axis, 4) for axis in range(axes))
    if kind == _COMPACT:
        return Layout(first + 4 * axes + 4, store.number(first + 4 * axes, 4))
    place = store.address(at + 8)
    if kind == _CONTIGUOUS:
        return Layout(place, -1)
    return Layout(chunk_shape=_chunk(store, sizes[:-1], at), index_at=place)


def _new_chunks(store: Store, at: int) -> Layout:
    flags, axes, width = (store.number(at + place, 1) for place in (2, 3, 4))
    if not 0 < width <= 8 or not axes:
        store.fail("chunks of no size", at)
    shape = tuple(store.number(at + 5 + width * axis, width) for axis in range(axes - 1))
    at += 5 + width * axes
    index = store.number(at, 1)
    details: tuple[int, ...] = ()
    at += 1
    if index == 1 and flags & 2:
        details = (store.length(at), store.number(at + store.length_size, 4))
        at += store.length_size + 4
    elif index == 3:
        details = (store.number(at, 1),)
        at += 1
    elif index not in (1, 2):
        words = _INDICES.get(index, f"an index of type {index}")
        return Layout(problem=f"its chunks are listed in {words}, which is not read")
    shape = _chunk(store, shape, at)
    return Layout(chunk_shape=shape, index=index, index_at=store.address(at), details=details)


def filters(store: Store, message: Message | None) -> tuple[tuple[int, ...], str]:
    """(the filters, in the order of writing; why they cannot be undone, "" where they can)."""
    if message is None:
        return (), ""
    at = message.at
    version, count = store.version(at, 1, 2), store.number(at + 1, 1)
    at += 8 if version == 1 else 2
    found = []
    for _ in range(count):
        number = store.number(at, 2)
        named = version == 1 or number >= 256
        name = store.number(at + 2, 2) if named else 0
        at += 4 if named else 2
        values = store.number(at + 2, 2)
        at += 4 + (-(-name // 8) * 8 if version == 1 else name) + 4 * values
        at += 4 * (values % 2) if version == 1 else 0
        found.append(number)
    odd = [number for number in found if number not in (DEFLATE, SHUFFLE)]
    if odd:
        words = _FILTERS.get(odd[0], f"the filter {odd[0]}")
        return (), f"its values went through {words}, which is not read"
    return tuple(found), ""


def chunks(
    store: Store, found: Layout, shape: tuple[int, ...], item: int, filtered: bool
) -> Iterator[Chunk]:
    """Every chunk of a dataset of that shape, `item` bytes a value."""
    if found.index_at is None:
        return
    size = prod(found.chunk_shape) * item
    if found.index == 0:
        yield from _from_tree(store, found.index_at, len(shape))
    elif found.index == 1:
        stored, skipped = found.details or (size, 0)
        yield Chunk((0,) * len(shape), found.index_at, stored, skipped)
    else:
        corners = _corners(store, shape, found.chunk_shape)
        if found.index == 2:
            places = (found.index_at + number * size for number in range(1 << 62))
            yield from (Chunk(c, at, size) for c, at in zip(corners, places, strict=False))
        else:
            yield from _from_array(store, found, corners, size, filtered)


def _corners(
    store: Store, shape: tuple[int, ...], chunk: tuple[int, ...]
) -> Iterator[tuple[int, ...]]:
    places = [range(0, size, step) for size, step in zip(shape, chunk, strict=True)]
    store.meter.spend(prod(map(len, places)))
    return product(*places)


def _from_tree(store: Store, root: int, axes: int) -> Iterator[Chunk]:
    """Chunks listed in a tree of version 1: a key is size, filters left out, place, and a zero."""
    for key, at in leaves(store, root, 1, 8 + 8 * (axes + 1)):
        corner = tuple(store.number(key + 8 + 8 * axis, 8) for axis in range(axes))
        yield Chunk(corner, at, store.number(key, 4), store.number(key + 4, 4))


def _from_array(
    store: Store, found: Layout, corners: Iterator[tuple[int, ...]], size: int, filtered: bool
) -> Iterator[Chunk]:
    """Chunks listed in a fixed array (VII.C), in order; large ones have pages of elements."""
    assert found.index_at is not None
    at = store.expect(found.index_at, b"FAHD")
    store.version(at, 0)
    width, bits = store.number(at + 2, 1), store.number(at + 3, 1)
    count, block = store.length(at + 4), store.address(at + 4 + store.length_size)
    least = store.address_size + (5 if filtered else 0)
    if block is None or bits > 31 or width < least or width > least + 8:
        store.fail("an array of chunks that is broken", at)
    at = store.expect(block, b"FADB") + 2 + store.address_size
    page = 1 << bits
    pages = -(-count // page) if count > page else 0
    at += -(-pages // 8) + (4 if pages else 0)  # which pages there are, and a checksum
    for number, corner in zip(range(count), corners, strict=False):
        place = at + number * width + (4 * (number // page) if pages else 0)
        begin = store.address(place)
        if begin is not None:
            inner = place + store.address_size
            wide = width - least + 1
            stored = store.number(inner, wide) if filtered else size
            skipped = store.number(inner + wide, 4) if filtered else 0
            yield Chunk(corner, begin, stored, skipped)
