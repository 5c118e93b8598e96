"""A model's inputs: what their open sizes are called, and the shapes the user gives instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from upconv.converters.ir.dims import Size, symbol
from upconv.converters.ir.errors import UsageError
from upconv.converters.ir.model import Shape
from upconv.converters.readers.assembly.layout import to_channels_first

LETTERS: Final[Mapping[int, tuple[str, ...]]] = {
    2: ("N", "C"),
    3: ("N", "W", "C"),
    4: ("N", "H", "W", "C"),
    5: ("N", "D", "H", "W", "C"),
}
"""Number of axes -> what open sizes are called, channels last."""


def lettered(
    sizes: Sequence[int | None], name: str, index: int = 0, *, channels_last: bool = True
) -> Shape:
    """The shape of the input `name`, the model's input number `index`, with letters for what is
    open. All inputs share one batch size; other open sizes are each input's own.

    >>> [str(size) for size in lettered((None, None, None, 3), "image")]
    ['N', 'H', 'W', '3']
    """
    rank = len(sizes)
    letters = LETTERS.get(rank) or ("N", *(f"d{axis}" for axis in range(1, rank)))
    if not channels_last and rank > 2:
        letters = to_channels_first(letters)
    own = "" if index == 0 else f"{name}_"
    return tuple(
        symbol(f"{own if axis else ''}{letters[axis]}") if size is None else size
        for axis, size in enumerate(sizes)
    )


def overridden(
    written: Mapping[str, Shape | None], given: Mapping[str, Sequence[Size]], path: str
) -> dict[str, Shape | None]:
    """The inputs' shapes, in the model's own layout, with those the user gives in their place.

    Raises UsageError for a name that is no input, and for another number of axes than the file's.
    """
    for name, shape in given.items():
        if name not in written:
            hint = f"its inputs are {', '.join(written)}" if written else "it has no inputs"
            raise UsageError(f"the model has no input '{name}'", path=path, hint=hint)
        own = written[name]
        if own is not None and len(own) != len(shape):
            raise UsageError(
                f"--input {name} has {len(shape)} axes, the model's input {len(own)}",
                path=path,
                hint=f"the model's own shape is {'x'.join(map(str, own))}",
            )
    return {name: tuple(given[name]) if name in given else written[name] for name in written}
