"""Texts as they were read, and places in them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import cached_property
from itertools import accumulate, compress, count
from operator import add, is_not
from typing import Any, Final, TypeAlias, TypeVar

from upconv.converters.ir.records import record

T = TypeVar("T")
R = TypeVar("R")


def _no_landmark(offset: int) -> str:
    return ""


def line_starts(text: str) -> list[int]:
    """Offset of the first character of every line of a text, where LF ends a line.

    >>> line_starts("one\\ntwo\\r\\n")
    [0, 4, 9]
    """
    ends = accumulate(map(len, text.split("\n")[:-1]))
    return [0, *map(add, ends, count(1))]


class Source:
    """A text file as read: its path, its text, and a lazily built table of line starts.

    Lines and columns count from 1, columns in code points. `text` keeps its line ends, so that
    an offset into it is an offset a fix can edit. `landmark` says what people call an offset's
    place where they do not count lines of the file (`cell 3, line 2` of a notebook), "" elsewhere.

    A text that is read again after each edit brings `pieces`, which are read once. A
    piece is a source, too: it stands in the `whole` at offset `at`, and `kept` holds what follows
    from it alone.
    """

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self.landmark: Callable[[int], str] = _no_landmark
        self.pieces: Pieces | None = None
        self.at = 0
        self.kept: dict[Any, Any] | None = None

    @property
    def whole(self) -> Source:
        """The text that offsets count in."""
        return self if self.kept is None or self.pieces is None else self.pieces.whole

    def piece(self, words: str) -> Source:
        """A piece of this text."""
        made = Source(self.path, words)
        made.pieces, made.kept = self.pieces, {}
        return made

    @cached_property
    def line_starts(self) -> list[int]:
        """Offset of the first character of every line; CRLF and LF both end a line."""
        return line_starts(self.text)

    def position(self, offset: int) -> tuple[int, int]:
        """(line, column) of an offset.

        >>> Source("a", "one\\ntwo").position(5)
        (2, 2)
        """
        line = bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of one line, without its line end."""
        start, end = self.line_bounds(number)
        return self.text[start:end]

    def line_bounds(self, number: int) -> tuple[int, int]:
        """(start, end) of one line, its line end left out: a line may be the whole file."""
        start = self.line_starts[number - 1]
        end = self.line_starts[number] if number < len(self.line_starts) else len(self.text)
        while end > start and self.text[end - 1] in "\r\n":
            end -= 1
        return start, end

    def __repr__(self) -> str:
        return f"Source({self.path!r}, {len(self.text)} characters)"


@record(frozen=True, slots=True)
class Span:
    """The characters start..end (end excluded) of a source."""

    source: Source
    start: int
    end: int

    @property
    def span(self) -> Span:
        return self

    @property
    def path(self) -> str:
        return self.source.path

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]

    @property
    def line(self) -> int:
        return self.source.position(self.start)[0]

    @property
    def column(self) -> int:
        return self.source.position(self.start)[1]

    @property
    def end_position(self) -> tuple[int, int]:
        return self.source.position(self.end)


ROUNDS: Final = 64
"""Readings after which a piece is dropped that none of them had: a brace that is taken out and put
in again makes one block of a whole net for a while."""


def _go_on() -> None:
    return None


@record(slots=True)
class Piece:
    """A piece: its words, and what a parser made of them in so many `steps`."""

    source: Source
    node: Any
    steps: int


@record(slots=True)
class _Alike:
    """Pieces of the same words, of which the first `taken` stand in the version `used` last."""

    pieces: list[Piece]
    used: int = 0
    taken: int = 0


_Row: TypeAlias = tuple[Sequence[Any], list[Any]]
"""Items, and what is known of each."""

_FEW: Final = 16
"""Items of a row that are asked again before another row is looked at."""


def _length(row: _Row) -> int:
    return len(row[0])


def _same(before: Iterable[Any], now: Iterable[Any], most: int) -> int:
    """How many of two rows of items are the very same, from the beginning on."""
    return min(next(compress(count(), map(is_not, before, now)), most), most)


