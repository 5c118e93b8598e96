"""UP201 to UP207: interpolation written as a transposed convolution."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from upconv.converters.ir import operators as ops
from upconv.converters.ir.geometry import bilinear_kernel_size, bilinear_pad
from upconv.converters.ir.model import Layer
from upconv.converters.ir.tensors import Weight
from upconv.linter.facts import words
from upconv.linter.facts.interpolation import Interpolator, cropped_behind, gain_of, interpolators
from upconv.linter.facts.stored import is_zero
from upconv.linter.facts.terms import terms_of
from upconv.linter.fixing import remedies
from upconv.linter.rule import Hit, rule

if TYPE_CHECKING:
    from upconv.linter.context import Context

_KERNEL_FIELDS = ("kernel_size", "kernel_h", "kernel_w")
_PAD_FIELDS = ("pad", "pad_h", "pad_w")


def _each(sizes: tuple[int, ...]) -> str:
    """One number where all axes agree, else 4x6."""
    return str(sizes[0]) if len(set(sizes)) == 1 else "x".join(map(str, sizes))


@rule("UP201", "bilinear-kernel-size", severity="error", source="BVLC/caffe PR 2213")
def bilinear_kernel_size_wrong(context: Context) -> Iterator[Hit]:
    """A bilinear upsampling layer whose kernel does not belong to its stride.

    What it finds:
        Transposed convolutions with the bilinear kernel where kernel_size is not 2f - f%2 for the
        factor f = stride. Learned upsampling is not judged.

    Why it is bad:
        The weights that meet in an output pixel no longer sum to 1: with kernel_size 2 and stride 2
        every value comes out as a quarter of itself. With kernel_size 2f and an odd f values stay,
        but no pad can centre the result: it is half a pixel off (reported as a warning, where no
        Crop follows).

    Example:
        convolution_param { num_output: 8 group: 8 bias_term: false kernel_size: 2 stride: 2
          weight_filler { type: "bilinear" } }

    Use instead:
        convolution_param { num_output: 8 group: 8 bias_term: false kernel_size: 4 stride: 2 pad: 1
          weight_filler { type: "bilinear" } }

    Fix safety:
        Unsafe: the numbers change, and the output's size may.

    References:
        BVLC/caffe include/caffe/filler.hpp (BilinearFiller) and PR 2213
    """
    for found in interpolators(context):
        op, gain = found.op, gain_of(found.op)
        mended = not gain and cropped_behind(context, found.layer)
        if not found.kernel_fits and not mended:
            effect = (
                f"a constant 1 comes out as {gain}"
                if gain
                else "the result is half a pixel off, whatever the pad"
            )
            yield Hit(
                f"kernel_size {_each(op.kernel)} does not belong to stride {_each(op.stride)}: "
                f"{effect} ({found.intent.assumed})",
                _kernel_help(op),
                found.layer,
                words.span_of(found.layer, *_KERNEL_FIELDS),
                severity=None if gain else "warning",
                fix=remedies.interpolation_sizes(context, found),
            )


def _kernel_help(op: ops.ConvTranspose) -> str:
    kernel = _each(tuple(bilinear_kernel_size(s) for s in op.stride))
    pad = _each(tuple(bilinear_pad(s) for s in op.stride))
    text = f"to enlarge by {_each(op.stride)}, set kernel_size: {kernel} and pad: {pad}"
    factor = (op.kernel[0] + 1) // 2
    if len(set(op.kernel)) == 1 and op.kernel[0] == bilinear_kernel_size(factor):
        text += f"; for this kernel, set stride: {factor} and pad: {bilinear_pad(factor)}"
    return text


@rule("UP202", "bilinear-pad", severity="error", source="BVLC/caffe PR 2213")
def bilinear_pad_wrong(context: Context) -> Iterator[Hit]:
    """A bilinear upsampling layer whose pad does not centre the result.

    What it finds:
        Transposed convolutions with the bilinear kernel of their stride f where pad is not
        ceil((f-1)/2). A smaller pad is accepted where a Crop follows, as in FCN: the Crop's offset
        can make up for it.

    Why it is bad:
        The output is not f times the input, and everything in it is shifted against the input.

    Example:
        convolution_param { num_output: 8 group: 8 bias_term: false kernel_size: 4 stride: 2
          weight_filler { type: "bilinear" } }

    Use instead:
        convolution_param { num_output: 8 group: 8 bias_term: false kernel_size: 4 stride: 2 pad: 1
          weight_filler { type: "bilinear" } }

    Fix safety:
        Unsafe: the output's size changes.

    References:
        BVLC/caffe include/caffe/filler.hpp (BilinearFiller) and PR 2213
    """
    for found in interpolators(context):
        if found.kernel_fits and not found.pad_fits:
            expected = tuple(bilinear_pad(s) for s in found.op.stride)
            too_small = all(p <= e for p, e in zip(found.op.pads_begin, expected, strict=True))
            if too_small and cropped_behind(context, found.layer):
                continue
            yield Hit(
                f"pad {_each(found.op.pads_begin)} does not centre the result: "
                f"{_pad_effect(found.op, expected)} ({found.intent.assumed})",
                f"set pad: {_each(expected)}, or crop the output by it",
                found.layer,
                words.span_of(found.layer, *_PAD_FIELDS),
                fix=remedies.interpolation_pad(context, found),
            )


def _pad_effect(op: ops.ConvTranspose, expected: tuple[int, ...]) -> str:
    """The output's size per axis, and by how much its contents are shifted."""
    excess = [
        kernel - stride - begin - end
        for kernel, stride, begin, end in zip(
            op.kernel, op.stride, op.pads_begin, op.pads_end, strict=True
        )
    ]
    axis = next(i for i, (p, e) in enumerate(zip(op.pads_begin, expected, strict=True)) if p != e)
    shift = expected[axis] - op.pads_begin[axis]
    plural = "" if abs(shift) == 1 else "s"
    size = f"{op.stride[axis]}*in{excess[axis]:+d}" if excess[axis] else f"{op.stride[axis]}*in"
    return f"the output has {size} pixels, shifted by {shift:+d} pixel{plural}"


