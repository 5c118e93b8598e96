"""What flows along a graph's edges while it is read: data of the network, or what is known now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from upconv.converters.ir.dims import Size
from upconv.converters.readers.assembly.axes import Value
from upconv.converters.readers.assembly.known import Known


@dataclass(frozen=True, slots=True)
class Batched:
    """A tensor between SpaceToBatchND and BatchToSpaceND, which together are a dilation.

    `x` is what went in, `block` and `pads` per axis from the second on, in TensorFlow's order;
    `convolution` what is in between, where it was seen. `row`: a sequence whose convolution sees it
    as an image of one row, so that `x`, `block` and `pads` have the row first.
    """

    x: Value
    block: tuple[int, ...]
    pads: tuple[tuple[Size, Size], ...]
    convolution: Any = None
    row: bool = False


@dataclass(frozen=True, slots=True)
class Missing:
    """A variable whose values no file has: its shape, where the graph says it."""

    name: str
    shape: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Dead:
    """The output of a branch that is not taken."""


@dataclass(frozen=True, slots=True)
class Part:
    """One of the equal parts of a split, along an axis in TensorFlow's order."""

    value: Value
    source: Value
    axis: int
    index: int
    count: int


@dataclass(frozen=True, slots=True)
class Argmax:
    """The indices of a max pooling: `name` has them within each plane.

    TensorFlow counts through an image of the sizes `pooled` (N, H, W, C), or `through_batch` too.
    """

    name: str
    pooled: tuple[Size, ...]
    through_batch: bool
    overlap: bool


@dataclass(frozen=True, slots=True)
class Column:
    """A number that is made of every index: (index // divisor) % modulus, or its place along one of
    the four axes of the pooling's output."""

    divisor: Size = 1
    modulus: Size | None = None
    axis: int | None = None


@dataclass(frozen=True, slots=True)
class Places:
    """Numbers made of a pooling's indices.

    `form` says where the columns are: "map" (N, h, w, C) and "line" (n) have one, "columns" has
    them first, (k, n), "rows" last, (..., k); "ones" is a map of ones.
    """

    source: Argmax
    columns: tuple[Column, ...] = (Column(),)
    form: Literal["map", "line", "columns", "rows", "ones"] = "map"


Entry: TypeAlias = Value | Known | Batched | Missing | Dead | Part | Places
