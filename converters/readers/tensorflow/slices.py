"""StridedSlice's masks and bounds (tensorflow/core/util/strided_slice_op.cc)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from upconv.converters.ir.dims import Size
from upconv.converters.readers.tensorflow.graphdef import Node

_MASKS: Final = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of a slice: a new axis, or begin and end (None where open) and stride of an axis;
    `shrinks` where the axis is an index and goes."""

    begin: Size | None = None
    end: Size | None = None
    stride: int = 1
    shrinks: bool = False
    is_new: bool = False


def items_of(
    node: Node, rank: int, begin: Sequence[Size], end: Sequence[Size], strides: Sequence[int]
) -> list[Item]:
    """The entries of a StridedSlice in order, the ellipsis filled in.

    Raises UnreadableError where they are more than the input has axes.
    """
    masks = {name: node.integer(name) for name in _MASKS}
    if not len(begin) == len(end) == len(strides) <= 64:
        raise node.fail("a StridedSlice whose begin, end and strides differ in length")
    found: list[Item] = []
    ellipsis = -1
    for at in range(len(begin)):
        bit = 1 << at
        if masks["ellipsis_mask"] & bit:
            ellipsis = len(found)
        elif masks["new_axis_mask"] & bit:
            found.append(Item(is_new=True))
        else:
            found.append(_item(masks, bit, begin[at], end[at], strides[at]))
    missing = rank - sum(not item.is_new for item in found)
    if missing < 0:
        raise node.fail(f"a StridedSlice of {rank - missing} axes on an input of {rank}")
    at = len(found) if ellipsis < 0 else ellipsis
    return found[:at] + [Item()] * missing + found[at:]


def _item(masks: dict[str, int], bit: int, begin: Size, end: Size, stride: int) -> Item:
    if masks["shrink_axis_mask"] & bit:
        return Item(begin, None, 1, shrinks=True)
    return Item(
        None if masks["begin_mask"] & bit else begin,
        None if masks["end_mask"] & bit else end,
        stride,
    )


def index_of(
    node: Node, rank: int, begin: Sequence[int], end: Sequence[int], strides: Sequence[int]
) -> tuple[Any, ...]:
    """A StridedSlice as NumPy's index."""
    return tuple(_index(item) for item in items_of(node, rank, begin, end, strides))


def _index(item: Item) -> Any:
    if item.is_new:
        return None
    return item.begin if item.shrinks else slice(item.begin, item.end, item.stride)
