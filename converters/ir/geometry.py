"""Every output-size and padding formula, one home each, on ints, Dims and integer arrays.

Sizes are in pixels along one spatial axis. Where a formula takes per-axis tuples, it says so.
"""

from __future__ import annotations

from math import gcd
from typing import Any, Final, Literal

from upconv.converters.ir.dims import ceil_div, maximum, minimum
from upconv.converters.ir.records import record


def effective_kernel(kernel: int, dilation: int) -> int:
    """Extent of a dilated kernel: dilation*(kernel-1)+1 (Caffe base_conv_layer.cpp).

    >>> effective_kernel(3, 2)
    5
    """
    return dilation * (kernel - 1) + 1


@record(frozen=True, slots=True)
class Taps:
    """How the taps of one axis fall on the output pixels of each phase: how many phases get any,
    and the fewest and the most that one of those gets."""

    phases: int
    fewest: int
    most: int


def taps(kernel: int, stride: int, dilation: int) -> Taps:
    """How many taps of a transposed convolution reach each phase of its output. Tap j falls on
    phase dilation*j mod stride, which comes back every stride/gcd(dilation, stride) taps.

    >>> taps(3, 2, 1), taps(2, 2, 2)
    (Taps(phases=2, fewest=1, most=2), Taps(phases=1, fewest=2, most=2))
    """
    period = stride // gcd(dilation, stride)
    fewest, more = divmod(kernel, period)
    if not fewest:
        return Taps(kernel, 1, 1)
    return Taps(period, fewest, fewest + bool(more))


def conv_size(
    size: Any, kernel: int, stride: int, dilation: int, pad_begin: int, pad_end: int
) -> Any:
    """Output size of a convolution, floor((in + pads - ke)/stride) + 1 (Caffe conv_layer.cpp;
    ONNX Conv).

    >>> conv_size(7, 3, 2, 1, 1, 1)
    4
    """
    more = pad_begin + pad_end - effective_kernel(kernel, dilation)
    return (size + more) // stride + 1


def full_size(size: Any, kernel: int, stride: int, dilation: int) -> Any:
    """Size of a transposed convolution before padding crops it: stride*(in-1) + ke."""
    return stride * (size - 1) + effective_kernel(kernel, dilation)


def conv_transpose_size(
    size: Any,
    kernel: int,
    stride: int,
    dilation: int,
    pad_begin: int,
    pad_end: int,
    output_padding: int = 0,
) -> Any:
    """Output size of a transposed convolution (Caffe deconv_layer.cpp; ONNX ConvTranspose):
    stride*(in-1) + dilation*(kernel-1)+1 - pad_begin - pad_end + output_padding.

    >>> conv_transpose_size(16, 64, 32, 1, 0, 0)
    544
    """
    return full_size(size, kernel, stride, dilation) - pad_begin - pad_end + output_padding


def conv_transpose_size_inverse(
    out: int, kernel: int, stride: int, dilation: int, pad_begin: int, pad_end: int, extra: int = 0
) -> int | None:
    """The input size that gives `out`, or None: the map is not onto.

    >>> conv_transpose_size_inverse(32, 4, 2, 1, 1, 1)
    16
    >>> conv_transpose_size_inverse(33, 4, 2, 1, 1, 1) is None
    True
    """
    steps = out - effective_kernel(kernel, dilation) + pad_begin + pad_end - extra
    size, rest = divmod(steps, stride)
    return None if rest or size < 0 else size + 1


def pool_size(
    size: Any,
    kernel: int,
    stride: int,
    dilation: int,
    pad_begin: int,
    pad_end: int,
    *,
    rounding: Literal["floor", "ceil"],
    clip: bool,
) -> Any:
    """Output size of a pooling (Caffe pooling_layer.cpp; torch pooling_output_shape).

    round((in + pads - ke)/stride) + 1, and where `clip` is set one less if the last window would
    start at or past in + pad_begin. The last start's index is bounded by
    ceil((in + pad_begin)/stride), which is that condition without a branch.

    >>> pool_size(7, 2, 2, 1, 0, 0, rounding="ceil", clip=False)
    4
    >>> pool_size(7, 2, 2, 1, 1, 1, rounding="ceil", clip=True)
    4
    """
    span = size + pad_begin + pad_end - effective_kernel(kernel, dilation)
    steps = ceil_div(span, stride) if rounding == "ceil" else span // stride
    out = steps + 1
    if clip:
        out = minimum(out, ceil_div(size + pad_begin, stride))
    return out


