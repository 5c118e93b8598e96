"""UP212 to UP214, UP220: what kernels that are known do to a constant, to places, to cost, and a
bias that does nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from upconv.converters.ir import operators as ops
from upconv.converters.ir.tensors import Weight
from upconv.linter.facts import words
from upconv.linter.facts.fixed_kernels import FixedKernel, fixed_kernels
from upconv.linter.facts.interpolation import cropped_behind
from upconv.linter.facts.stored import stored_kernel
from upconv.linter.rule import Hit, rule

if TYPE_CHECKING:
    from upconv.linter.context import Context

_GAIN_TOLERANCE = 1e-4
_SHIFT_TOLERANCE = 1e-3


@rule("UP212", "phase-sums-not-one", severity="warning", source="BVLC/caffe deconv_layer.cpp")
def phase_sums_not_one(context: Context) -> Iterator[Hit]:
    """A fixed upsampling kernel does not keep a constant.

    What it finds:
        Transposed convolutions whose kernel is known and fixed (lr_mult 0 with a constant filler,
        or stored weights with one kernel for all channels), where the weights that meet in an
        output pixel do not sum to 1. The stride's phases are summed apart. Bilinear kernels are
        UP201's.

    Why it is bad:
        A flat area comes out brighter or darker, and where the phases differ as a checkerboard.

    Example:
        layer { name: "up" type: "Deconvolution" bottom: "x" top: "up" param { lr_mult: 0 }
          convolution_param { num_output: 8 group: 8 bias_term: false kernel_size: 4 stride: 2
            pad: 1 weight_filler { type: "constant" value: 1 } } }

    Use instead:
        kernel_size: 2 stride: 2 with the constant 1 (nearest), or the bilinear filler

    Fix safety:
        There is no fix: nearest or bilinear may be meant.

    References:
        BVLC/caffe src/caffe/layers/deconv_layer.cpp; Odena, Dumoulin, Olah 2016
    """
    for found in fixed_kernels(context):
        low, high = found.gains
        if max(abs(low - 1), abs(high - 1)) <= _GAIN_TOLERANCE:
            continue
        spread = f"{low:.4g}" if high - low <= _GAIN_TOLERANCE else f"{low:.4g} to {high:.4g}"
        yield Hit(
            f"a constant 1 comes out as {spread}: {found.reason}{_mixing(found)}",
            "scale the weights so that each phase sums to 1, or use the bilinear filler",
            found.layer,
            words.span_of(found.layer, "weight_filler"),
        )


def _mixing(found: FixedKernel) -> str:
    mixed = found.op.groups < found.op.out_channels
    return ", summed over the channels of each group" if mixed else ""


@rule("UP213", "sub-pixel-shift", severity="warning", source="ONNX Resize half_pixel")
def sub_pixel_shift(context: Context) -> Iterator[Hit]:
    """A fixed upsampling kernel shifts what it enlarges.

    What it finds:
        Transposed convolutions whose kernel is known and fixed, but not bilinear, whose centre of
        mass does not lie in the middle of the block that each input pixel becomes. Where a Crop
        follows, which may mend it, nothing is said.

    Why it is bad:
        Input i should lie at s*i + (s-1)/2; everything is moved by the difference. An even blur
        kernel without the matching pad moves it by half a pixel.

    Example:
        layer { name: "up" type: "Deconvolution" bottom: "x" top: "up" param { lr_mult: 0 }
          convolution_param { num_output: 8 group: 8 bias_term: false kernel_size: 3 stride: 2
            pad: 1 weight_filler { type: "constant" value: 0.25 } } }

    Use instead:
        kernel_size: 4 stride: 2 pad: 1 weight_filler { type: "bilinear" }

    Fix safety:
        There is no fix: the kernel must be chosen anew.

    References:
        ONNX Resize (half_pixel); BVLC/caffe python/caffe/coord_map.py
    """
    for found in fixed_kernels(context):
        off = [shift for shift in found.shifts if abs(shift) > _SHIFT_TOLERANCE]
        if off and not cropped_behind(context, found.layer):
            shown = " and ".join(f"{shift:+.3g}" for shift in dict.fromkeys(off))
            yield Hit(
                f"the output is shifted by {shown} pixels against half-pixel alignment: "
                f"{found.reason}",
                "centre the kernel: its centre minus pad must be (stride-1)/2",
                found.layer,
                words.span_of(found.layer, "pad", "pad_h", "pad_w", "kernel_size"),
            )


@rule(
    "UP214", "dense-diagonal", severity="info", source="shelhamer/fcn.berkeleyvision.org surgery.py"
)
def dense_diagonal(context: Context) -> Iterator[Hit]:
    """A dense layer whose weights are zero between different channels.

    What it finds:
        Transposed convolutions with group 1 whose stored weights hold the bilinear kernel on the
        diagonal and zeros elsewhere, as FCN's net surgery leaves them.

    Why it is bad:
        It computes C times as much as it needs, and stores C times as many weights: 21 channels of
        a 64x64 kernel take 7.2 MB instead of 0.3.

    Example:
        convolution_param { num_output: 21 bias_term: false kernel_size: 64 stride: 32 }

    Use instead:
        convolution_param { num_output: 21 group: 21 bias_term: false kernel_size: 64 stride: 32
          weight_filler { type: "bilinear" } }

    Fix safety:
        Unsafe: the numbers stay, but the caffemodel's blob no longer fits.

    References:
        shelhamer/fcn.berkeleyvision.org surgery.py
    """
    for layer in context.of(ops.ConvTranspose):
        weight = layer.weights.get("weight", Weight(None))
        if not weight.present or stored_kernel(layer).bilinear != "diagonal":
            continue
        channels = (weight.shape or (1,))[0]
        if channels > 1:
            yield Hit(
                f"of {weight.size} weights all but the {weight.size // channels} between equal "
                f"channels are 0: the layer does {channels} times the work it needs",
                f"set group: {channels} and store only the diagonal; `upconv convert --bilinear "
                "auto` writes the ONNX so",
                layer,
                words.span_of(layer, "num_output"),
            )


@rule(
    "UP220",
    "bias-before-normalization",
    severity="info",
    source="Ioffe, Szegedy 2015, 3.2",
    folds=True,
)
def bias_before_normalization(context: Context) -> Iterator[Hit]:
    """A transposed convolution has a bias that the normalisation behind it takes away.

    What it finds:
        In nets that train, and in PyTorch and Keras code: transposed convolutions with a bias whose
        output is read by a batch normalisation alone.

    Why it is bad:
        The normalisation subtracts the mean, and with it any bias: it is stored, trained and loaded
        for nothing. The normalisation's own shift does what it was meant to do.

    Example:
        nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.BatchNorm2d(32)

    Use instead:
        nn.ConvTranspose2d(64, 32, 4, 2, 1, bias=False), nn.BatchNorm2d(32)

    Fix safety:
        There is no fix: saved weights have the bias.

    References:
        Ioffe, Szegedy 2015, Batch Normalization, section 3.2
    """
    if context.net.has_graph and not context.training.trains:
        return
    for layer in context.of(ops.ConvTranspose):
        readers = [one for value in layer.outputs for one in context.consumers.get(value, ())]
        normal = [one for one in readers if isinstance(one.operator, ops.BatchNorm)]
        if "bias" in layer.weights and normal and len(normal) == len(readers):
            yield Hit(
                f"the bias goes into '{normal[0].name}', which subtracts the mean and so the bias",
                "leave the bias out (bias_term: false, bias=False, use_bias=False)",
                layer,
                words.span_of(layer, "bias_term"),
                kind="bias",
            )
