"""Entries of an axis taken by their numbers: repeated in a row, picked, put in another order."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, Final

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.model import Shape
from upconv.converters.ir.tensors import TensorData
from upconv.converters.readers.assembly.compositions import repeated
from upconv.converters.readers.assembly.picking import MAX_PICKED
from upconv.converters.readers.torch.aten.lowering import EXACT, AtenCall, from_front, lowers
from upconv.converters.readers.torch.aten.ops_boxes import joined


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
    _pick(call, call.value("self"), call.axis(), call.get("index"), call.shape())


@lowers("index.Tensor", "index.Tensor_hacked_twin")
def _index(call: AtenCall) -> None:
    """self[:, index]: along one axis, or by stored numbers along several that are neighbours."""
    given = call.get("indices", [])
    axes = [from_front(a, call.rank()) for a, one in enumerate(given) if one is not None]
    if not axes:
        raise UnsupportedError("it picks entries along no axis")
    if len(axes) > 1:
        _pick_together(call, axes, [given[axis] for axis in axes])
    else:
        _pick(call, call.value("self"), axes[0], given[axes[0]], call.shape())


@lowers("embedding.default")
def _embedding(call: AtenCall) -> None:
    """Rows of a table, which is stored, or computed."""
    table = call.constant(call.get("weight"))
    if table is None:
        shape = call.shape("weight", least=2, most=2)
        _pick(call, call.value("weight"), 0, call.get("indices"), shape)
        return
    if len(table.shape) != 2:
        raise UnsupportedError(f"its table has {len(table.shape)} axes")
    weights = {"table": call.weight("weight")}
    call.emit(ops.Embedding(*table.shape), [call.value("indices")], weights)


def _pick(call: AtenCall, value: str, axis: int, index: Any, shape: Shape) -> None:
    """Entries of an axis of a value by stored numbers, or by those that the network computes."""
    stored = call.constant(index)
    if stored is None:
        call.emit(ops.Gather(axis), [value, call.value(index)])
        return
    numbers = tuple(_places(stored, shape[axis]))
    if len(stored.shape) == 1:
        call.emit(ops.Gather(axis, numbers), [value])
        return
    picked = call.step(ops.Gather(axis, numbers), [value], "picked")
    call.emit(ops.Reshape(stored.shape, axis, 1), [picked])


def _pick_together(call: AtenCall, axes: Sequence[int], indices: Sequence[Any]) -> None:
    """Neighbouring axes as one, along which entry i*W + j stands for (i, j)."""
    stored = [data for data in map(call.constant, indices) if data is not None]
    shape = call.shape()
    sizes = [size for axis in axes if isinstance(size := shape[axis], int)]
    if len(stored) < len(axes) or len(sizes) < len(axes) or axes[-1] - axes[0] >= len(axes):
        raise UnsupportedError(
            "it picks entries along several axes at once, by numbers or of sizes that are not fixed"
        )
    numbers = _together(stored, sizes)
    flat = call.step(ops.Flatten(axes[0], axes[-1]), [call.value("self")], "flat")
    picked = call.step(ops.Gather(axes[0], tuple(numbers[1])), [flat], "picked")
    call.emit(ops.Reshape(numbers[0], axes[0], 1), [picked])


def _together(stored: Sequence[TensorData], sizes: Sequence[int]) -> tuple[ops.Ints, list[int]]:
    """(shape, numbers): the places in several axes, whose indices broadcast, as one."""
    import numpy as np

    places = zip(stored, sizes, strict=True)
    found = [np.reshape(_places(data, size), data.shape) for data, size in places]
    try:
        joint = np.ravel_multi_index(tuple(np.broadcast_arrays(*found)), tuple(sizes))
    except ValueError:
        raise UnsupportedError("its indices do not fit each other") from None
    return joint.shape, joint.reshape(-1).tolist()


def _places(stored: TensorData, size: Size) -> list[int]:
    """Stored numbers as entries counted from the front."""
    count = prod(stored.shape)
    if count > MAX_PICKED or (isinstance(size, int) and size > EXACT):
        raise UnsupportedError(f"it picks {count} of {size} entries one by one")
    numbers = [int(one) for one in stored.array().reshape(-1).tolist()]
    if not numbers:
        raise UnsupportedError("it picks nothing")
    if not isinstance(size, int):
        if min(numbers) < 0:
            raise UnsupportedError("it picks entries from the end of an axis of open size")
        return numbers
    if not all(-size <= one < size for one in numbers):
        raise UnsupportedError(f"it picks entries that an axis of {size} has not")
    return [one % size for one in numbers]


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
