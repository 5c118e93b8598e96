"""Names that no other layer or value of a model has, each found without a search."""

from __future__ import annotations

from collections.abc import Set as AbstractSet


class Names:
    """Names given out so far. One that is taken is numbered: with `mark` and the numbers from
    `first` on behind it.

    `reserved` are names that nobody gets by being numbered. Where a name was wanted before, the
    numbers go on, so that a name wanted a hundred thousand times costs as much each time.

    >>> names = Names("@", 2)
    >>> [names.unique("conv") for _ in range(3)]
    ['conv', 'conv@2', 'conv@3']
    """

    __slots__ = ("_next", "first", "mark", "reserved", "taken")

    def __init__(self, mark: str, first: int) -> None:
        self.mark = mark
        self.first = first
        self.reserved: AbstractSet[str] = frozenset()
        self.taken: set[str] = set()
        self._next: dict[str, int] = {}

    def unique(self, wanted: str) -> str:
        """The name that is wanted, or the next number of it; taken from now on."""
        chosen = wanted
        while chosen in self.taken or (chosen != wanted and chosen in self.reserved):
            number = self._next.get(wanted, self.first)
            chosen = f"{wanted}{self.mark}{number}"
            self._next[wanted] = number + 1
        self.taken.add(chosen)
        return chosen

    def free(self, name: str) -> None:
        """Let a name be had again."""
        self.taken.discard(name)
