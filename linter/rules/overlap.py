"""UP107, UP108, UP111, UP118: how the taps of a transposed convolution cover its output."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import gcd
from typing import TYPE_CHECKING, Final

from upconv.converters.ir import operators as ops
from upconv.converters.ir.geometry import Taps, effective_kernel, taps
from upconv.converters.ir.model import Layer
from upconv.converters.ir.patterns import pattern
from upconv.linter.facts import words
from upconv.linter.facts.interpolation import cropped_behind, gain_of, interpolators
from upconv.linter.facts.nearest_idiom import repeats_pixels
from upconv.linter.rule import Hit, rule

if TYPE_CHECKING:
    from upconv.linter.context import Context

_KERNEL_FIELDS = ("kernel_size", "kernel_h", "kernel_w")


def _coverage(op: ops.ConvTranspose) -> Iterator[tuple[int, int, int, Taps]]:
    """(kernel, stride, dilation, taps by phase) of every axis that is enlarged."""
    for kernel, stride, dilation in zip(op.kernel, op.stride, op.dilation, strict=True):
        if stride > 1:
            yield kernel, stride, dilation, taps(kernel, stride, dilation)


@rule(
    "UP107",
    "uneven-overlap",
    severity="warning",
    source="Odena, Dumoulin, Olah 2016 (Distill)",
    folds=True,
)
def uneven_overlap(context: Context) -> Iterator[Hit]:
    """Learned upsampling whose kernel is no multiple of its stride, which leaves a checkerboard.

    What it finds:
        Transposed convolutions with learned or unknown weights whose kernel is not a multiple of
        the stride, so that some output pixels get more taps than their neighbours. With dilation d
        the overlap is even only where the stride divides the kernel and gcd(d, stride) = 1. What
        interpolates, with a kernel whose bilinear weights keep a constant, is never reported.

    Why it is bad:
        Some output pixels are the sum of more products than their neighbours. While weights are
        near their random start that is a checkerboard of the stride's period, and the gradients
        that flow back have it as well. Training can remove it, but often does not entirely.

    Example:
        convolution_param { num_output: 64 kernel_size: 3 stride: 2 pad: 1 }
        nn.ConvTranspose2d(64, 64, 3, stride=2, padding=1, output_padding=1)

    Use instead:
        convolution_param { num_output: 64 kernel_size: 4 stride: 2 pad: 1 }
        nn.ConvTranspose2d(64, 64, 4, stride=2, padding=1)

    Fix safety:
        There is no fix: the layer must be trained again.

    References:
        Odena, Dumoulin, Olah, Deconvolution and Checkerboard Artifacts, Distill 2016
    """
    judged = {found.layer.name for found in interpolators(context)}
    for layer in context.of(ops.ConvTranspose):
        op = layer.operator
        assert isinstance(op, ops.ConvTranspose)
        intent = context.intent(layer)
        if layer.name in judged or (intent.kind == "interpolation" and not gain_of(op)):
            continue
        for kernel, stride, dilation, counts in _coverage(op):
            if counts.phases == stride and counts.fewest < counts.most:
                low, high = counts.fewest, counts.most
                spread = f" with dilation {dilation}" if dilation > 1 else ""
                yield Hit(
                    f"kernel {kernel}{spread} is no multiple of stride {stride}: output pixels get "
                    f"{low} and {high} taps in turn along an axis, which leaves a checkerboard "
                    f"({intent.assumed})",
                    f"use a kernel that is a multiple of {stride}, as "
                    f"{stride * -(-kernel // stride)}, and train again",
                    layer,
                    words.span_of(layer, *_KERNEL_FIELDS),
                )
                break


@rule("UP108", "holes", severity="warning", source="BVLC/caffe deconv_layer.cpp", folds=True)
def holes(context: Context) -> Iterator[Hit]:
    """A transposed convolution leaves output pixels that no input reaches.

    What it finds:
        Kernels smaller than the stride, and dilations that share a factor with the stride, so that
        all taps fall on the same pixels. A layer of ones whose zeros a max pooling behind it fills
        (nearest upsampling of what is not negative) is not judged.

    Why it is bad:
        The pixels between hold nothing but the bias, whatever the weights are: a grid of dots.

    Example:
        convolution_param { num_output: 64 kernel_size: 1 stride: 2 }

    Use instead:
        convolution_param { num_output: 64 kernel_size: 2 stride: 2 }

    Fix safety:
        There is no fix: the layer must be trained again. Where the grid is meant (unpooling by
        inserting zeros), silence the finding with a comment that says so.

    References:
        BVLC/caffe src/caffe/layers/deconv_layer.cpp
    """
    for layer in context.of(ops.ConvTranspose):
        assert isinstance(layer.operator, ops.ConvTranspose)
        if repeats_pixels(context, layer):
            continue
        for kernel, stride, dilation, counts in _coverage(layer.operator):
            if counts.phases < stride:
                spread = f" with dilation {dilation}" if dilation > 1 else ""
                bias = "the bias" if "bias" in layer.weights else "0"
                yield Hit(
                    f"kernel {kernel}{spread} reaches {counts.phases} of every {stride} output "
                    f"pixels along an axis at stride {stride}; the others are {bias}",
                    _without_holes(kernel, stride, dilation),
                    layer,
                    words.span_of(layer, *_hole_fields(stride, dilation)),
                )
                break


def _without_holes(kernel: int, stride: int, dilation: int) -> str:
    """What reaches every output pixel: `stride` taps, at a dilation that is prime to it."""
    remedies = []
    if kernel < stride:
        remedies.append(f"a kernel of at least {stride}")
    if gcd(stride, dilation) > 1:
        remedies.append(f"dilation 1, or another that shares no factor with stride {stride}")
    return f"use {' and '.join(remedies)}"


def _hole_fields(stride: int, dilation: int) -> tuple[str, ...]:
    """The fields to point at, the cause first."""
    return (*(("dilation",) if gcd(stride, dilation) > 1 else ()), *_KERNEL_FIELDS)


@rule("UP111", "inexact-multiple", severity="info", source="BVLC/caffe issue 6467", folds=True)
def inexact_multiple(context: Context) -> Iterator[Hit]:
    """Upsampling whose output is not an exact multiple of its input.

    What it finds:
        Transposed convolutions with stride s > 1 whose output is not s times the input, where no
        Crop follows, no merge shows that the size is the wanted one, and PyTorch code gives the
        module no output_size where it calls it. Bilinear kernels are UP202's, an input of one pixel
        is not judged. Of source code, where what follows is not seen, pixels too many are taken for
        FCN's way (no pad, and cut to size behind) where the file crops.

    Why it is bad:
        2*in-1 or 2*in+1 pixels fit no skip connection of an even net, and shift what they hold
        against it by half a pixel or more.

    Example:
        convolution_param { num_output: 64 kernel_size: 3 stride: 2 pad: 1 }     # 2*in-1

    Use instead:
        convolution_param { num_output: 64 kernel_size: 4 stride: 2 pad: 1 }     # 2*in

    Fix safety:
        There is no fix: the layer must be trained again.

    References:
        BVLC/caffe issues 3119, 4199 and 6467 (sizes that do not invert)
    """
    judged = {found.layer.name for found in interpolators(context)}
    crops = _code_that_crops(context)
    for layer in context.of(ops.ConvTranspose):
        op = layer.operator
        assert isinstance(op, ops.ConvTranspose)
        axis = _inexact_axis(op)
        if axis is None or layer.name in judged or _has_target(layer, op):
            continue
        if excess(op, axis) > 0 and crops:
            continue
        if repeats_pixels(context, layer):
            continue
        shape = context.input_shape(layer)
        if shape is not None and set(shape[2:]) == {1}:
            continue
        if not cropped_behind(context, layer) and not _fits_a_merge(context, layer):
            yield Hit(
                f"the output has {op.stride[axis]}*in{excess(op, axis):+d} pixels along an axis, "
                f"not {op.stride[axis]}*in ({context.intent(layer).assumed})",
                _EXACT.get(layer.origin.framework, _EXACT["caffe"]).format(op.stride[axis]),
                layer,
                words.span_of(layer, "pad", "pad_h", "pad_w", *_KERNEL_FIELDS),
            )


_EXACT: Final = {
    "caffe": "make kernel - 2*pad equal to the stride {}",
    "keras": "use padding='same' without output_padding, whose output is {}*in",
    "tensorflow": "use SAME, and an output size of {}*in",
    "pytorch": "make dilation*(kernel-1)+1 - 2*padding + output_padding equal to the stride {}",
}
"""Framework -> how a layer is told to multiply its input by the stride."""


_CROPS: Final = pattern(r"crop|:\s*,\s*:\s*,", re.IGNORECASE)
"""A crop by name, or a slice of the third axis and on."""


def _code_that_crops(context: Context) -> bool:
    """Whether the file is source code that cuts feature maps anywhere."""
    text = context.source.text if context.source is not None else ""
    return not context.net.has_graph and _CROPS.search(text) is not None


def _has_target(layer: Layer, op: ops.ConvTranspose) -> bool:
    """Whether something else decides the output's size."""
    call = layer.origin.written.call
    return op.target is not None or (call is not None and call.sized)


