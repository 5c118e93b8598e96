"""UP350, UP351: what saved models of Keras and TensorFlow say that other tools cannot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer
from upconv.linter.facts import words
from upconv.linter.rule import Hit, rule

if TYPE_CHECKING:
    from upconv.linter.context import Context

_PADDED: Final = (ops.Conv, ops.ConvTranspose, ops.Pool)
_PAD_IN_FRONT: Final = "/same"
"""How readers name the Pad that stands for SAME where its amounts depend on an open size."""


@rule(
    "UP350",
    "asymmetric-same",
    severity="info",
    source="tensorflow/core/framework/kernel_shape_util.cc",
    frameworks=("keras", "tensorflow", "tflite"),
)
def asymmetric_same(context: Context) -> Iterator[Hit]:
    """Padding SAME that pads one side more than the other.

    What it finds:
        In Keras and TensorFlow models: convolutions, transposed convolutions and poolings whose
        padding at the begin and at the end differ, as SAME does with a stride on most sizes and
        with even kernels; and those where it depends on the input's size. The first of a file is
        reported.

    Why it is bad:
        Caffe and PyTorch pad both sides alike. A port that takes the larger, smaller or mean amount
        keeps every size and shifts the result by half a pixel or a whole one, which no test of
        shapes sees; further layers add up such shifts.

    Example:
        Conv2D(64, 3, strides=2, padding="same")      # on 224 pixels: 0 before, 1 behind

    Use instead:
        ZeroPadding2D(1) and padding="valid" where a net is to be trained anew and ported; in a
        port a layer of its own that pads, such as torch.nn.ZeroPad2d((0, 1, 0, 1)).

    Fix safety:
        There is no fix: weights were trained with the padding as it is.

    References:
        tensorflow/core/framework/kernel_shape_util.cc; pytorch/pytorch issue 3867
    """
    found = [(layer, _uneven(layer)) for layer in context.those(_uneven)]
    if found:
        layer, text = found[0]
        if isinstance(layer.operator, ops.Pad):  # it is the reader's; the file has what follows
            layer = next(iter(context.consumers[layer.outputs[0]]), layer)
        more = f" ({len(found)} layers of this kind)" if len(found) > 1 else ""
        yield Hit(
            f"SAME pads {text}: Caffe and PyTorch pad both sides alike{more}",
            "pad in a layer of its own when porting",
            layer,
            words.span_of(layer, "padding"),
        )


def _uneven(layer: Layer) -> str:
    """What differs at the sides of a layer's input, or of a transposed convolution's output."""
    op = layer.operator
    if layer.origin.written.call is not None:
        return ""  # code says the word, and what it pads depends on sizes that code seldom says
    if isinstance(op, ops.Pad) and layer.name.endswith(_PAD_IN_FRONT):
        return "by amounts that depend on the input's size"
    if not isinstance(op, _PADDED) or _is_causal(layer):
        return ""
    sides = zip(op.pads_begin, op.pads_end, strict=True)
    differing = next(((begin, end) for begin, end in sides if begin != end), None)
    if differing is None:
        return ""
    verb = "the output is cut by " if isinstance(op, ops.ConvTranspose) else ""
    return f"unevenly, {verb}{differing[0]} at the begin and {differing[1]} at the end"


def _is_causal(layer: Layer) -> bool:
    """Whether a convolution over time looks back only, which is meant to be uneven."""
    return layer.origin.written.settings.text_of("padding") == "causal"


@rule(
    "UP351",
    "whole-number-arithmetic",
    severity="info",
    source="measured with ai-edge-litert 2.3.0 and MXNet 1.9.1",
    frameworks=("mxnet", "tflite"),
)
def whole_number_arithmetic(context: Context) -> Iterator[Hit]:
    """A quantised model, whose layers compute in whole numbers.

    What it finds:
        TensorFlow Lite models whose layers write tensors with a scale, and MXNet's after
        quantize_model: numbers of 8 bits that stand for real ones, all of them rounded.

    Why it is bad:
        Sizes and places are those of the layers in real numbers, and are checked. Values are not:
        an ONNX file in float32 would compute other numbers than this model does, so that convert
        and verify refuse it. The model that it was made from has the weights before they were
        rounded.

    Example:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = images        # activations are quantised too

    Use instead:
        the converter without representative_dataset, or the SavedModel itself, for conversion

    Fix safety:
        There is no fix: the numbers before rounding are not in the file.

    References:
        tensorflow/lite/schema/schema.fbs (QuantizationParameters); apache/mxnet
        src/operator/quantization
    """
    yield from context.notices("UP351")
