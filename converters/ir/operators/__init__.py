"""The operators of the intermediate representation, as small frozen records.

Each has every default filled in and each convention explicit, so that whoever uses it never asks
which framework it came from. Layouts are channels-first, `(N, C, spatial...)`; per-axis tuples
list the spatial axes in the order of the layout. An operator's six facets (shape, conditions on
sizes, alignment, float64 reference, ONNX emission, certificate) live in modules of their own.
"""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import Final, TypeAlias

from upconv.converters.ir.dims import Dim, Size
from upconv.converters.ir.operators.algebra import (
    Arange,
    ArgMax,
    Constant,
    CumSum,
    Linear,
    MatMul,
    Reduce,
    SizeOf,
)
from upconv.converters.ir.operators.arrangement import (
    ChannelShuffle,
    Concat,
    Crop,
    DepthToSpace,
    Expand,
    Flatten,
    Pad,
    Permute,
    Reshape,
    Resize,
    Slice,
    SpaceToDepth,
    StridedSlice,
    Tile,
)
from upconv.converters.ir.operators.normalization import (
    BatchNorm,
    GroupNorm,
    L2Normalize,
    LayerNorm,
    Lrn,
    MeanVarianceNorm,
    Softmax,
)
from upconv.converters.ir.operators.pointwise import (
    Abs,
    Ceil,
    Clip,
    Compare,
    Cos,
    Eltwise,
    Elu,
    Erf,
    Exp,
    Floor,
    Gelu,
    Identity,
    Log,
    Power,
    PRelu,
    Relu,
    Round,
    Scale,
    Sigmoid,
    Sign,
    Sin,
    Softplus,
    Swish,
    Tanh,
    Where,
)
from upconv.converters.ir.operators.selection import Embedding, Gather, GridSample, RoiMaxPool
from upconv.converters.ir.operators.types import Ints
from upconv.converters.ir.operators.windows import (
    Conv,
    ConvTranspose,
    GlobalPool,
    Pool,
    Unpool,
    WindowUnpool,
)
from upconv.converters.ir.records import record

__all__ = [
    "POINTWISE",
    "UPSAMPLING",
    "Abs",
    "Arange",
    "ArgMax",
    "BatchNorm",
    "Ceil",
    "ChannelShuffle",
    "Clip",
    "Compare",
    "Concat",
    "Constant",
    "Conv",
    "ConvTranspose",
    "Cos",
    "Crop",
    "CumSum",
    "DepthToSpace",
    "Eltwise",
    "Elu",
    "Embedding",
    "Erf",
    "Exp",
    "Expand",
    "Flatten",
    "Floor",
    "Gather",
    "Gelu",
    "GlobalPool",
    "GridSample",
    "GroupNorm",
    "Identity",
    "Ints",
    "L2Normalize",
    "LayerNorm",
    "Linear",
    "Log",
    "Lrn",
    "MatMul",
    "MeanVarianceNorm",
    "Operator",
    "PRelu",
    "Pad",
    "Permute",
    "Pool",
    "Power",
    "Reduce",
    "Relu",
    "Reshape",
    "Resize",
    "RoiMaxPool",
    "Round",
    "Scale",
    "Sigmoid",
    "Sign",
    "Sin",
    "SizeOf",
    "Slice",
    "Softmax",
    "Softplus",
    "SpaceToDepth",
    "StridedSlice",
    "Swish",
    "Tanh",
    "Tile",
    "Unknown",
    "Unpool",
    "Where",
    "WindowUnpool",
    "index_place",
    "targets",
]


