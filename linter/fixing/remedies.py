"""The fixes of fillers, weights and bilinear layers: what is to be written instead, as edits of
the layer's own block.

Each function returns None where the right value is not certain, or where the layer is written in
a way (V0, merged blocks) that an edit could break.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from upconv.converters.ir import operators as ops
from upconv.converters.ir.geometry import bilinear_kernel_size, bilinear_pad
from upconv.converters.ir.model import Layer, Model
from upconv.linter.finding import Fix, Safety
from upconv.linter.fixing.edits import (
    Edits,
    add_field,
    fix_of,
    layer_block,
    params_block,
    replace_span,
    set_size,
    set_value,
)

if TYPE_CHECKING:
    from upconv.linter.context import Context
    from upconv.linter.facts.interpolation import Interpolator

_CONVOLUTION = "convolution_param"
_KERNEL = ("kernel_size", "kernel_w", "kernel_h", "num_output")
_STRIDE = ("stride", "stride_w", "stride_h", *_KERNEL)


def interpolation_sizes(context: Context, found: Interpolator) -> Fix | None:
    """kernel_size, stride and pad of one factor. Shown but not applied where kernel and stride
    each stand for a factor of their own, and nothing else in the net tells which is meant."""
    block = params_block(context, found.layer, _CONVOLUTION)
    if block is None or len(set(found.op.stride)) > 1 or set(found.op.dilation) != {1}:
        return None
    factors = _likely_factors(context, found)
    factor = factors[0]
    edits = (
        set_size(block, "kernel_size", bilinear_kernel_size(factor)),
        set_size(block, "stride", factor, _KERNEL) if factor != found.op.stride[0] else (),
        _pad_edits(context, found, factor),
    )
    return fix_of(edits, "unsafe" if len(factors) == 1 else "display")


def _pad_edits(context: Context, found: Interpolator, factor: int) -> Edits:
    """The factor's own pad; a smaller one stays where a Crop makes up for it."""
    from upconv.linter.facts.interpolation import cropped_behind

    block = params_block(context, found.layer, _CONVOLUTION)
    pad = bilinear_pad(factor)
    kept = max(found.op.pads_begin) <= pad and cropped_behind(context, found.layer)
    if block is None or kept or set(found.op.pads_begin) == {pad}:
        return ()
    return set_size(block, "pad", pad, _STRIDE)


def _likely_factors(context: Context, found: Interpolator) -> list[int]:
    """The factors a layer may stand for, the likeliest first; one where it is certain.

    Its stride stands for one and its kernel, if a bilinear one, for another. The pad decides, or
    else how the branches behind the layer meet; the stride comes first where neither does.
    """
    stride, kernel = found.op.stride[0], found.op.kernel[0]
    other = (kernel + 1) // 2
    if len(set(found.op.kernel)) > 1 or bilinear_kernel_size(other) != kernel:
        return [stride]
    factors = [stride, other]
    if set(found.op.pads_begin) != {0}:
        padded = [f for f in factors if set(found.op.pads_begin) == {bilinear_pad(f)}]
        factors = padded if len(padded) == 1 else factors
    if len(factors) > 1:
        faults = [_faults(context, _with_factor(context.net, found, f)) for f in factors]
        fitting = [f for f, n in zip(factors, faults, strict=True) if n == min(faults)]
        factors = fitting if len(fitting) == 1 else factors
    return factors


def _with_factor(model: Model, found: Interpolator, factor: int) -> Model:
    """The model with the layer as an interpolation by `factor`."""
    kernel = (bilinear_kernel_size(factor),) * 2
    op = replace(found.op, kernel=kernel, stride=(factor,) * 2)
    if any(found.op.pads_begin):
        pads = (bilinear_pad(factor),) * 2
        op = replace(op, pads_begin=pads, pads_end=pads)
    changed = replace(found.layer, operator=op, weights={})
    layers = tuple(changed if layer is found.layer else layer for layer in model.layers)
    return replace(model, layers=layers)