@rule("UP203", "bilinear-group", severity="error", source="BVLC/caffe filler.hpp")
def bilinear_group(context: Context) -> Iterator[Hit]:
    """A bilinear upsampling layer that mixes its channels.

    What it finds:
        Transposed convolutions whose bilinear kernel stands in every (input, output) pair of
        channels, with group smaller than num_output and more than one input channel. Where weights
        are given they decide: a kernel on the diagonal only is no defect. A deploy net whose layer
        was trained (lr_mult is not 0) takes its weights from a caffemodel: without it, a warning.

    Why it is bad:
        Caffe's bilinear filler writes the kernel to every pair, so that each output channel is the
        sum of all input channels of its group, and all of them are equal.

    Example:
        convolution_param { num_output: 21 bias_term: false kernel_size: 4 stride: 2 pad: 1
          weight_filler { type: "bilinear" } }

    Use instead:
        convolution_param { num_output: 21 group: 21 bias_term: false kernel_size: 4 stride: 2
          pad: 1 weight_filler { type: "bilinear" } }

    Fix safety:
        Unsafe: the numbers change, and a caffemodel's blob no longer fits.

    References:
        BVLC/caffe include/caffe/filler.hpp (BilinearFiller)
    """
    for found in interpolators(context):
        op = found.op
        if found.pattern != "every pair" or op.groups == op.out_channels:
            continue
        if found.channels is not None and found.channels <= op.groups:
            continue
        terms = terms_of(found.layer)
        groups, channels = terms.groups or "groups", terms.out_channels
        yield Hit(
            f"{groups} {op.groups} with {channels} {op.out_channels} mixes channels: "
            f"{_mixing(found)} ({found.intent.assumed})",
            f"set {groups}: {op.out_channels}, and {channels} to the number of input channels",
            found.layer,
            words.span_of(found.layer, "group", "num_output"),
            severity="warning" if _comes_trained(context, found.layer) else None,
            fix=remedies.interpolation_channels(context, found),
        )


