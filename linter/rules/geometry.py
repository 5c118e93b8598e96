"""UP1xx: sizes of single layers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from upconv.converters.ir import operators as ops
from upconv.converters.ir.geometry import effective_kernel
from upconv.converters.ir.model import Layer
from upconv.converters.ir.origin import Span
from upconv.linter.facts import words
from upconv.linter.facts.terms import terms_of
from upconv.linter.fixing.crop_remedies import crop_offset
from upconv.linter.rule import Hit, rule

if TYPE_CHECKING:
    from upconv.linter.context import Context


@rule("UP101", "output-not-positive", severity="error", source="BVLC/caffe conv_layer.cpp")
def output_not_positive(context: Context) -> Iterator[Hit]:
    """A layer's output would have a size of 0 or less.

    What it finds:
        Convolutions, transposed convolutions and poolings whose kernel does not fit into the padded
        input, or whose pad crops everything away.

    Why it is bad:
        Caffe aborts when it builds the net.

    Example:
        layer { name: "up" type: "Deconvolution" bottom: "x" top: "up"      # x is 1x8x1x1
          convolution_param { num_output: 8 kernel_size: 2 stride: 2 pad: 1 } }

    Use instead:
        convolution_param { num_output: 8 kernel_size: 4 stride: 2 pad: 1 }

    Fix safety:
        There is no fix: a larger input may be what was meant.

    References:
        BVLC/caffe src/caffe/layers/{conv,deconv,pooling}_layer.cpp
    """
    for layer, error in context.contradictions("non_positive"):
        yield Hit(
            f"{error.message}: {'; '.join(dict.fromkeys(_non_positive_axes(context, layer)))}",
            _smallest_input(layer),
            layer,
        )


def _non_positive_axes(context: Context, layer: Layer) -> Iterator[str]:
    from upconv.converters.audit.formulas import Axis, formula

    before, after = context.input_shape(layer), context.output_shape(layer)
    assert before is not None and after is not None
    for index, (old, new) in enumerate(zip(before[2:], after[2:], strict=False)):
        if isinstance(new, int) and new <= 0:
            yield formula(layer, Axis(index, old, new))


def _smallest_input(layer: Layer) -> str:
    match layer.operator:
        case ops.Conv() | ops.Pool() as op:
            needs = [
                str(max(effective_kernel(k, d) - a - b, 1))
                for k, d, a, b in zip(
                    op.kernel, op.dilation, op.pads_begin, op.pads_end, strict=True
                )
            ]
            return f"give it an input of at least {'x'.join(needs)}, or a smaller kernel"
        case ops.ConvTranspose():
            return "lower pad, enlarge kernel_size, or give it a larger input"
    return "give it a larger input"


@rule("UP104", "crop-out-of-bounds", severity="error", source="BVLC/caffe crop_layer.cpp")
def crop_out_of_bounds(context: Context) -> Iterator[Hit]:
    """A Crop reaches beyond its input.

    What it finds:
        Crops with offset + size of the reference > size of the input on a cropped axis.

    Why it is bad:
        Caffe aborts when it builds the net.

    Example:
        layer { name: "score" type: "Crop" bottom: "up" bottom: "data" top: "score"
          crop_param { axis: 2 offset: 19 } }      # up is 512x512, data 500x500

    Use instead:
        Pad the first convolution (FCN uses pad: 100) or lower the offset to what is there.

    Fix safety:
        Unsafe: the offset becomes the one that aligns both inputs, where that is whole and fits.

    References:
        BVLC/caffe src/caffe/layers/crop_layer.cpp; shelhamer/fcn.berkeleyvision.org
    """
    for layer, error in context.contradictions("crop"):
        where = words.span_of(layer, "offset")
        help_text = _largest_offsets(context, layer)
        yield Hit(
            f"the crop is out of bounds: {error.message}",
            help_text,
            layer,
            where,
            fix=crop_offset(context, layer),
        )


def _largest_offsets(context: Context, layer: Layer) -> str:
    op = layer.operator
    before, after = context.input_shape(layer), context.output_shape(layer)
    assert isinstance(op, ops.Crop) and before is not None and after is not None
    axis = op.axis % len(before)
    slack = [a - b for a, b in zip(before[axis:], after[axis:], strict=False)][: len(op.sizes)]
    short = [-s for s in slack if isinstance(s, int) and s < 0]
    if short:
        return f"'{layer.inputs[0]}' must grow by at least {max(short)} (pad a layer before it)"
    return f"the offset can be at most {', '.join(str(s) for s in slack)}"


@rule("UP109", "output-padding-too-large", severity="error", source="ONNX ConvTranspose")
def output_padding_too_large(context: Context) -> Iterator[Hit]:
    """A transposed convolution's output_padding is not smaller than its stride or dilation.

    What it finds:
        output_padding >= max(stride, dilation) on an axis.

    Why it is bad:
        Such rows and columns are reached by no input: they hold only the bias. PyTorch refuses it,
        and so do several runtimes.

    Example:
        ConvTranspose2d(8, 8, kernel_size=4, stride=2, output_padding=2)

    Use instead:
        ConvTranspose2d(8, 8, kernel_size=4, stride=2, output_padding=1)

    Fix safety:
        There is no fix: sizes behind the layer depend on it.

    References:
        pytorch/pytorch aten/src/ATen/native/Convolution.cpp; ONNX ConvTranspose
    """
    for layer in context.of(ops.ConvTranspose):
        op = layer.operator
        assert isinstance(op, ops.ConvTranspose)
        for extra, stride, dilation in zip(op.output_padding, op.stride, op.dilation, strict=True):
            if extra >= max(stride, dilation):
                yield Hit(
                    f"output_padding {extra} is not smaller than max(stride {stride}, "
                    f"dilation {dilation})",
                    f"use at most {max(stride, dilation) - 1}, or a larger kernel",
                    layer,
                    words.span_of(layer, "output_padding"),
                )
                break


@rule(
    "UP110",
    "half-given-pair",
    severity="error",
    source="BVLC/caffe base_conv_layer.cpp",
    formats=("caffe",),
)
def half_given_pair(context: Context) -> Iterator[Hit]:
    """Of a pair of fields for height and width only one is given.

    What it finds:
        kernel_h without kernel_w, stride_h without stride_w, pad_h without pad_w, and the reverse.

    Why it is bad:
        Caffe takes the other one as 0: it aborts (kernel), divides by zero (a convolution's
        stride), or pads one axis only (a convolution's pad, which is a warning where the kernel has
        more than one pixel along the other axis: one of 3x1 needs no pad there).

    Example:
        convolution_param { num_output: 8 kernel_h: 3 kernel_w: 3 pad_h: 1 }

    Use instead:
        convolution_param { num_output: 8 kernel_h: 3 kernel_w: 3 pad_h: 1 pad_w: 1 }

    Fix safety:
        There is no fix yet.

    References:
        BVLC/caffe src/caffe/layers/{base_conv,pooling}_layer.cpp, LayerSetUp
    """
    yield from context.notices("UP110")
    yield from context.in_each(_half_padded, ops.Conv, ops.ConvTranspose)


def _half_padded(layer: Layer) -> Iterator[Hit]:
    params = words.params_of(layer)
    assert isinstance(layer.operator, ops.Conv | ops.ConvTranspose)
    for given, absent, axis in (("pad_h", "pad_w", 1), ("pad_w", "pad_h", 0)):
        if layer.operator.kernel[axis : axis + 1] == (1,):
            continue
        if params.has(given) and not params.has(absent) and params.int(given, 0) != 0:
            yield Hit(
                f"{given} is given without {absent}, which Caffe takes as 0: "
                "one axis is padded, the other is not",
                f"write {absent} too, {absent}: 0 where that is meant",
                layer,
                words.span_of(layer, given),
                severity="warning",
            )


@rule("UP114", "impossible-layer", severity="error", source="BVLC/caffe layer SetUp checks")
def impossible_layer(context: Context) -> Iterator[Hit]:
    """A layer cannot work on the input it gets.

    What it finds:
        Channels that do not divide into the groups, inputs with too few or too many axes, an axis
        the input does not have, a reshape into another number of values.

    Why it is bad:
        Caffe aborts when it builds the net.

    Example:
        layer { name: "up" type: "Deconvolution" bottom: "x" top: "up"      # x has 60 channels
          convolution_param { num_output: 21 group: 21 kernel_size: 4 stride: 2 pad: 1 } }

    Use instead:
        num_output and group that divide the input's channels; for interpolation both equal them.

    Fix safety:
        There is no fix: either the layer or its input is wrong.

    References:
        BVLC/caffe src/caffe/layers/base_conv_layer.cpp, reshape_layer.cpp, slice_layer.cpp
    """
    for layer, error in context.contradictions("channels", "rank", "axis", "reshape", "weights"):
        if error.kind == "rank" and _takes_any_rank(layer):
            continue
        yield Hit(error.message, _cure(layer, error.kind), layer, _cause(layer, error.kind))


def _takes_any_rank(layer: Layer) -> bool:
    """Caffe's resizing layers ask for height() and width(), which are 1 where there is no such
    axis: a label of one number an image is resized as it is."""
    return layer.origin.framework == "caffe" and isinstance(layer.operator, ops.Resize)


def _cure(layer: Layer, kind: str) -> str:
    terms = terms_of(layer)
    if kind == "channels" and terms.groups is not None:
        return f"make {terms.groups} divide both {terms.out_channels} and the input's channels"
    return _CURES[kind]


_CURES = {
    "channels": "give the layer an input with as many channels as its weights are for",
    "rank": "check which blob the layer reads",
    "axis": "check the axis against the input's shape",
    "reshape": "make the product of the dims equal the number of values",
    "weights": "give the weights that belong to this net",
}


def _cause(layer: Layer, kind: str) -> Span | None:
    names = {"channels": ("group",), "axis": ("axis",), "reshape": ("shape",)}
    return words.span_of(layer, *names.get(kind, ()))
