"""The operators of the intermediate representation, as small frozen records.

Each has every default filled in and each convention explicit, so that whoever uses it never asks
which framework it came from. Layouts are channels-first, `(N, C, spatial...)`; per-axis tuples
list the spatial axes in the order of the layout. An operator's four facets (shape, alignment,
float64 reference, ONNX emission) live in modules of their own.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from converters.dims import Size
from converters.records import record

Ints: TypeAlias = tuple[int, ...]


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
class Identity:
    """The same values under another name (dropout at inference, a split, noise)."""


@record(frozen=True, slots=True)
class Eltwise:
    """Element by element over two or more inputs; sums may have coefficients.

    The inputs have one shape, or, with `broadcast`, shapes that NumPy's rule makes one: aligned
    at the last axis, sizes of 1 repeated.
    """

    kind: Literal["sum", "product", "max", "min", "difference", "quotient"]
    coefficients: tuple[float, ...] = ()
    broadcast: bool = False


@record(frozen=True, slots=True)
class Scale:
    """x * scale + bias along the axes axis, axis+1, ...

    `operand` says what a second input is: the "scale", the "bias", or there is "none". What is
    not an input is a weight (scale, bias), each optional.
    """

    axis: int
    operand: Literal["none", "scale", "bias"] = "none"


@record(frozen=True, slots=True)
class BatchNorm:
    """(x - mean) / sqrt(variance + epsilon) per channel, then * scale + bias where present.

    Weights: mean (C), variance (C), scale (C), bias (C).
    """

    epsilon: float


@record(frozen=True, slots=True)
class Lrn:
    """Local response normalisation: x / (k + alpha/n * sum of squares)^beta, n = size per axis.

    "across" sums over `size` neighbouring channels; "within" over size x size pixels of a
    channel, where zeros surround the input and n = size**2 everywhere.
    """

    size: int
    alpha: float
    beta: float
    k: float
    region: Literal["across", "within"]


@record(frozen=True, slots=True)
class MeanVarianceNorm:
    """(x - mean) / (sqrt(variance) + epsilon), per channel or across channels (per N)."""

    normalize_variance: bool
    across_channels: bool
    epsilon: float


@record(frozen=True, slots=True)
class GroupNorm:
    """(x - mean) / sqrt(variance + epsilon) over the channels of each group and all pixels, per
    N; then * scale + bias where present, each (C). As many groups as channels is instance norm.
    """

    groups: int
    epsilon: float


@record(frozen=True, slots=True)
class LayerNorm:
    """(x - mean) / sqrt(variance + epsilon) over the axes [axis, axis + num_axes), -1 for all
    from `axis` on; then * scale + bias where present, each of the shape of those axes."""

    axis: int
    epsilon: float
    num_axes: int = -1


@record(frozen=True, slots=True)
class L2Normalize:
    """x / sqrt(sum of squares + epsilon) over channels, or over channels and space; then times
    the weight scale, (C) or (1)."""

    across_spatial: bool
    epsilon: float


@record(frozen=True, slots=True)
class Relu:
    """max(x, 0) + slope * min(x, 0)."""

    slope: float = 0.0


@record(frozen=True, slots=True)
class PRelu:
    """max(x, 0) + slope_c * min(x, 0); weight slope (C) or (1)."""


@record(frozen=True, slots=True)
class Elu:
    alpha: float = 1.0


@record(frozen=True, slots=True)
class Sigmoid:
    pass


@record(frozen=True, slots=True)
class Tanh:
    pass


@record(frozen=True, slots=True)
class Power:
    """(shift + scale * x) ** power."""

    power: float = 1.0
    scale: float = 1.0
    shift: float = 0.0


@record(frozen=True, slots=True)
class Exp:
    """base ** (shift + scale * x); base None is e."""

    base: float | None = None
    scale: float = 1.0
    shift: float = 0.0


@record(frozen=True, slots=True)
class Log:
    """log_base(shift + scale * x); base None is e."""

    base: float | None = None
    scale: float = 1.0
    shift: float = 0.0


@record(frozen=True, slots=True)
class Abs:
    pass


@record(frozen=True, slots=True)
class Erf:
    """The error function, 2/sqrt(pi) times the integral of exp(-t^2) from 0 to x."""


@record(frozen=True, slots=True)
class Softplus:
    """log(1 + exp(x)) (Caffe's BNLL)."""


@record(frozen=True, slots=True)
class Threshold:
    """1 where x > threshold, else 0."""

    threshold: float = 0.0


@record(frozen=True, slots=True)
class Clip:
    low: float
    high: float


@record(frozen=True, slots=True)
class Swish:
    """x * sigmoid(beta * x)."""

    beta: float = 1.0


@record(frozen=True, slots=True)
class Gelu:
    """x * (1 + erf(x / sqrt(2))) / 2, or its approximation by tanh (Hendrycks, Gimpel 2016)."""

    tanh: bool = False


@record(frozen=True, slots=True)
class Softmax:
    """exp(x) over its sum along an axis; with `log`, the logarithm of that, computed as
    x - max - log(sum(exp(x - max))) so that nothing small is lost."""

    axis: int
    log: bool = False


@record(frozen=True, slots=True)
class ArgMax:
    """Indices (and values) of the top_k largest entries, as floats.

    With `axis`: along it, output "indices" or "values" in descending order, size top_k. Without:
    over all axes but the first, result (N, 1, top_k), or (N, 2, top_k) for "both" (indices, then
    values). Of equal values the last comes first, as in Caffe's sort of (value, index) pairs, or
    the first, as everywhere else.
    """

    axis: int | None
    top_k: int
    output: Literal["indices", "values", "both"]
    ties: Literal["last", "first"] = "last"


@record(frozen=True, slots=True)
class Tile:
    """x repeated `tiles` times along an axis. Inputs: x and any tensor `tiles` is like."""

    axis: int
    tiles: Size


@record(frozen=True, slots=True)
class Reduce:
    """coefficient * reduction over all axes from `axis` on, which disappear."""

    kind: Literal["sum", "abs_sum", "square_sum", "mean", "max", "min"]
    axis: int
    coefficient: float = 1.0


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
class Linear:
    """Inner product over all axes from `axis` on. Weights: weight (out, in), or (in, out) where
    transposed; bias (out)."""

    out_features: int
    axis: int = 1
    transposed: bool = False


@record(frozen=True, slots=True)
class MatMul:
    """The matrix product of two inputs over their last two axes, (..., M, K) times (..., K, N); the
    axes in front broadcast by NumPy's rule."""


@record(frozen=True, slots=True)
class Constant:
    """A stored tensor, the weight value of this shape, as a value. It has no inputs."""

    shape: Ints


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


def targets(operator: Operator) -> tuple[Size, ...]:
    """The sizes an operator takes from elsewhere (a Crop's, a Resize's ...), possibly none."""
    match operator:
        case Resize(size=size) | Unpool(size=size) | WindowUnpool(size=size):
            return size or ()
        case ConvTranspose(target=target):
            return target or ()
        case Crop(sizes=sizes, offsets=offsets):
            return sizes + offsets
        case Pad(begin=begin, end=end):
            return begin + end
        case Reshape(dims=dims):
            return dims
        case Tile(tiles=tiles):
            return (tiles,)
    return ()
