"""UP208 to UP211 and UP219: weights that are missing, dead, or not what the file says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from upconv.converters.ir import operators as ops
from upconv.converters.ir.geometry import BILINEAR_TOLERANCE
from upconv.converters.ir.model import Layer
from upconv.converters.ir.tensors import Filler, Weight
from upconv.linter.facts import words
from upconv.linter.facts.stored import is_zero, stored_kernel
from upconv.linter.facts.training_files import untouched_by
from upconv.linter.fixing import remedies
from upconv.linter.rule import Hit, rule

if TYPE_CHECKING:
    from upconv.linter.context import Context


def _starts_at_zero(layer: Layer) -> bool:
    """Whether a layer's weight is missing and its filler would make it 0."""
    weight = layer.weights.get("weight")
    filler = words.filler_of(layer)
    absent = weight is not None and not weight.present
    return absent and filler.type == "constant" and filler.value == 0


def _why_zero(context: Context, layer: Layer) -> str:
    told = (
        "its weight_filler is the constant 0"
        if words.filler_of(layer).declared
        else "it has no weight_filler, which in Caffe means zeros"
    )
    given = context.net.weights_path
    return f"{told}, and " + (
        f"{given} holds no weights for it" if given else "no weights are given"
    )


@rule(
    "UP208",
    "zeros-for-ever",
    severity="error",
    source="shelhamer/fcn.berkeleyvision.org surgery.py",
    folds=True,
    formats=("caffe",),
)
def zeros_for_ever(context: Context) -> Iterator[Hit]:
    """A transposed convolution that outputs zeros and can never learn better.

    What it finds:
        Transposed convolutions with no weight_filler (or the constant 0), lr_mult 0 and no weights.
        It is an error where weights were given that do not have the layer's, or where the solver
        beside the net trains it and the code that runs it sets no weights; else an info, since net
        surgery or a caffemodel that is not at hand may fill them.

    Why it is bad:
        It is the most reported trap of FCN nets. Their bilinear weights come from net surgery in
        the training script, or from the caffemodel; without either the layer outputs zeros for
        ever.

    Example:
        layer { name: "up" type: "Deconvolution" bottom: "x" top: "up" param { lr_mult: 0 }
          convolution_param { num_output: 21 bias_term: false kernel_size: 4 stride: 2 } }

    Use instead:
        Pass the caffemodel with --weights, or write the interpolation out:
        convolution_param { num_output: 21 group: 21 bias_term: false kernel_size: 4 stride: 2
          weight_filler { type: "bilinear" } }

    Fix safety:
        Unsafe: the layer's output changes, and with group a caffemodel's blob no longer fits.

    References:
        shelhamer/fcn.berkeleyvision.org surgery.py; BVLC/caffe include/caffe/filler.hpp
    """
    zeros = [layer for layer in context.of(ops.ConvTranspose) if _stays_at_zero(layer)]
    solver = _untouched(context) if zeros else ""
    certain = bool(context.net.weights_path or solver)
    trained = f"; {solver} trains it, and the code beside it sets no weights" if solver else ""
    for layer in zeros:
        bias = layer.weights.get("bias", Weight(None))
        biased = bias.present or (bias.filler is not None and bias.filler.value != 0)
        yield Hit(
            f"this Deconvolution will output {'only its bias' if biased else 'zeros'}: "
            f"{_why_zero(context, layer)}, and its lr_mult is 0, so it never learns any{trained}",
            _zeros_help(layer),
            layer,
            severity=None if certain else "info",
            kind="zeros",
            fix=remedies.bilinear_filler(context, layer),
        )


def _stays_at_zero(layer: Layer) -> bool:
    rate, _, _ = words.multipliers(layer, 0)
    return not rate and _starts_at_zero(layer)


def _untouched(context: Context) -> str:
    """The solver beside the net whose training sets no weights of it."""
    from upconv.converters.readers.formats import companions

    return untouched_by(context.path, companions(context.path))


def _zeros_help(layer: Layer) -> str:
    assert isinstance(layer.operator, ops.ConvTranspose)
    channels = layer.operator.out_channels
    return (
        "pass the trained weights with --weights FILE.caffemodel, or add weight_filler "
        f'{{ type: "bilinear" }} and group: {channels}'
    )


@rule(
    "UP209",
    "dead-start",
    severity="warning",
    source="BVLC/caffe filler.hpp",
    folds=True,
    formats=("caffe",),
)
def dead_start(context: Context) -> Iterator[Hit]:
    """A transposed convolution that starts its training from zeros.

    What it finds:
        In nets that train (they have a loss): transposed convolutions with no weight_filler (or the
        constant 0), an lr_mult other than 0, and no weights.

    Why it is bad:
        Its output is zero at the start, and so is every gradient behind it: the layers before it
        learn nothing until its weights have moved, and often for much longer.

    Example:
        layer { name: "up" type: "Deconvolution" bottom: "x" top: "up" param { lr_mult: 1 }
          convolution_param { num_output: 21 kernel_size: 4 stride: 2 pad: 1 } }

    Use instead:
        weight_filler { type: "xavier" }     # or bilinear, with group: 21

    Fix safety:
        Unsafe: training changes.

    References:
        BVLC/caffe include/caffe/filler.hpp; src/caffe/proto/caffe.proto (FillerParameter)
    """
    if not context.training.trains:
        return
    for layer in context.of(ops.ConvTranspose):
        rate, _, _ = words.multipliers(layer, 0)
        if rate and _starts_at_zero(layer):
            yield Hit(
                f"this Deconvolution starts from zeros: {_why_zero(context, layer)} "
                f"({context.intent(layer).assumed})",
                'add weight_filler { type: "xavier" }, or pass the trained weights with --weights',
                layer,
                words.span_of(layer, "weight_filler"),
                fix=remedies.random_filler(context, layer),
            )