def _comes_trained(context: Context, layer: Layer) -> bool:
    """Whether the weights are those of a training that went on elsewhere, and are not given."""
    rate, _, _ = words.multipliers(layer, 0)
    given = layer.weights.get("weight", Weight(None)).present
    return bool(rate) and not given and not context.training.trains


def _mixing(found: Interpolator) -> str:
    if found.channels is None:
        return "each output channel is the sum of all input channels of its group"
    summed = found.channels // found.op.groups
    return f"each output channel is the sum of {summed} input channels"


@rule("UP204", "bilinear-channels", severity="error", source="BVLC/caffe base_conv_layer.cpp")
def bilinear_channels(context: Context) -> Iterator[Hit]:
    """A bilinear upsampling layer with more or fewer channels than its input.

    What it finds:
        Transposed convolutions with the bilinear kernel and num_output = group, where the input has
        a multiple of that many channels; and with group = input channels, where num_output is a
        multiple. Seen from inferred shapes, or from the stored weights.

    Why it is bad:
        Caffe accepts it. With 512 input channels and num_output = group = 256 each output is the
        sum of two neighbouring channels.

    Example:
        layer { name: "up" type: "Deconvolution" bottom: "x" top: "up"      # x has 512 channels
          convolution_param { num_output: 256 group: 256 bias_term: false kernel_size: 4 stride: 2
            pad: 1 weight_filler { type: "bilinear" } } }

    Use instead:
        num_output: 512 group: 512

    Fix safety:
        Unsafe: the numbers and the output's channels change.

    References:
        BVLC/caffe src/caffe/layers/base_conv_layer.cpp
    """
    for found in interpolators(context):
        effect = _channels_effect(found)
        if effect:
            terms = terms_of(found.layer)
            groups, channels = terms.groups or "groups", terms.out_channels
            yield Hit(
                f"{channels} {found.op.out_channels} and {groups} {found.op.groups} on "
                f"{found.channels} input channels: {effect} ({found.intent.assumed})",
                f"set {channels}: {found.channels} and {groups}: {found.channels}, or reduce the "
                "channels with a 1x1 convolution first",
                found.layer,
                words.span_of(found.layer, "num_output"),
                fix=remedies.interpolation_channels(context, found),
            )


def _channels_effect(found: Interpolator) -> str:
    channels, groups, outputs = found.channels, found.op.groups, found.op.out_channels
    if channels is None or channels % groups:
        return ""
    if groups == outputs and channels > groups:
        return f"each output is the sum of {channels // groups} neighbouring channels"
    if groups == channels and outputs > groups and found.pattern != "diagonal":
        return f"each channel comes out {outputs // groups} times"
    return ""


@rule("UP205", "bilinear-bias", severity="warning", source="BVLC/caffe PR 2213")
def bilinear_bias(context: Context) -> Iterator[Hit]:
    """A bilinear upsampling layer with a bias.

    What it finds:
        Transposed convolutions with the bilinear kernel and a bias (bias_term is true where it is
        not written). A bias that is stored as zeros, or that is zero and frozen, is accepted.

    Why it is bad:
        Interpolation adds nothing. The bias has an lr_mult of its own, 1 where it is not written,
        so that training moves it even where the kernel is frozen.

    Example:
        convolution_param { num_output: 8 group: 8 kernel_size: 4 stride: 2 pad: 1
          weight_filler { type: "bilinear" } }

    Use instead:
        convolution_param { num_output: 8 group: 8 bias_term: false kernel_size: 4 stride: 2 pad: 1
          weight_filler { type: "bilinear" } }

    Fix safety:
        Safe where weights are given and hold no bias for the layer, since Caffe refuses them with
        one. Unsafe where none are given. Where they hold a bias there is no fix: the numbers would
        change, and Caffe would refuse the blob.

    References:
        BVLC/caffe include/caffe/filler.hpp (BilinearFiller) and PR 2213
    """
    for found in interpolators(context):
        if _has_bias(found.layer):
            written = words.span_of(found.layer, "bias_term")
            reason = "bias_term is true" if written else "bias_term is true where it is not written"
            yield Hit(
                f"an interpolation has a bias: {reason} ({found.intent.assumed})",
                "set bias_term: false",
                found.layer,
                written,
                fix=remedies.no_bias(context, found),
            )


