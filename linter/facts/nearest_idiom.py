"""Nearest upsampling as nets of Caffe write it, which has no such layer: a Deconvolution of ones,
kernel 1 and stride f, puts zeros between the pixels, and a maximum over windows of f fills them.

It repeats every pixel where these are not negative: behind a ReLU, or in front of one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer
from upconv.converters.ir.tensors import Weight
from upconv.linter.facts import words

_KEEP_SIGN: Final = (ops.Identity, ops.Pool, ops.Concat, ops.Slice, ops.Crop, ops.Unpool)
"""Operators whose results are not negative where what they read is not."""


class Net(Protocol):
    """A net under check: who writes its values, and who reads them."""

    @property
    def producers(self) -> Mapping[str, Layer]: ...

    @property
    def consumers(self) -> Mapping[str, Sequence[Layer]]: ...


def repeats_pixels(net: Net, layer: Layer) -> bool:
    """Whether a transposed convolution is the first half of the idiom, and the rest is there."""
    op = layer.operator
    if not isinstance(op, ops.ConvTranspose) or not _inserts_zeros(layer, op):
        return False
    readers = net.consumers.get(layer.outputs[0], ())
    if len(readers) != 1 or not _fills(readers[0], op.stride):
        return False
    return _not_negative(net, layer.inputs[0]) or _clamped(net, readers[0])


def _inserts_zeros(layer: Layer, op: ops.ConvTranspose) -> bool:
    plain = set(op.kernel) == {1} and not any((*op.pads_begin, *op.pads_end, *op.output_padding))
    return plain and op.groups == op.out_channels and "bias" not in layer.weights and _ones(layer)


def _ones(layer: Layer) -> bool:
    weight = layer.weights.get("weight", Weight(None))
    if weight.present:
        return bool((weight.array() == 1).all())
    filler = words.filler_of(layer)
    return filler.type == "constant" and filler.value == 1


def _fills(layer: Layer, factors: Sequence[int]) -> bool:
    """Whether a pooling takes the maximum of windows that hold one pixel each, and of all its
    places in turn."""
    op = layer.operator
    if not isinstance(op, ops.Pool) or op.kind != "max":
        return False
    gaps = tuple(factor - 1 for factor in factors)
    return (
        tuple(op.kernel) == tuple(factors)
        and set(op.stride) == {1} == set(op.dilation)
        and tuple(op.pads_begin) == gaps == tuple(op.pads_end)
    )


def _not_negative(net: Net, value: str) -> bool:
    """Whether a value is surely not below 0, by the layers that lead to it."""
    waiting, seen = [value], {value}
    while waiting:
        made = net.producers.get(waiting.pop())
        if made is None:
            return False
        if _clamps(made.operator):
            continue
        if not (_adds(made.operator) or isinstance(made.operator, _KEEP_SIGN)):
            return False
        fresh = [name for name in made.inputs if name not in seen]
        seen.update(fresh)
        waiting += fresh
    return True


def _adds(op: ops.Operator) -> bool:
    if not isinstance(op, ops.Eltwise) or op.kind not in ("sum", "max"):
        return False
    return all(one >= 0 for one in op.coefficients or ())


def _clamps(op: ops.Operator) -> bool:
    if isinstance(op, ops.Relu):
        return op.slope == 0
    if isinstance(op, ops.Clip):
        return op.low >= 0
    return isinstance(op, ops.Sigmoid)


def _clamped(net: Net, layer: Layer) -> bool:
    """Whether only layers that cut off what is below 0 read a layer's output."""
    readers = net.consumers.get(layer.outputs[0], ())
    return bool(readers) and all(
        isinstance(reader.operator, ops.Relu) and reader.operator.slope == 0 for reader in readers
    )
