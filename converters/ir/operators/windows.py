"""Operators with windows: convolutions, poolings, and what undoes them."""

from __future__ import annotations

from typing import Literal

from upconv.converters.ir.dims import Size
from upconv.converters.ir.operators.types import Ints
from upconv.converters.ir.records import record


@record(frozen=True, slots=True)
class Conv:
    """Convolution. Weights: weight (C_out, C_in/groups, k...), bias (C_out)."""

    out_channels: int
    kernel: Ints
    stride: Ints
    dilation: Ints
    pads_begin: Ints
    pads_end: Ints
    groups: int = 1


@record(frozen=True, slots=True)
class ConvTranspose:
    """Transposed convolution. Weights: weight (C_in, C_out/groups, k...), bias (C_out).

    `target`, where given, is the output size per spatial axis: then pads_begin stands, and
    pads_end and output_padding follow from the target."""

    out_channels: int
    kernel: Ints
    stride: Ints
    dilation: Ints
    pads_begin: Ints
    pads_end: Ints
    output_padding: Ints
    groups: int = 1
    target: tuple[Size, ...] | None = None


@record(frozen=True, slots=True)
class Pool:
    """Max or average pooling; a second output, where present, holds the argmax per (N, C) plane.

    `clip` drops a last window that starts outside input and begin padding: "if_padded" is
    Caffe's (only where any axis is padded), "always" PyTorch's. Average: with count_padding the
    divisor is the window clipped to input plus padding, without it the window clipped to the
    input.
    """

    kind: Literal["max", "average"]
    kernel: Ints
    stride: Ints
    dilation: Ints
    pads_begin: Ints
    pads_end: Ints
    rounding: Literal["floor", "ceil"]
    clip: Literal["never", "if_padded", "always"]
    count_padding: bool


@record(frozen=True, slots=True)
class GlobalPool:
    """Pooling over all spatial axes, which stay with size 1."""

    kind: Literal["max", "average"]


@record(frozen=True, slots=True)
class Unpool:
    """Scatter of x to `size` by indices into each (N, C) plane; the last write wins.

    Inputs: x, indices, and any tensor `size` is like. Zero elsewhere. An index outside the plane
    is an error of the data.
    """

    size: tuple[Size, ...]


@record(frozen=True, slots=True)
class WindowUnpool:
    """Unpooling without indices: each input fills its window of the output, sums where windows
    overlap. "corner" writes the window's first cell only (bed of nails), "tile" every cell,
    "average" every cell divided by the window clipped to the output.
    """

    kind: Literal["corner", "tile", "average"]
    kernel: Ints
    stride: Ints
    pads_begin: Ints
    size: tuple[Size, ...]
