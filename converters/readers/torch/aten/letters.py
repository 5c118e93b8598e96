"""What the open axes of a network's inputs are called."""

from __future__ import annotations

from typing import Final

LETTERS: Final = {3: "NCL", 4: "NCHW", 5: "NCDHW"}


def letter(axis: int, rank: int, taken: set[str]) -> str:
    """What people call an axis, with a number behind it where that is taken.

    >>> letter(2, 4, {"N", "H"})
    'H2'
    """
    letters = LETTERS.get(rank, "N")
    base = letters[axis] if axis < len(letters) else f"D{axis}"
    chosen, count = base, 1
    while chosen in taken:
        count += 1
        chosen = f"{base}{count}"
    return chosen