@rule("UP210", "weights-differ-from-filler", severity="warning", source="BVLC/caffe filler.hpp")
def weights_differ_from_filler(context: Context) -> Iterator[Hit]:
    """Frozen weights that are not what their filler would have made.

    What it finds:
        Transposed convolutions with lr_mult 0 and a bilinear or constant filler, whose stored
        weights differ from that filler.

    Why it is bad:
        Nothing in this file can have changed them: they were trained elsewhere, set by net surgery,
        or belong to another net. Training again from this file gives another network.

    Example:
        weight_filler { type: "bilinear" } with lr_mult 0, and a caffemodel that holds noise there

    Use instead:
        The caffemodel that belongs to the net, or a filler that says what the weights are.

    Fix safety:
        There is no fix: either side may be the right one.

    References:
        BVLC/caffe include/caffe/filler.hpp
    """
    for layer in context.of(ops.ConvTranspose):
        rate, _, _ = words.multipliers(layer, 0)
        weight, filler = layer.weights.get("weight", Weight(None)), words.filler_of(layer)
        if rate or not weight.present or not filler.declared or is_zero(weight):
            continue
        difference = _difference(layer, filler)
        if difference:
            yield Hit(
                f"the stored weights are not what weight_filler {filler.type} makes: {difference} "
                f"({context.intent(layer).assumed})",
                "check that the weights belong to this net, and make the filler say what they are",
                layer,
                words.span_of(layer, "weight_filler"),
            )


def _difference(layer: Layer, filler: Filler) -> str:
    if filler.type == "bilinear":
        return _BILINEAR_DIFFERENCE.get(stored_kernel(layer).bilinear, "")
    if filler.type == "constant":
        values = layer.weights["weight"].array()
        low, high = float(values.min()), float(values.max())
        if max(abs(low - filler.value), abs(high - filler.value)) > BILINEAR_TOLERANCE:
            return f"they go from {low:.4g} to {high:.4g}, not {filler.value:g}"
    return ""


_BILINEAR_DIFFERENCE = {
    "": "they are no bilinear kernel",
    "diagonal": "they hold the kernel on the diagonal only, as net surgery does, while the filler "
    "writes it to every pair of channels",
}


@rule("UP211", "all-zero-weights", severity="error", source="BVLC/caffe net.cpp")
def all_zero_weights(context: Context) -> Iterator[Hit]:
    """Stored weights that are all zero.

    What it finds:
        Convolutions, transposed convolutions and inner products whose stored weight holds nothing
        but zeros.

    Why it is bad:
        The layer outputs only its bias. The usual cause is a caffemodel saved from a net whose
        upsampling layer had no filler and was never filled by net surgery.

    Example:
        a caffemodel saved from: layer { name: "up" type: "Deconvolution" param { lr_mult: 0 }
          convolution_param { num_output: 21 kernel_size: 4 stride: 2 } }

    Use instead:
        Weights from the net surgery's result, or a weight_filler in the training net.

    Fix safety:
        There is no fix: the weights are lost.

    References:
        shelhamer/fcn.berkeleyvision.org surgery.py; BVLC/caffe src/caffe/net.cpp
    """
    for layer in context.of(ops.Conv, ops.ConvTranspose, ops.Linear):
        weight = layer.weights.get("weight")
        if weight is not None and weight.present and is_zero(weight):
            transposed = isinstance(layer.operator, ops.ConvTranspose)
            yield Hit(
                f"all {weight.size} stored weights are 0: the layer outputs only its bias",
                "take weights from a file in which the layer is filled",
                layer,
                severity=None if transposed else "warning",
            )


@rule(
    "UP219",
    "weights-under-other-names",
    severity="info",
    source="pytorch Module.load_state_dict",
    formats=("python", "pytorch"),
)
def weights_under_other_names(context: Context) -> Iterator[Hit]:
    """Names in a file of weights are not those of the model beside it.

    What it finds:
        With --weights and a state_dict (.safetensors, .pt, .pth): the words that were taken off its
        names to make them fit (module., model., state_dict ...), names that the model does not
        have, and layers of Python code that got no weights. A layer of code gets those of the one
        name that ends in its attribute; where several do, none is chosen.

    Why it is bad:
        It need not be: it says what the other findings rest on. Names that the model does not have
        are often those of another version of it, and layers without weights are not checked for
        what their weights would say.

    Example:
        upconv check unet.py --weights unet.safetensors     # four blocks, each with a self.up

    Use instead:
        Check the exported model with these weights: there every layer has one name.

    Fix safety:
        There is no fix.

    References:
        pytorch/pytorch torch/nn/modules/module.py (load_state_dict: missing and unexpected keys)
    """
    yield from context.notices("UP219")
