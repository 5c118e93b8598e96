"""Transposed convolutions whose kernel is known and is not the bilinear one.

Two ways lead here: a frozen layer with a constant filler and no weights, and stored weights that
hold one and the same kernel for every channel, which is what interpolation looks like.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from upconv.converters.ir import operators as ops
from upconv.converters.ir.geometry import BILINEAR_TOLERANCE, taps
from upconv.converters.ir.model import Layer
from upconv.converters.ir.records import record
from upconv.converters.ir.tensors import Weight
from upconv.linter.facts import words
from upconv.linter.facts.interpolation import input_channels
from upconv.linter.facts.nearest_idiom import repeats_pixels
from upconv.linter.facts.stored import is_zero, stored_kernel

if TYPE_CHECKING:
    from upconv.linter.context import Context


@record(frozen=True, slots=True)
class FixedKernel:
    """What a known kernel does to a constant 1 (its smallest and largest result inside of the
    output), and by how many output pixels it shifts, per axis, against half-pixel alignment."""

    layer: Layer
    op: ops.ConvTranspose
    reason: str
    gains: tuple[float, float]
    shifts: tuple[float, ...]


def fixed_kernels(context: Context) -> Iterator[FixedKernel]:
    """The layers of a net that rules about gains and shifts judge."""
    for layer in context.of(ops.ConvTranspose):
        op = layer.operator
        assert isinstance(op, ops.ConvTranspose)
        if repeats_pixels(context, layer):
            continue
        weight = layer.weights.get("weight", Weight(None))
        found = _of_stored(layer, op) if weight.present else _of_constant(context, layer, op)
        if found is not None:
            yield found


def _of_constant(context: Context, layer: Layer, op: ops.ConvTranspose) -> FixedKernel | None:
    filler = words.filler_of(layer)
    rate, _, _ = words.multipliers(layer, 0)
    if rate or filler.type != "constant" or not filler.value:
        return None
    channels = input_channels(context, layer) or op.groups
    low = high = filler.value * max(channels // op.groups, 1)
    for kernel, stride, dilation in zip(op.kernel, op.stride, op.dilation, strict=True):
        counts = taps(kernel, stride, dilation)
        low *= counts.fewest if counts.phases == stride else 0
        high *= counts.most
    reason = f"it is frozen, and its weight_filler is the constant {filler.value:g}"
    centres = tuple((kernel - 1) / 2 for kernel in op.kernel)
    return FixedKernel(layer, op, reason, (low, high), _shifts(op, centres))


def _of_stored(layer: Layer, op: ops.ConvTranspose) -> FixedKernel | None:
    """One kernel for all channels, each by itself: weights (C, 1, k...)."""
    weight = layer.weights["weight"]
    shape = weight.shape or ()
    alone = len(shape) > 2 and shape[0] == op.groups > 1 and shape[1] == 1
    if not alone or is_zero(weight) or stored_kernel(layer).bilinear:
        return None
    from upconv.converters.ir.kernels import centre_of_mass, phase_sums

    values = weight.array()
    if float(abs(values - values[:1]).max()) > BILINEAR_TOLERANCE:
        return None
    sums = phase_sums(values[0, 0], op.stride, op.dilation)
    centres = centre_of_mass(values[0, 0])
    reason = f"its stored weights hold one kernel for all {shape[0]} channels"
    gains = (float(sums.min()), float(sums.max()))
    return FixedKernel(layer, op, reason, gains, _shifts(op, centres) if centres else ())


def _shifts(op: ops.ConvTranspose, centres: tuple[float, ...]) -> tuple[float, ...]:
    """Input i is put at s*i + d*c - p; half-pixel alignment wants it at s*i + (s-1)/2."""
    axes = zip(centres, op.stride, op.dilation, op.pads_begin, strict=True)
    return tuple(d * c - p - float(Fraction(s - 1, 2)) for c, s, d, p in axes)
