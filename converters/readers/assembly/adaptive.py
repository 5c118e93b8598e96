"""Pooling into so many cells, whatever the input's size: windows of one size where it divides, a
matrix per axis where sizes are fixed, and cells that are cut out where they follow the input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal, Protocol, TypeAlias

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, ceil_div
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.operators import Operator
from upconv.converters.ir.tensors import ArrayData, FloatArray, TensorData, Weight
from upconv.converters.readers.assembly.compositions import pool
from upconv.converters.readers.assembly.reducing import reduced

Kind: TypeAlias = Literal["max", "average"]

MAX_FOLLOWING: Final = 64
"""As many cells along an axis of open size: a handful of layers each."""
MAX_CELLS: Final = 512
"""Irregular maxima are written cell by cell, up to so many along an axis."""

MAX_MATRIX: Final = 1 << 24
"""Numbers of the matrix of one axis's averages, which are no part of the file."""


class Step(Protocol):
    """Append a layer on the way to a result; what it makes."""

    def __call__(
        self,
        operator: Operator,
        inputs: Sequence[str],
        what: str,
        weights: Mapping[str, Weight] | None = None,
        /,
    ) -> str: ...


def whole_windows(kind: Kind, spatial: Sequence[Size], cells: Sequence[Size]) -> Operator | None:
    """The one operator that it is: over everything, or where all windows have one size."""
    if all(size == 1 for size in cells):
        return ops.GlobalPool(kind)
    pairs = [(n, w) for n, w in zip(spatial, cells, strict=True)
             if isinstance(n, int) and isinstance(w, int) and w > 0 and n % w == 0]  # fmt: skip
    if len(pairs) < len(cells):
        return None
    kernel = tuple(n // w for n, w in pairs)
    return pool(kind, kernel, kernel)


def adapted(
    step: Step, x: str, kind: Kind, spatial: Sequence[Size], cells: Sequence[Size], front: int = 2
) -> str:
    """The tensor pooled along its axes from `front` on, one after the other; a maximum at fixed
    sizes wants two axes before them.

    Raises UnsupportedError for more cells than are written one by one.
    """
    rank = front + len(spatial)
    for axis, (size, count) in enumerate(zip(spatial, cells, strict=True), start=front):
        if size == count:
            continue
        if not isinstance(size, int) or not isinstance(count, int):
            x = _following(step, x, rank, kind, (axis, size, count))
        elif kind == "average" and size * count > MAX_MATRIX:
            raise UnsupportedError(f"adaptive pooling of {size} pixels into {count} cells")
        elif kind == "average":
            x = along_axis(step, x, axis, rank, _averages(size, count))
        else:
            x = _maxima(step, x, rank, (axis, size, count))
    return x


def windows(size: int, cells: int) -> list[tuple[int, int]]:
    """[begin, end) of every window (aten/src/ATen/native/AdaptivePooling.h, start_index and
    end_index; apache/mxnet adaptive_avg_pooling.cc, START_IND and END_IND).

    >>> windows(5, 3)
    [(0, 2), (1, 4), (3, 5)]
    """
    return [(i * size // cells, int(ceil_div((i + 1) * size, cells))) for i in range(cells)]


def along_axis(step: Step, x: str, axis: int, rank: int, matrix: TensorData) -> str:
    """A matrix (out, in) applied along an axis, which goes to the end and back; the new value."""
    order = list(range(rank))
    order[axis], order[-1] = order[-1], order[axis]
    turn, moves = ops.Permute(tuple(order)), order != sorted(order)
    x = step(turn, [x], f"last{axis}") if moves else x
    weights = {"weight": Weight(matrix.shape, matrix)}
    x = step(ops.Linear(matrix.shape[0], -1), [x], f"matrix{axis}", weights)
    return step(turn, [x], f"back{axis}") if moves else x


def _averages(size: int, cells: int) -> ArrayData:
    """The matrix (cells, size) of one axis's averages."""

    def compute() -> FloatArray:
        import numpy as np

        matrix = np.zeros((cells, size), np.float32)
        for cell, (begin, end) in enumerate(windows(size, cells)):
            matrix[cell, begin:end] = 1 / (end - begin)
        return matrix

    return ArrayData((cells, size), compute)


def _following(step: Step, x: str, rank: int, kind: Kind, along: tuple[int, Size, Size]) -> str:
    """Windows that follow the input's size: each cut out, reduced along its axis, and joined."""
    axis, size, count = along
    if not isinstance(count, int) or not 0 < count <= MAX_FOLLOWING:
        raise UnsupportedError(f"adaptive pooling into {count} cells of open sizes")
    rows = []
    for cell in range(count):
        begin, end = cell * size // count, ceil_div((cell + 1) * size, count)
        box = step(ops.Crop(axis, (begin,), (end - begin,)), [x], f"window{axis}")
        rows.append(reduced(step, box, rank, "max" if kind == "max" else "mean", [axis], keep=True))
    return rows[0] if count == 1 else step(ops.Concat(axis), rows, f"joined{axis}")


def _maxima(step: Step, x: str, rank: int, along: tuple[int, int, int]) -> str:
    """Each window cut out, pooled to one cell along the axis, and the cells joined."""
    axis, size, count = along
    if count > MAX_CELLS:
        raise UnsupportedError(f"irregular adaptive max pooling into {count} cells")
    parts = []
    for cell, (begin, end) in enumerate(windows(size, count)):
        kernel = tuple(end - begin if at == axis else 1 for at in range(2, rank))
        box = step(ops.Crop(axis, (begin,), (end - begin,)), [x], f"cut{axis - 2}.{cell}")
        one = pool("max", kernel, (1,) * len(kernel))
        parts.append(step(one, [box], f"cell{axis - 2}.{cell}"))
    return step(ops.Concat(axis), parts, f"joined{axis - 2}")
