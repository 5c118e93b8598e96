"""Entries of an axis taken by their numbers: repeated in a row, picked, put in another order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from upconv.converters.ir import operators as ops
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.readers.assembly.compositions import repeated
from upconv.converters.readers.assembly.picking import MAX_PICKED, runs_of
from upconv.converters.readers.torch.aten.lowering import AtenCall, from_front, lowers
from upconv.converters.readers.torch.aten.ops_boxes import joined

EXACT: Final = 1 << 24
"""Stored numbers are float32, which has every whole number up to this one."""


@lowers("repeat_interleave.self_int")
def _repeat_interleave(call: AtenCall) -> None:
    """Every entry several times in a row: along a spatial axis a nearest interpolation."""
    count, value, rank = call.fixed("repeats", 1), call.value("self"), call.rank()
    if count < 1:
        raise UnsupportedError(f"it repeats every entry {count} times")
    if call.get("dim") is None:
        value, axis, rank = call.step(ops.Reshape((-1,), 0), [value], "flat"), 0, 1
    else:
        axis = call.axis()
    if axis >= 2:
        factor = tuple(count if place == axis else 1 for place in range(2, rank))
        call.emit(repeated(factor), [value])
        return
    value = call.step(ops.Reshape((1,), axis + 1, 0), [value], "apart")
    value = call.step(ops.Tile(axis + 1, count), [value], "repeated")
    call.emit(ops.Flatten(axis, axis + 1), [value])


@lowers("index_select.default")
def _index_select(call: AtenCall) -> None:
    _pick(call, call.axis(), call.get("index"))


@lowers("index.Tensor", "index.Tensor_hacked_twin")
def _index(call: AtenCall) -> None:
    """self[:, index]: stored whole numbers along one axis."""
    given = call.get("indices", [])
    axes = [axis for axis, one in enumerate(given) if one is not None]
    if len(axes) != 1:
        raise UnsupportedError("it picks entries along several axes at once")
    _pick(call, from_front(axes[0], call.rank()), given[axes[0]])


def _pick(call: AtenCall, axis: int, index: Any) -> None:
    stored = call.constant(index)
    size = call.shape()[axis]
    if stored is None or len(stored.shape) != 1 or not isinstance(size, int):
        raise UnsupportedError("which entries it picks is not fixed")
    if stored.shape[0] > MAX_PICKED or size > EXACT:
        raise UnsupportedError(f"it picks {stored.shape[0]} of {size} entries one by one")
    numbers = stored.array().tolist()
    if not numbers or not all(-size <= one < size for one in numbers):
        raise UnsupportedError(f"it picks entries that an axis of {size} has not")
    runs = runs_of(int(one) % size for one in numbers)
    if runs is None:
        raise UnsupportedError(f"it picks {len(numbers)} of {size} entries one by one")
    value = call.value("self")
    boxes = [
        call.step(ops.Crop(axis, (start,), (length,)), [value], f"run{index}")
        for index, (start, length) in enumerate(runs)
    ]
    joined(call, boxes, axis)


@lowers("hstack.default", "vstack.default", "dstack.default", "column_stack.default")
def _stacked(call: AtenCall) -> None:
    """Joined along the second, first or third axis, after axes of size 1 where there are fewer."""
    name = call.node.target.split(".")[1]
    parts, ranks = [], []
    for index, one in enumerate(call.get("tensors", [])):
        value, rank = call.value(one), call.rank(one)
        new = _NEW_AXES[name][min(rank, 3)]
        ranks.append(rank + len(new))
        for axis in new:
            value = call.step(ops.Reshape((1,), axis, 0), [value], f"axis{axis}_{index}")
        parts.append(value)
    joined(call, parts, 0 if ranks == [1] * len(ranks) else {"vstack": 0, "dstack": 2}.get(name, 1))


_NEW_AXES: Final[dict[str, Sequence[Sequence[int]]]] = {
    "hstack": ((0,), (), (), ()),
    "vstack": ((0, 0), (0,), (), ()),
    "dstack": ((0, 0, 0), (0, 2), (2,), ()),
    "column_stack": ((0, 0), (1,), (), ()),
}
"""Where axes of size 1 come in, by how many axes a part has (torch/functional.py, atleast_2d)."""