class Pieces:
    """What was read of a text's pieces, for whoever reads the text again after an edit.

    An editor's text is read again after each keystroke, and nearly all of it is what it was. A
    reader that finds a piece of it (a layer's block) with the very words of a piece that it has
    read takes that one's nodes, and with them what follows from these words alone (`kept.py`). The
    piece then stands at its new offset, so that its nodes, and the origins made of them, belong to
    the newest text that was read and to no older one.

    `whole` is the text that is being read, `alive` ends the reading by raising what is no
    Exception. `inferred` has the layers of the newest version, the shapes of its inputs, and those
    of all values, where nothing contradicts them; `wired` is how a reader connected the layers of
    the version before.
    """

    def __init__(self) -> None:
        self.whole = Source("", "")
        self.alive: Callable[[], None] = _go_on
        self.shapes: dict[Hashable, Any] = {}
        self.inferred: Any = None
        self.wired: Any = None
        self._same: dict[Any, Any] = {}
        self._rows: dict[Hashable, tuple[_Row, ...]] = {}
        self._last_alike: tuple[Sequence[Any], Sequence[Any], tuple[int, int]] = ((), (), (0, 0))
        self._known: dict[str, _Alike] = {}
        self._round = 0

    def version(self, text: Source, alive: Callable[[], None]) -> Source:
        """The text as one that is read again and again."""
        self.alive = alive
        made = Source(text.path, text.text)
        made.landmark, made.pieces = text.landmark, self
        if "line_starts" in vars(text):
            made.line_starts = text.line_starts
        return made

    def read_again(self, whole: Source) -> None:
        """Begin with another version of the text."""
        self.whole, self.inferred = whole, None
        self._round += 1
        if self._round % ROUNDS == 0:
            self._drop(self._round - ROUNDS)
            self.shapes.clear()
            self._same.clear()

    def _drop(self, since: int) -> None:
        """Forget pieces that no version had since a round: what a piece keeps leads back to it,
        which only the collector would find."""
        for words, alike in list(self._known.items()):
            if alike.used <= since:
                del self._known[words]
                for piece in alike.pieces:
                    assert piece.source.kept is not None
                    piece.source.kept.clear()

    def same(self, value: T) -> T:
        """A value that is equal, the same one each time."""
        found: T = self._same.setdefault(value, value)
        return found

    def each(self, what: Hashable, items: Sequence[T], make: Callable[[T], R]) -> Sequence[R]:
        """What `make` gives of each item (`kept.each`)."""
        rows = self._rows.get(what, ())
        if rows and rows[0][0] is items:
            newest: list[R] = rows[0][1]
            return newest
        known, (head, tail) = self._nearest(rows, items)
        middle = list(map(make, items[head : len(items) - tail]))
        found: list[R] = [*known[:head], *middle, *known[len(known) - tail :]]
        self._rows[what] = ((items, found), *sorted(rows, key=_length, reverse=True)[:1])
        return found

    def _nearest(
        self, rows: Sequence[_Row], items: Sequence[Any]
    ) -> tuple[list[Any], tuple[int, int]]:
        """What is known of the row that most of these items stand in, and how many at either end:
        the newest, else the longer one that is remembered from before a block swallowed others."""
        best: tuple[list[Any], tuple[int, int]] = [], (0, 0)
        for before, known in rows:
            ends = self._alike(before, items)
            if sum(ends) > sum(best[1]):
                best = known, ends
            if sum(ends) + _FEW >= len(items):
                break
        return best

    def _alike(self, before: Sequence[Any], now: Sequence[Any]) -> tuple[int, int]:
        """How many items are the very same from the beginning on, and how many of the others from
        the end on."""
        known, of, found = self._last_alike
        if known is not before or of is not now:
            most = min(len(before), len(now))
            head = _same(before, now, most)
            found = head, _same(reversed(before), reversed(now), most - head)
            self._last_alike = before, now, found
        return found

    def place(self, words: str, at: int, read: Callable[[str], Piece | None]) -> Piece | None:
        """Let a piece of these words stand at an offset of this version: one that does not stand
        in it yet, else the one that `read` makes of them, if it does."""
        alike = self._known.get(words)
        if alike is None:
            alike = _Alike([])
        if alike.used != self._round:
            alike.used, alike.taken = self._round, 0
        if alike.taken == len(alike.pieces):
            made = read(words)
            if made is None:
                return None
            alike.pieces.append(made)
            self._known[words] = alike
        piece = alike.pieces[alike.taken]
        alike.taken += 1
        piece.source.at = at
        return piece
