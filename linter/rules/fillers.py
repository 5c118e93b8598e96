"""UP215 to UP218: fillers that do not exist, or do not what is expected of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer
from upconv.converters.ir.similar import similar
from upconv.converters.ir.tensors import Weight
from upconv.converters.ir.written import NOTHING
from upconv.linter.facts import words
from upconv.linter.facts.intent import RANDOM_FILLERS
from upconv.linter.rule import Hit, rule

if TYPE_CHECKING:
    from upconv.linter.context import Context

FILLERS: Final = (
    "constant",
    "gaussian",
    "positive_unitball",
    "uniform",
    "xavier",
    "msra",
    "bilinear",
    "gabor",
)
"""Caffe filler.hpp, GetFiller: the comparison is exact, capitals count; "gabor" is Intel's."""


@rule(
    "UP215",
    "bilinear-on-convolution",
    severity="warning",
    source="BVLC/caffe filler.hpp",
    frameworks=("caffe",),
)
def bilinear_on_convolution(context: Context) -> Iterator[Hit]:
    """A bilinear filler on a Convolution.

    What it finds:
        Convolutions (not Deconvolutions) with weight_filler bilinear and no stored weights.

    Why it is bad:
        The filler is made for enlarging: its weights sum to f*f, so that a Convolution multiplies
        every value by that, and with group 1 adds up all channels.

    Example:
        layer { name: "up" type: "Convolution" bottom: "x" top: "up"
          convolution_param { num_output: 8 kernel_size: 4 weight_filler { type: "bilinear" } } }

    Use instead:
        type: "Deconvolution" with group and num_output equal to the channels, or another filler.

    Fix safety:
        There is no fix: only the author knows which layer is meant.

    References:
        BVLC/caffe include/caffe/filler.hpp (BilinearFiller)
    """
    for layer in context.of(ops.Conv):
        op = layer.operator
        assert isinstance(op, ops.Conv)
        if words.filler_of(layer).type != "bilinear" or len(set(op.kernel)) != 1:
            continue
        if layer.weights.get("weight", Weight(None)).present:
            continue
        from upconv.linter.facts.interpolation import gains

        gain = gains(op.kernel[0], 1)[0] ** len(op.kernel)
        if gain != 1:
            yield Hit(
                f"the bilinear filler is for Deconvolution: here a constant 1 becomes {gain:.4g} "
                "per input channel",
                'use type: "Deconvolution", or another weight_filler',
                layer,
                words.span_of(layer, "weight_filler"),
            )


@rule(
    "UP216",
    "gaussian-without-std",
    severity="warning",
    source="BVLC/caffe caffe.proto",
    frameworks=("caffe",),
)
def gaussian_without_std(context: Context) -> Iterator[Hit]:
    """A gaussian filler without a std, which is then 1.

    What it finds:
        In nets that train: convolutions and transposed convolutions with weight_filler gaussian and
        no std.

    Why it is bad:
        The default is a standard deviation of 1. Through a 3x3 kernel on 512 channels the outputs
        start 68 times larger than the inputs, and training diverges.

    Example:
        weight_filler { type: "gaussian" }

    Use instead:
        weight_filler { type: "gaussian" std: 0.01 }      # or type: "msra"

    Fix safety:
        There is no fix: training changes.

    References:
        BVLC/caffe src/caffe/proto/caffe.proto (FillerParameter)
    """
    if not context.training.trains:
        return
    for layer in context.of(ops.Conv, ops.ConvTranspose):
        declared = words.params_of(layer).message("weight_filler")
        given = layer.weights.get("weight", Weight(None)).present
        if given or declared is None or declared.has("std"):
            continue
        if declared.str("type", "constant") == "gaussian":
            yield Hit(
                "the gaussian filler has no std, which means a standard deviation of 1",
                'give a std, 0.01 say, or use type: "msra"',
                layer,
                declared.span,
            )


@rule(
    "UP217",
    "unknown-filler",
    severity="error",
    source="BVLC/caffe filler.hpp",
    frameworks=("caffe",),
)
def unknown_filler(context: Context) -> Iterator[Hit]:
    """A filler's type is none that Caffe knows.

    What it finds:
        weight_filler and bias_filler types that are not constant, gaussian, positive_unitball,
        uniform, xavier, msra or bilinear. Capitals count. Where the word is not close to one of
        these, a fork may know it, and it is a warning.

    Why it is bad:
        Caffe aborts: "Unknown filler name". Other tools take the default, zeros, in silence.

    Example:
        weight_filler { type: "Bilinear" }

    Use instead:
        weight_filler { type: "bilinear" }

    Fix safety:
        There is no fix yet.

    References:
        BVLC/caffe include/caffe/filler.hpp (GetFiller)
    """
    yield from context.in_each(_unknown_fillers, ops.Conv, ops.ConvTranspose, ops.Linear)


def _unknown_fillers(layer: Layer) -> Iterator[Hit]:
    for name in ("weight_filler", "bias_filler"):
        block = words.params_of(layer).message(name) or NOTHING
        written = block.str("type", "constant")
        if written in FILLERS:
            continue
        near = similar(written.lower(), FILLERS, 1)
        yield Hit(
            f"no {name} of Caffe is called '{written}'",
            f"did you mean {near[0]}?" if near else f"one of {', '.join(FILLERS)}",
            layer,
            block.span,
            severity=None if near else "warning",
        )


@rule(
    "UP218",
    "frozen-noise",
    severity="warning",
    source="BVLC/caffe filler.hpp",
    frameworks=("caffe",),
    folds=True,
)
def frozen_noise(context: Context) -> Iterator[Hit]:
    """A transposed convolution with random weights that never learn.

    What it finds:
        In nets that train: transposed convolutions with a random filler (xavier, gaussian, msra
        ...), lr_mult 0, and no weights given. An upsampling layer is rarely in the net that one
        starts from, so that nothing replaces the noise.

    Why it is bad:
        The noise stays as it was drawn, and everything passes through it.

    Example:
        layer { name: "up" type: "Deconvolution" bottom: "x" top: "up" param { lr_mult: 0 }
          convolution_param { num_output: 8 kernel_size: 4 stride: 2 pad: 1
            weight_filler { type: "xavier" } } }

    Use instead:
        weight_filler { type: "bilinear" } with group: 8, or lr_mult: 1

    Fix safety:
        There is no fix: only the author knows which is meant.

    References:
        BVLC/caffe include/caffe/filler.hpp
    """
    if not context.training.trains:
        return
    for layer in context.of(ops.ConvTranspose):
        rate, _, span = words.multipliers(layer, 0)
        filler = words.filler_of(layer)
        if rate == 0 and filler.type in RANDOM_FILLERS and not _given(layer):
            yield Hit(
                f"weight_filler {filler.type} draws random weights, and lr_mult 0 keeps them",
                "let it learn (lr_mult: 1), or use the bilinear filler with group = num_output",
                layer,
                span,
            )


def _given(layer: Layer) -> bool:
    return layer.weights.get("weight", Weight(None)).present