@record(frozen=True, slots=True)
class Unknown:
    """A layer this project does not know; it flows through and stops only what needs it.

    `reason` says why it is not understood, where that is more than its type. `fields` are what its
    file says of it, as far as a reader keeps that: names and their values, all of one kind. `shape`
    is that of its first output, where the layer's framework says it and only the values are not
    known; `others` are the sizes of further outputs, one after the other, and `axes` how many of
    them each has.
    """

    type: str
    reason: str = ""
    fields: tuple[tuple[str, tuple[int, ...] | tuple[float, ...] | tuple[str, ...]], ...] = ()
    shape: tuple[Size, ...] | None = None
    others: tuple[Size, ...] = ()
    axes: tuple[int, ...] = ()

    @property
    def shapes(self) -> tuple[tuple[Size, ...], ...]:
        """The shapes of the outputs that one is said of.

        >>> Unknown("LSTM", shape=(7, 1, 8), others=(1, 8, 1, 8), axes=(2, 2)).shapes
        ((7, 1, 8), (1, 8), (1, 8))
        """
        ends = [sum(self.axes[: at + 1]) for at in range(len(self.axes))]
        rest = (self.others[end - many : end] for end, many in zip(ends, self.axes, strict=True))
        return () if self.shape is None else (self.shape, *rest)


Operator: TypeAlias = (
    Conv
    | ConvTranspose
    | Pool
    | GlobalPool
    | Resize
    | Unpool
    | WindowUnpool
    | Crop
    | Pad
    | Concat
    | Slice
    | Gather
    | Embedding
    | GridSample
    | RoiMaxPool
    | Identity
    | Eltwise
    | Scale
    | BatchNorm
    | Lrn
    | MeanVarianceNorm
    | GroupNorm
    | LayerNorm
    | L2Normalize
    | Relu
    | PRelu
    | Elu
    | Sigmoid
    | Tanh
    | Power
    | Exp
    | Log
    | Abs
    | Erf
    | Sin
    | Cos
    | Round
    | Floor
    | Ceil
    | Sign
    | Softplus
    | Compare
    | Where
    | Clip
    | Swish
    | Gelu
    | Softmax
    | ArgMax
    | Tile
    | StridedSlice
    | Expand
    | Reduce
    | Reshape
    | Flatten
    | Linear
    | MatMul
    | Constant
    | CumSum
    | Arange
    | SizeOf
    | Permute
    | ChannelShuffle
    | SpaceToDepth
    | DepthToSpace
    | Unknown
)

POINTWISE = (
    Identity,
    Scale,
    BatchNorm,
    Relu,
    PRelu,
    Elu,
    Sigmoid,
    Tanh,
    Power,
    Exp,
    Log,
    Abs,
    Erf,
    Sin,
    Cos,
    Round,
    Floor,
    Ceil,
    Sign,
    Softplus,
    Clip,
    Swish,
    Gelu,
)
"""Operators whose output element depends on the input element of the same index alone."""

UPSAMPLING = (ConvTranspose, Resize, Unpool, WindowUnpool, DepthToSpace)
"""Operators that make feature maps larger: what this project exists for."""


def index_place(operator: Operator) -> int | None:
    """Which of its inputs an operator takes for indices, None where it takes none."""
    match operator:
        case Unpool() | Gather(indices=None):
            return 1
        case Embedding():
            return 0
    return None


def targets(operator: Operator) -> tuple[Dim, ...]:
    """The sizes that no number is, in whichever fields they stand: what an operator takes from
    other tensors (a Crop's, a Resize's ...), possibly none.

    >>> from upconv.converters.ir.dims import like
    >>> [str(size) for size in targets(Crop(2, (0, 0), (like("skip", 2), 7)))]
    ['size(skip, 2)']
    """
    found: list[Dim] = []
    kind: type = type(operator)
    for name in _sized(kind):
        value = getattr(operator, name)
        if isinstance(value, tuple):
            found += [size for size in value if isinstance(size, Dim)]
        elif isinstance(value, Dim):
            found.append(value)
    return tuple(found)


_PLAIN: Final = (
    *("int", "float", "bool", "str", "Ints", "Literal"),
    *("int | None", "float | None", "Ints | None"),
)


@cache
def _sized(kind: type) -> tuple[str, ...]:
    """The fields that may hold sizes: all but those of plain numbers and words."""
    return tuple(f.name for f in fields(kind) if str(f.type).partition("[")[0] not in _PLAIN)