def interp_size(
    size: Any, shrink: int | None, zoom: int | None, pad_begin: int = 0, pad_end: int = 0
) -> Any:
    """Output size of Caffe forks' Interp layer (DeepLab interp_layer.cpp), pads at most 0.

    >>> interp_size(33, None, 8)
    257
    """
    effective = size + pad_begin + pad_end
    if shrink is not None:
        effective = (effective - 1) // shrink + 1
    if zoom is not None:
        effective = effective + (effective - 1) * (zoom - 1)
    return effective


def target_pads(
    full: Any, target: Any, placement: Literal["same", "valid", "begin"], begin: int = 0
) -> tuple[Any, Any, Any]:
    """(pad_begin, pad_end, output_padding) that crop a transposed convolution of size `full` to
    `target`.

    P = max(full - target, 0) is cut: "same" (TensorFlow) P//2 at the begin and the odd pixel at
    the end, "valid" all at the end, "begin" the given amount at the begin and the rest at the end.
    What the target has beyond `full` is output padding.

    >>> target_pads(7, 6, "same")
    (0, 1, 0)
    >>> target_pads(5, 6, "valid")
    (0, 0, 1)
    """
    cut = maximum(full - target, 0)
    first = {"same": cut // 2, "valid": 0, "begin": begin}[placement]
    end = cut - first
    return first, maximum(end, 0), maximum(target - full + first, 0)


def same_pads(size: Any, kernel: int, stride: int, dilation: int) -> tuple[Any, Any]:
    """(pad_begin, pad_end) of TensorFlow's SAME for a convolution or pooling, out = ceil(in/s):
    max((out-1)*s + ke - in, 0), half of it at the begin and the odd pixel at the end
    (tensorflow/core/framework/kernel_shape_util.cc).

    >>> same_pads(7, 3, 2, 1), same_pads(8, 3, 2, 1)
    ((1, 1), (0, 1))
    """
    extent = effective_kernel(kernel, dilation)
    total = (ceil_div(size, stride) - 1) * stride + extent - size
    if extent < stride:  # else it is never negative, and without the maximum expressions stay short
        total = maximum(total, 0)
    return total // 2, total - total // 2


def fixed_same_pads(kernel: int, stride: int, dilation: int) -> tuple[int, int] | None:
    """(pad_begin, pad_end) that mean SAME for inputs of every size, None where the begin depends
    on the size.

    An end of ke-1-begin is enough for every size, and what of it no window reaches does nothing.

    >>> fixed_same_pads(3, 1, 1), fixed_same_pads(2, 2, 1), fixed_same_pads(3, 2, 1)
    ((1, 1), (0, 1), None)
    """
    extent = effective_kernel(kernel, dilation)
    begin, least = (extent - 1) // 2, max(extent - stride, 0) // 2  # of sizes that leave 1 and 0
    return (begin, extent - 1 - begin) if begin == least else None


def keras_transposed_size(
    size: Any,
    kernel: int,
    stride: int,
    dilation: int,
    padding: Literal["same", "valid"],
    output_padding: int | None = None,
) -> Any:
    """Output size of Keras's Conv*DTranspose (keras/src/backend/common/backend_utils.py,
    compute_conv_transpose_output_length).

    >>> [keras_transposed_size(5, 3, 2, 1, "same", extra) for extra in (None, 0, 1)]
    [10, 9, 10]
    """
    extent = effective_kernel(kernel, dilation)
    if output_padding is None:
        return size * stride + (max(extent - stride, 0) if padding == "valid" else 0)
    cut = 2 * (extent // 2) if padding == "same" else 0
    return full_size(size, kernel, stride, dilation) - cut + output_padding


def keras_torch_pads(
    kernel: int,
    stride: int,
    dilation: int,
    padding: Literal["same", "valid"],
    output_padding: int | None = None,
) -> tuple[int, int]:
    """(padding of both sides, output padding) that Keras 3 up to 3.14 gives torch's transposed
    convolution (keras/src/backend/common/backend_utils.py,
    _convert_conv_transpose_padding_args_from_keras_to_torch). Torch refuses an output padding
    that is not smaller than the stride.

    >>> keras_torch_pads(3, 2, 1, "same"), keras_torch_pads(2, 3, 1, "valid")
    ((1, 1), (0, 1))
    """
    extent = effective_kernel(kernel, dilation)
    if padding == "valid":
        extra = max(stride - extent, 0) if output_padding is None else output_padding
        return 0, extra
    odd = extent % 2
    wanted = odd - extent + (stride - odd if output_padding is None else output_padding)
    cut = max(-(wanted // 2), 0)
    return cut, 2 * cut + wanted


def tensorflow_inverts(
    size: Any,
    target: Any,
    kernel: int,
    stride: int,
    dilation: int,
    padding: Literal["same", "valid"],
) -> bool:
    """Whether TensorFlow accepts `target` as output size of a transposed convolution of `size`:
    the convolution from `target` must give `size` back (conv_grad_shape_utils.cc).

    >>> tensorflow_inverts(5, 9, 3, 2, 1, "same"), tensorflow_inverts(5, 8, 4, 2, 1, "same")
    (True, False)
    """
    if padding == "same":
        return bool(-stride < target - size * stride <= 0)
    return bool(0 <= target - full_size(size, kernel, stride, dilation) < stride)


def bilinear_kernel_size(factor: int) -> int:
    """Kernel of the interpolation convention for a factor: 2f - f%2 (BVLC/caffe PR 2213).

    >>> [bilinear_kernel_size(f) for f in (2, 3, 4, 8)]
    [4, 5, 8, 16]
    """
    return 2 * factor - factor % 2


def bilinear_pad(factor: int) -> int:
    """Pad of the interpolation convention for a factor: ceil((f-1)/2), so that out = f*in.

    >>> [bilinear_pad(f) for f in (2, 3, 4, 8)]
    [1, 1, 2, 4]
    """
    return factor // 2


def bilinear_taps(kernel: int) -> tuple[tuple[int, ...], int]:
    """One axis of the bilinear kernel, as integers over a common denominator.

    f = ceil(k/2), w[x] = 1 - |x/f - (k-1)/(2f)| (Caffe filler.hpp), here times 2f.

    >>> bilinear_taps(4)
    ((1, 3, 3, 1), 4)
    """
    double = 2 * ((kernel + 1) // 2)
    return tuple(double - abs(2 * x - (kernel - 1)) for x in range(kernel)), double


BILINEAR_TOLERANCE: Final = 1e-6
"""How far a stored weight may lie from the number it is meant to be, numbers up to 1.

A bilinear weight is m/(4f^2), m an integer. Stored in float32 it is off by up to 3e-8, and by up to
1.8e-7 where each step of the formula was rounded, as in Caffe (kernels to 64). Five times that is
still a 240th of the smallest weight of a 64 x 64 kernel. float16 has 11 bits for m: kernels of the
factors 2, 4, 8 and 16 are exact in it, others are off by up to 2.4e-4, no longer add up to 1, and
are taken for what they are.
"""


def inferred_axis(total: Any, known: Any) -> Any:
    """The size of the axis a reshape infers: total over the product of the known axes."""
    return total // known


def segments(size: Any, points: tuple[int, ...], parts: int) -> tuple[Any, ...]:
    """Sizes of the parts of a split axis (Caffe slice_layer.cpp): at `points`, or even.

    >>> segments(8, (2, 5), 3)
    (2, 3, 3)
    """
    if not points:
        return (size // parts,) * parts
    edges = (0, *points, size)
    return tuple(edges[i + 1] - edges[i] for i in range(len(edges) - 1))


def onnx_transposed_pads(full: Any, target: Any, *, upper: bool) -> tuple[Any, Any]:
    """(pad_begin, pad_end) of ONNX's ConvTranspose where output_shape or auto_pad names the size:
    full - target is cut, the odd pixel at the end for SAME_UPPER and else at the begin (ONNX
    operators, ConvTranspose). `full` is the size without pads, output padding included.

    >>> onnx_transposed_pads(11, 10, upper=True), onnx_transposed_pads(11, 10, upper=False)
    ((0, 1), (1, 0))
    """
    total = full - target
    half = total // 2
    return (half, total - half) if upper else (total - half, half)


def cells_inside(count: int, kernel: int, stride: int, begin: int, size: int) -> list[int]:
    """How many cells of each of `count` windows lie inside an axis of this size; 1 for a window
    that lies outside, of which nothing is seen.

    >>> cells_inside(3, 2, 2, 1, 4)
    [1, 2, 1]
    """
    starts = (stride * index - begin for index in range(count))
    return [max(min(start + kernel, size) - max(start, 0), 1) for start in starts]
