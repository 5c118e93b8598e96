"""The operators of the intermediate representation, as small frozen records.

Each has every default filled in and each convention explicit, so that whoever uses it never asks
which framework it came from. Layouts are channels-first, `(N, C, spatial...)`; per-axis tuples
list the spatial axes in the order of the layout. An operator's six facets (shape, conditions on
sizes, alignment, float64 reference, ONNX emission, certificate) live in modules of their own.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TypeAlias

from upconv.converters.ir.dims import Dim
from upconv.converters.ir.operators.algebra import ArgMax, Constant, Linear, MatMul, Reduce
from upconv.converters.ir.operators.arrangement import (
    ChannelShuffle,
    Concat,
    Crop,
    DepthToSpace,
    Flatten,
    Pad,
    Permute,
    Reshape,
    Resize,
    Slice,
    SpaceToDepth,
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
    Clip,
    Eltwise,
    Elu,
    Erf,
    Exp,
    Gelu,
    Identity,
    Log,
    Power,
    PRelu,
    Relu,
    Scale,
    Sigmoid,
    Softplus,
    Swish,
    Tanh,
    Threshold,
)
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
    "ArgMax",
    "BatchNorm",
    "ChannelShuffle",
    "Clip",
    "Concat",
    "Constant",
    "Conv",
    "ConvTranspose",
    "Crop",
    "DepthToSpace",
    "Eltwise",
    "Elu",
    "Erf",
    "Exp",
    "Flatten",
    "Gelu",
    "GlobalPool",
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
    "Scale",
    "Sigmoid",
    "Slice",
    "Softmax",
    "Softplus",
    "SpaceToDepth",
    "Swish",
    "Tanh",
    "Threshold",
    "Tile",
    "Unknown",
    "Unpool",
    "WindowUnpool",
    "targets",
]


@record(frozen=True, slots=True)
class Unknown:
    """A layer this project does not know; it flows through and stops only what needs it.

    `reason` says why it is not understood, where that is more than its type.
    """

    type: str
    reason: str = ""


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
    | Softplus
    | Threshold
    | Clip
    | Swish
    | Gelu
    | Softmax
    | ArgMax
    | Tile
    | Reduce
    | Reshape
    | Flatten
    | Linear
    | MatMul
    | Constant
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
    Softplus,
    Threshold,
    Clip,
    Swish,
    Gelu,
)
"""Operators whose output element depends on the input element of the same index alone."""

UPSAMPLING = (ConvTranspose, Resize, Unpool, WindowUnpool, DepthToSpace)
"""Operators that make feature maps larger: what this project exists for."""


def targets(operator: Operator) -> tuple[Dim, ...]:
    """The sizes that no number is, in whichever fields they stand: what an operator takes from
    other tensors (a Crop's, a Resize's ...), possibly none.

    >>> from upconv.converters.ir.dims import like
    >>> [str(size) for size in targets(Crop(2, (0, 0), (like("skip", 2), 7)))]
    ['size(skip, 2)']
    """
    values = (getattr(operator, entry.name) for entry in fields(operator))
    each = (value if isinstance(value, tuple) else (value,) for value in values)
    return tuple(size for sizes in each for size in sizes if isinstance(size, Dim))
