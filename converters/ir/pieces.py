"""What was read of a text's pieces, for whoever reads the text again after an edit.

An editor's text is read again after each keystroke, and nearly all of it is what it was. A reader
that finds a piece of it (a layer's block) with the very words of a piece that it has read takes
that one's nodes, and with them what follows from these words alone: it is in `kept`, and nobody
keeps there what tells of a place. The piece then stands at its new offset, so that its nodes, and
the origins made of them, belong to the newest text that was read and to no older one.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from upconv.converters.ir.source import Source

T = TypeVar("T")


class Keeper(Protocol):
    """A source, or an origin, that may remember what follows from its words."""

    @property
    def kept(self) -> dict[Any, Any] | None: ...


ROUNDS: Final = 64
"""Readings after which a piece is dropped that none of them had: a brace that is taken out and put
in again makes one block of a whole net for a while."""


def _go_on() -> None:
    return None


@dataclass(slots=True)
class Piece:
    """A piece: its words, what a parser made of them in so many `steps`, and when it was used."""

    source: Source
    node: Any
    steps: int
    used: int = 0


class Pieces:
    """The pieces of one text by their words. `whole` is the text that is being read, `alive` ends
    the reading by raising what is no Exception."""

    def __init__(self) -> None:
        self.whole = Source("", "")
        self.alive: Callable[[], None] = _go_on
        self._known: dict[str, list[Piece]] = {}
        self._round = 0

    def version(self, text: Source, alive: Callable[[], None]) -> Source:
        """The text as one that is read again and again."""
        self.alive = alive
        made = Source(text.path, text.text)
        made.landmark, made.pieces = text.landmark, self
        return made

    def read_again(self, whole: Source) -> None:
        """Begin with another version of the text."""
        self.whole = whole
        self._round += 1
        if self._round % ROUNDS == 0:
            for words, found in list(self._known.items()):
                found[:] = [one for one in found if one.used + ROUNDS > self._round]
                if not found:
                    del self._known[words]

    def find(self, words: str) -> Piece | None:
        """A piece of these words that does not stand in this version yet."""
        for piece in self._known.get(words, ()):
            if piece.used != self._round:
                return piece
        return None

    def add(self, piece: Piece) -> None:
        """Remember what was read for the first time."""
        self._known.setdefault(piece.source.text, []).append(piece)

    def place(self, piece: Piece, at: int) -> None:
        """Let a piece stand at an offset of this version."""
        piece.used = self._round
        piece.source.at = at


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
