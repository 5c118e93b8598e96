"""What follows from a layer's own words, worked out once for as long as a text has these words.

Only sources that are pieces of a text keep anything (`source.Pieces`), and the origins made of
them. Nobody keeps there what tells of a place, nor what follows from other layers.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import compress
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from upconv.converters.ir.source import Pieces

T = TypeVar("T")
R = TypeVar("R")


class Keeper(Protocol):
    """A source, or an origin, that may remember what follows from its words."""

    @property
    def kept(self) -> dict[Any, Any] | None: ...


def once(keeper: Keeper, what: Hashable, make: Callable[[], T]) -> T:
    """What `make` gives, asked for once of a piece; what it raises is asked for again."""
    kept = keeper.kept
    if kept is None:
        return make()
    if what not in kept:
        kept[what] = make()
    found: T = kept[what]
    return found


def faults(keeper: Keeper, what: Hashable, search: Callable[[], Iterable[T]]) -> Iterable[T]:
    """What `search` finds, which tells of places; where it is nothing, a piece is searched once."""
    kept = keeper.kept
    if kept is None:
        return search()
    if what in kept:
        return ()
    found = list(search())
    if not found:
        kept[what] = ()
    return found


def each(
    pieces: Pieces | None, what: Hashable, items: Sequence[T], make: Callable[[T], R]
) -> Sequence[R]:
    """What `make` gives of each item, which follows from that item's own words. Where a text has
    `pieces`, items that are where they were, counted from either end, are not asked again."""
    return list(map(make, items)) if pieces is None else pieces.each(what, items, make)


def those(pieces: Pieces | None, test: Callable[[T], object], items: Sequence[T]) -> Iterator[T]:
    """The items of which a test holds that goes by their own words."""
    return compress(items, each(pieces, test, items, test))