def _has_bias(layer: Layer) -> bool:
    bias = layer.weights.get("bias")
    if bias is None:
        return False
    if bias.present:
        return not is_zero(bias)
    rate, _, _ = words.multipliers(layer, 1)
    starts_at_zero = bias.filler is None or not (
        bias.filler.type != "constant" or bias.filler.value
    )
    return not (rate == 0 and starts_at_zero)


@rule(
    "UP206",
    "bilinear-would-train",
    severity="warning",
    source="BVLC/caffe PR 2213",
    formats=("caffe", "mxnet"),
)
def bilinear_would_train(context: Context) -> Iterator[Hit]:
    """A bilinear upsampling layer whose kernel would be trained away.

    What it finds:
        Transposed convolutions with the bilinear kernel and an lr_mult other than 0. Where none is
        written Caffe takes 1; this is reported in nets that train (they have a loss), not in deploy
        nets, where it has no meaning. Of MXNet's the __lr_mult__ of a weight that is written.

    Why it is bad:
        The first step of training turns the interpolation into something else. Where that is
        wanted, silence the finding with a comment that says so.

    Example:
        layer { name: "up" type: "Deconvolution" bottom: "x" top: "up" param { lr_mult: 1 }
          convolution_param { num_output: 8 group: 8 bias_term: false kernel_size: 4 stride: 2
            pad: 1 weight_filler { type: "bilinear" } } }

    Use instead:
        param { lr_mult: 0 decay_mult: 0 }, or in MXNet Variable(name, lr_mult=0)

    Fix safety:
        Unsafe: training changes.

    References:
        BVLC/caffe include/caffe/filler.hpp (BilinearFiller) and PR 2213
    """
    for found in interpolators(context):
        rate, written, span = words.multipliers(found.layer, 0)
        if rate == 0 or not (written or context.training.trains):
            continue
        told = f"lr_mult is {rate:g}" if written else "no lr_mult is written, which means 1"
        yield Hit(
            f"the interpolation kernel would be trained: {told} ({found.intent.assumed})",
            "make the weight a Variable with lr_mult=0"
            if found.layer.origin.framework == "mxnet"
            else "set param { lr_mult: 0 decay_mult: 0 }",
            found.layer,
            span,
            fix=remedies.frozen(context, found.layer),
        )


@rule("UP207", "bilinear-not-square", severity="error", source="BVLC/caffe filler.hpp")
def bilinear_not_square(context: Context) -> Iterator[Hit]:
    """A bilinear filler on weights it cannot fill.

    What it finds:
        weight_filler bilinear on a kernel that is not square, or on weights without exactly four
        axes (1-D and 3-D kernels, inner products).

    Why it is bad:
        Caffe aborts: "Filler must be square", "Blob must be 4 dim". It does so even where weights
        are given, since fillers run first.

    Example:
        convolution_param { num_output: 8 group: 8 bias_term: false kernel_h: 4 kernel_w: 8
          stride_h: 2 stride_w: 4 pad_h: 1 pad_w: 2 weight_filler { type: "bilinear" } }

    Use instead:
        Two layers, one an axis, with weights set by net surgery, or one square factor.

    Fix safety:
        There is no fix.

    References:
        BVLC/caffe include/caffe/filler.hpp (BilinearFiller)
    """
    for layer in context.those(_unfillable, ops.Conv, ops.ConvTranspose, ops.Linear):
        problem = _unfillable(layer)
        if words.filler_of(layer).type == "bilinear":
            yield Hit(
                f"the bilinear filler cannot fill {problem}: Caffe aborts",
                "use a square 2-D kernel, or another filler",
                layer,
                words.span_of(layer, "weight_filler"),
            )


def _unfillable(layer: Layer) -> str:
    match layer.operator:
        case ops.Linear():
            return "the weights of an inner product, which have 2 axes"
        case ops.Conv(kernel=kernel) | ops.ConvTranspose(kernel=kernel):
            if len(kernel) != 2:
                return f"weights with {len(kernel) + 2} axes"
            if kernel[0] != kernel[1]:
                return f"a {kernel[0]}x{kernel[1]} kernel, which is not square"
    return ""
