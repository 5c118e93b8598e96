"""Names alike: "did you mean ...", for one word of a file or for a hundred thousand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

LONGEST: Final = 100
"""Characters of a word that may be a slip of the pen."""
_COMPARED: Final = 8


def similar(word: str, names: Iterable[str], most: int = 3, cutoff: float = 0.6) -> list[str]:
    """The names that are most like a word, best first, as difflib judges; difflib is only given
    those that share the most pairs of letters with it.

    >>> similar("Convolutoin", ("Convolution", "Deconvolution", "Pooling"), 1)
    ['Convolution']
    """
    if not 0 < len(word) <= LONGEST:
        return []
    from difflib import get_close_matches

    index = _by_pairs(tuple(names))
    shared = Counter(name for pair in _pairs(word) for name in index.get(pair, ()))
    near = [name for name, _ in shared.most_common(_COMPARED)]
    return get_close_matches(word, near, most, cutoff)


@lru_cache(32)
def _by_pairs(names: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for name in names:
        for pair in _pairs(name):
            found.setdefault(pair, []).append(name)
    return {pair: tuple(members) for pair, members in found.items()}


def _pairs(word: str) -> set[str]:
    """The pairs of neighbours in a word; a mark stands at both ends."""
    marked = f"^{word}$"
    return {marked[at : at + 2] for at in range(len(marked) - 1)}
