"""Two models side by side: the audit of each, and what the audit of one against the other says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any

from upconv.converters.ir.records import record

Layer = Mapping[str, Any]


@record(frozen=True, slots=True)
class Row:
    """A layer of each model that stand at the same place; None where a model has none there."""

    left: Layer | None
    right: Layer | None

    @property
    def differs(self) -> bool:
        return _facts(self.left) != _facts(self.right)


def rows(left: Sequence[Layer], right: Sequence[Layer]) -> Iterator[Row]:
    """The layers of two audits in one table: operators are matched in their order, as lines of two
    texts are, and what is in the place of others stands beside them."""
    matcher = SequenceMatcher(
        None, [one["operator"] for one in left], [one["operator"] for one in right], autojunk=False
    )
    for _, begin, end, other_begin, other_end in matcher.get_opcodes():
        pairs = zip_longest(left[begin:end], right[other_begin:other_end])
        yield from (Row(one, other) for one, other in pairs)


def _facts(layer: Layer | None) -> tuple[Any, ...]:
    """What a row compares: what the layer does to a size, and not what it is called."""
    if layer is None:
        return ()
    return layer["operator"], layer["input_shape"], layer["output_shape"], layer["shift"]
