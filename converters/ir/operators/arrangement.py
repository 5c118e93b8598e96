"""Operators that move values, and choose sizes: none computes but Resize."""

from __future__ import annotations

from typing import Literal

from upconv.converters.ir.dims import Size
from upconv.converters.ir.operators.types import Ints
from upconv.converters.ir.records import record


@record(frozen=True, slots=True)
class Resize:
    """Interpolation of the spatial axes to `size`; inputs: x and any tensor `size` is like.

    `coordinate_mode` and `nearest_mode` are ONNX's words. `scale`, where given, is the
    (output/input) factor used in the coordinate map instead of the ratio of the sizes. Pixels
    beyond an edge are the edge's, or with `exclude_outside` left out of the weighted mean, as
    they are with `antialias` too.
    """

    mode: Literal["nearest", "linear", "cubic"]
    coordinate_mode: Literal["half_pixel", "asymmetric", "align_corners"]
    size: tuple[Size, ...] | None = None
    factor: Ints | None = None
    nearest_mode: Literal["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"] = "floor"
    cubic_a: float = -0.75
    antialias: bool = False
    scale: tuple[float, ...] | None = None
    exclude_outside: bool = False


@record(frozen=True, slots=True)
class Crop:
    """A box of x: from `axis` on, `sizes[i]` elements from `offsets[i]`.

    Inputs: x and any tensor `sizes` is like.
    """

    axis: int
    offsets: tuple[Size, ...]
    sizes: tuple[Size, ...]


@record(frozen=True, slots=True)
class Pad:
    """Padding of every axis, N and C included; negative amounts crop.

    Inputs: x and any tensor the amounts are like.
    """

    begin: tuple[Size, ...]
    end: tuple[Size, ...]
    mode: Literal["constant", "reflect", "edge", "symmetric"] = "constant"
    value: float = 0.0


@record(frozen=True, slots=True)
class Concat:
    axis: int


@record(frozen=True, slots=True)
class Slice:
    """Split along an axis at `points` (Caffe's slice_point), evenly where there are none."""

    axis: int
    points: Ints = ()


@record(frozen=True, slots=True)
class StridedSlice:
    """Every step-th entry of an axis: `size` entries from `start` on, backwards where `step` is
    negative. Inputs: x and any tensor `start` or `size` is like."""

    axis: int
    start: Size
    size: Size
    step: int


@record(frozen=True, slots=True)
class Expand:
    """x repeated to the shape `sizes`, aligned at the last axis: axes of size 1, and new ones in
    front. Inputs: x and any tensor the sizes are like."""

    sizes: tuple[Size, ...]


@record(frozen=True, slots=True)
class Tile:
    """x repeated `tiles` times along an axis. Inputs: x and any tensor `tiles` is like."""

    axis: int
    tiles: Size


@record(frozen=True, slots=True)
class Reshape:
    """The axes [axis, axis + num_axes) become `dims`; 0 copies an axis, -1 is inferred; num_axes -1
    means all that follow. Inputs: x and any tensor the dims are like."""

    dims: tuple[Size, ...]
    axis: int = 0
    num_axes: int = -1


@record(frozen=True, slots=True)
class Flatten:
    """The axes axis..end_axis (included, negative allowed) become one."""

    axis: int = 1
    end_axis: int = -1


@record(frozen=True, slots=True)
class Permute:
    order: Ints


@record(frozen=True, slots=True)
class ChannelShuffle:
    """C seen as (groups, C/groups) and transposed."""

    groups: int


@record(frozen=True, slots=True)
class SpaceToDepth:
    """Blocks of block x block pixels move into channels.

    mode "DCR": channel (y*block + x)*C + c (TensorFlow, ONNX); "CRD": c*block^2 + y*block + x
    (torch pixel_unshuffle); "darknet": the map of YOLO's reorg layer.
    """

    block: int
    mode: Literal["DCR", "CRD", "darknet"] = "DCR"


@record(frozen=True, slots=True)
class DepthToSpace:
    """The inverse of SpaceToDepth; CRD is PixelShuffle."""

    block: int
    mode: Literal["DCR", "CRD", "darknet"] = "DCR"