def excess(op: ops.ConvTranspose, axis: int) -> int:
    """Output size minus stride * input size: ke - stride - pads + output_padding."""
    extent = effective_kernel(op.kernel[axis], op.dilation[axis])
    pads = op.pads_begin[axis] + op.pads_end[axis]
    return extent - op.stride[axis] - pads + op.output_padding[axis]


def _inexact_axis(op: ops.ConvTranspose) -> int | None:
    axes = range(len(op.kernel))
    return next((a for a in axes if op.stride[a] > 1 and excess(op, a)), None)


def _fits_a_merge(context: Context, layer: Layer) -> bool:
    """Whether the output, or what is computed from it at the same size, meets another branch."""
    waiting, seen = list(layer.outputs), set(layer.outputs)
    while waiting:
        for consumer in context.consumers.get(waiting.pop(), ()):
            if isinstance(consumer.operator, ops.Eltwise | ops.Concat) and len(consumer.inputs) > 1:
                return True
            if isinstance(consumer.operator, ops.POINTWISE):
                fresh = [value for value in consumer.outputs if value not in seen]
                seen.update(fresh)
                waiting += fresh
    return False


@rule(
    "UP118",
    "stretched-by-nearest",
    severity="warning",
    source="BVLC/caffe issue 6467",
    folds=True,
)
def stretched_by_nearest(context: Context) -> Iterator[Hit]:
    """A nearest resize makes up for the pixel that a transposed convolution lacks.

    What it finds:
        Nearest resizes by less than the stride of the transposed convolution before them, with
        nothing but pointwise layers between: 2n-1 pixels brought to 2n.

    Why it is bad:
        One row and one column in the picture are there twice, and what lies behind them is moved by
        a pixel. The transposed convolution can make the right size itself.

    Example:
        kernel 3, stride 2, pad 1 (31 pixels of 16), then a nearest resize to 32

    Use instead:
        kernel 4, stride 2, pad 1; or output_padding 1

    Fix safety:
        There is no fix: the layer must be trained again.

    References:
        BVLC/caffe issue 6467 (sizes that do not invert)
    """
    for layer in context.of(ops.Resize):
        assert isinstance(layer.operator, ops.Resize)
        made = _transposed_before(context, layer)
        before, after = context.input_shape(layer), context.output_shape(layer)
        if layer.operator.mode != "nearest" or made is None or before is None or after is None:
            continue
        assert isinstance(made.operator, ops.ConvTranspose)
        for small, large, stride in zip(before[2:], after[2:], made.operator.stride, strict=True):
            if isinstance(small, int) and isinstance(large, int) and 0 < large - small < stride:
                yield Hit(
                    f"'{made.name}' makes {small} pixels along an axis, which a nearest resize "
                    f"brings to {large}: it repeats {large - small} of them",
                    "let the transposed convolution make the size: a kernel of a multiple of "
                    f"{stride}, or output_padding",
                    layer,
                )
                break


def _transposed_before(context: Context, layer: Layer) -> Layer | None:
    """The transposed convolution before a layer, through pointwise layers of one input."""
    for _ in range(len(context.net.layers)):
        made = context.producers.get(layer.inputs[0]) if layer.inputs else None
        if made is None or isinstance(made.operator, ops.ConvTranspose):
            return made
        if not isinstance(made.operator, ops.POINTWISE) or len(made.inputs) > 1:
            return None
        layer = made
    return None
