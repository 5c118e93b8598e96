"""UP340, UP341: Deconvolutions of MXNet that its own versions and kernels compute differently."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer
from upconv.linter.facts import words
from upconv.linter.rule import Hit, rule

if TYPE_CHECKING:
    from upconv.linter.context import Context

_MXNET = ("mxnet",)


@rule(
    "UP340",
    "dilated-deconvolution",
    severity="warning",
    source="measured with MXNet 0.9.5 to 2.0.0b1 against float64",
    frameworks=_MXNET,
)
def dilated_deconvolution(context: Context) -> Iterator[Hit]:
    """A dilated Deconvolution that MXNet's own CPU kernels compute wrong.

    What it finds:
        Deconvolution of MXNet with a dilate above 1 and a stride above 1, or with a dilate that is
        not the same along all axes.

    Why it is bad:
        The CPU kernels of MXNet 0.9.5 to 1.9.1 (MXNET_MKLDNN_ENABLED=0) are off by up to the
        largest value of the output, without a word. oneDNN's kernels, the default of 1.9.1, and 2.0
        compute it right, and so does what upconv convert writes: a net that was trained or judged
        with the wrong kernels gives other numbers than it did. Equal dilates with stride 1 are
        right everywhere.

    Example:
        {"kernel": "(3, 3)", "stride": "(2, 2)", "dilate": "(2, 2)", "num_filter": "4"}

    Use instead:
        {"kernel": "(4, 4)", "stride": "(2, 2)", "pad": "(1, 1)", "num_filter": "4"}

    Fix safety:
        There is no fix: weights fit the kernels they were trained with.

    References:
        apache/mxnet src/operator/nn/deconvolution-inl.h
    """
    for layer, op in _deconvolutions(context):
        uneven = len(set(op.dilation)) > 1
        if max(op.dilation) > 1 and (uneven or max(op.stride) > 1):
            yield Hit(
                f"dilate {op.dilation} with stride {op.stride}: MXNet's own CPU kernels compute "
                "it wrong up to 1.9.1, its oneDNN kernels right",
                "find out which kernels trained the net; do without dilate in new ones",
                layer,
                words.span_of(layer, "dilation"),
            )


@rule(
    "UP341",
    "target-shape",
    severity="warning",
    source="measured with MXNet 0.9.5 to 2.0.0b1; deconvolution-inl.h (InferPad)",
    frameworks=_MXNET,
)
def target_shape(context: Context) -> Iterator[Hit]:
    """A Deconvolution whose pad follows from the input's size.

    What it finds:
        Deconvolution of MXNet with a target_shape.

    Why it is bad:
        pad and adj are ignored, and what the kernel reaches beyond the target is cut, half of it at
        each side: for another input size the output has the same size, and its pixels lie elsewhere
        against the input's. Of MXNet's versions only the plain kernels up to 1.9.1 do so. oneDNN's,
        the default of 1.9.1, raise "could not create a descriptor", and the plain kernels of
        2.0.0b1 ignore the target.

    Example:
        {"kernel": "(4, 4)", "stride": "(2, 2)", "target_shape": "(14, 14)", "num_filter": "4"}

    Use instead:
        {"kernel": "(4, 4)", "stride": "(2, 2)", "pad": "(1, 1)", "num_filter": "4"}

    Fix safety:
        There is no fix: the input's size is not in the file.

    References:
        apache/mxnet src/operator/nn/deconvolution-inl.h (DeconvolutionParam::InferPad)
    """
    for layer, _ in _deconvolutions(context):
        place = words.span_of(layer, "target_shape")
        text = layer.origin.written.settings.text_of("target_shape")
        if any(digit in text for digit in "123456789"):
            yield Hit(
                f"target_shape {text}: the pad changes with the input's size, oneDNN's kernels "
                "refuse it and MXNet 2.0's ignore it",
                "give pad and adj that make this size",
                layer,
                place,
            )


def _deconvolutions(context: Context) -> Iterator[tuple[Layer, ops.ConvTranspose]]:
    for layer in context.of(ops.ConvTranspose):
        assert isinstance(layer.operator, ops.ConvTranspose)
        if layer.origin.framework == "mxnet":
            yield layer, layer.operator