def _faults(context: Context, model: Model) -> int:
    """How many sizes contradict each other, and how many merges and Crops have two scales."""
    from upconv.converters.ir.inference import infer
    from upconv.converters.ir.places import Coordinates

    inference = infer(model)
    coordinates = Coordinates(model, inference.shapes)
    faults = len(inference.errors)
    for layer in model.layers:
        if isinstance(layer.operator, ops.Crop | ops.Eltwise | ops.Concat):
            for value in layer.inputs[1:]:
                maps = coordinates.relative(layer.inputs[0], value)
                faults += maps is not None and any(one.scale != 1 for one in maps)
    return faults


def interpolation_pad(context: Context, found: Interpolator) -> Fix | None:
    """The pad that centres the result."""
    block = params_block(context, found.layer, _CONVOLUTION)
    pads = {bilinear_pad(stride) for stride in found.op.stride}
    if block is None or len(pads) > 1:
        return None
    return fix_of([set_size(block, "pad", pads.pop(), _STRIDE)])


def interpolation_channels(context: Context, found: Interpolator) -> Fix | None:
    """num_output and group become the number of input channels, where that is known."""
    block = params_block(context, found.layer, _CONVOLUTION)
    if block is None or found.channels is None:
        return None
    if found.layer.weights["weight"].present:
        return None  # the stored blob fits the layer as it is written
    channels = str(found.channels)
    edits = [set_value(block, name, channels, ("num_output",)) for name in ("num_output", "group")]
    return fix_of(edits)


def no_bias(context: Context, found: Interpolator) -> Fix | None:
    """bias_term: false. Safe where the weights that are given hold one blob for the layer: Caffe
    refuses them with a bias. With a stored bias it is shown, not applied."""
    block = params_block(context, found.layer, _CONVOLUTION)
    if block is None:
        return None
    weight, bias = (found.layer.weights[name] for name in ("weight", "bias"))
    safety: Safety = "unsafe"
    if weight.present:
        safety = "display" if bias.present else "safe"
    after = ("bias_term", "group", "num_output")
    return fix_of([set_value(block, "bias_term", "false", after)], safety)


def frozen(context: Context, layer: Layer) -> Fix | None:
    """lr_mult 0 for the first blob, whose `param` block is made where there is none."""
    block = layer_block(context, layer)
    if block is None:
        return None
    if block.name == "layers":
        rates = block.spans("blobs_lr")[:1]
        return fix_of([tuple(replace_span(rate, "0") for rate in rates)])
    specs = block.messages("param")[:1]
    if specs:
        return fix_of([set_value(specs[0], "lr_mult", "0")])
    text = "param { lr_mult: 0 decay_mult: 0 }"
    return fix_of([(add_field(block, text, ("top", "bottom", "type")),)])


def bilinear_filler(context: Context, layer: Layer) -> Fix | None:
    """weight_filler bilinear and group = num_output, where the layer's sizes are those of an
    interpolation and its input has as many channels."""
    from upconv.linter.facts.interpolation import input_channels

    op = layer.operator
    block = params_block(context, layer, _CONVOLUTION)
    if block is None or not isinstance(op, ops.ConvTranspose) or len(op.kernel) != 2:
        return None
    fits = op.kernel == tuple(bilinear_kernel_size(s) for s in op.stride)
    square = len(set(op.kernel)) == 1
    if not (fits and square) or input_channels(context, layer) != op.out_channels:
        return None
    group = set_value(block, "group", str(op.out_channels), ("num_output",))
    grouped = op.groups == op.out_channels
    return fix_of([() if grouped else group, _filler(context, layer, "bilinear")])


def random_filler(context: Context, layer: Layer) -> Fix | None:
    """weight_filler xavier."""
    return fix_of([_filler(context, layer, "xavier")])


def _filler(context: Context, layer: Layer, kind: str) -> Edits:
    block = params_block(context, layer, _CONVOLUTION)
    if block is None:
        return ()
    text = f'weight_filler {{ type: "{kind}" }}'
    written = block.span_of("weight_filler")
    if written is not None:
        return (replace_span(written, text),)
    return (add_field(block, text, ("pad", "pad_w", "pad_h", *_STRIDE)),)
