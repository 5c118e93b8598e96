"""B-trees of version 2 (III.A.2): the records of large new groups and of some chunked datasets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from upconv.converters.readers.files.hdf5.store import Store

_AROUND: Final = 10
"""Signature, version, type and checksum of a node."""
_MOST_DEPTH: Final = 16


def records(store: Store, at: int | None, kind: int, least: int) -> Iterator[int]:
    """Where each record of a tree of type `kind` begins; a record has at least `least` bytes."""
    if at is None:
        return
    at = store.expect(at, b"BTHD")
    store.version(at, 0)
    found, size = store.number(at + 1, 1), store.number(at + 6, 2)
    node, depth = store.number(at + 2, 4), store.number(at + 8, 2)
    root = store.address(at + 12)
    count = store.number(at + 12 + store.address_size, 2)
    if found != kind or size < least or depth > _MOST_DEPTH or node < _AROUND + size:
        store.fail(f"an index of type {found}, depth {depth}, with records of {size} bytes", at)
    if root is not None:
        yield from _walk(store, root, count, size, _pointers(node, size, depth, store.address_size))


def _pointers(node: int, size: int, depth: int, address: int) -> list[tuple[int, int]]:
    """Level -> the bytes of a child's count of records, and of the count below it."""
    most = (node - _AROUND) // size
    width = _bytes_for(most)
    below, total = 0, most
    found = [(width, 0)]
    for _ in range(depth):
        found.append((width, below))
        pointer = address + width + below
        here = max((node - _AROUND - pointer) // (size + pointer), 0)
        total = (here + 1) * total + here
        below = _bytes_for(total)
    return found


def _bytes_for(most: int) -> int:
    return max(most.bit_length() - 1, 0) // 8 + 1


def _walk(
    store: Store, root: int, count: int, size: int, widths: list[tuple[int, int]]
) -> Iterator[int]:
    """Node by node, from a list instead of a recursion; each node costs a step, so that trees that
    lead back into themselves end."""
    waiting = [(root, count, len(widths) - 1)]
    while waiting:
        at, count, level = waiting.pop()
        store.meter.spend(1 + count)
        begin = store.expect(at, b"BTIN" if level else b"BTLF") + 2
        store.piece(begin, count * size)
        yield from range(begin, begin + count * size, size) if count else ()
        if not level:
            continue
        width, below = widths[level]
        at = begin + count * size
        for _ in range(count + 1):
            child = store.address(at)
            if child is None:
                store.fail("an index leads nowhere", at)
            waiting.append((child, store.number(at + store.address_size, width), level - 1))
            at += store.address_size + width + below
