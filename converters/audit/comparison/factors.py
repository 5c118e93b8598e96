"""A transposed convolution that is written as two layers: one an axis, or channels mixed first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from upconv.converters.ir import operators as ops
from upconv.converters.ir.kernels import depthwise_kernels, is_pointwise, mixture, pointwise
from upconv.converters.ir.model import Layer
from upconv.converters.ir.tensors import ArrayData, Weight, weight_of


def joined_axes(first: Layer, second: Layer) -> Layer | None:
    """Two transposed convolutions, of each channel by itself and along different axes, as one;
    None where they are not that. The kernel is the product of both."""
    a, b = first.operator, second.operator
    if not isinstance(a, ops.ConvTranspose) or not isinstance(b, ops.ConvTranspose):
        return None
    weights = [layer.weights.get("weight") for layer in (first, second)]
    if not all(map(_depthwise, (a, b), weights)) or set(first.weights) != {"weight"}:
        return None
    axes = range(len(a.kernel))
    if any(acts(a, axis) and acts(b, axis) for axis in axes):
        return None

    def of(field: str) -> Any:
        """The setting of whichever acts on an axis."""
        return tuple(getattr(a if acts(a, axis) else b, field)[axis] for axis in axes)

    names = ("kernel", "stride", "dilation", "pads_begin", "pads_end", "output_padding")
    whole = replace(b, **{name: of(name) for name in names})
    one, other = weights
    assert one is not None and other is not None
    kernel = ArrayData((b.groups, 1, *whole.kernel), lambda: one.array() * other.array())
    made = {**second.weights, "weight": Weight(kernel.shape, kernel)}
    return replace(second, operator=whole, inputs=first.inputs, weights=made)


def mixed_first(layer: Layer) -> tuple[Layer, Layer] | None:
    """A dense transposed convolution with one kernel for all pairs of channels but for a factor, as
    a convolution of one pixel and one of each channel by itself; None where it is not that."""
    op, weight = layer.operator, layer.weights.get("weight")
    if not isinstance(op, ops.ConvTranspose) or op.groups != 1:
        return None
    if weight is None or not weight.present or depthwise_kernels(op, layer) is not None:
        return None
    found = mixture(weight.array())
    if found is None:
        return None
    one = (1,) * len(op.kernel)
    none = (0,) * len(op.kernel)
    channels = op.out_channels
    kernels = np.broadcast_to(found.kernel, (channels, 1, *op.kernel))
    between = f"{layer.outputs[0]}/mixed"
    first = Layer(
        f"{layer.name}/mixing",
        ops.Conv(channels, one, one, one, none, none),
        layer.inputs[:1],
        (between,),
        {"weight": weight_of(found.convolution)},
        layer.origin,
    )
    weights = {**layer.weights, "weight": weight_of(np.ascontiguousarray(kernels))}
    apart = replace(op, groups=channels)
    inputs = (between, *layer.inputs[1:])
    return first, replace(layer, operator=apart, inputs=inputs, weights=weights)


def of_one_pixel(layer: Layer) -> Layer | None:
    """A transposed convolution with a kernel of one pixel as the convolution that it is."""
    op, weight = layer.operator, layer.weights.get("weight")
    if not isinstance(op, ops.ConvTranspose) or not is_pointwise(op):
        return None
    if weight is None or not weight.present:
        return None
    none = (0,) * len(op.kernel)
    conv = ops.Conv(op.out_channels, op.kernel, op.stride, op.stride, none, none, op.groups)
    stored = weight_of(pointwise(weight.array(), op.groups))
    return replace(layer, operator=conv, weights={**layer.weights, "weight": stored})


def _depthwise(op: ops.ConvTranspose, weight: Weight | None) -> bool:
    stored = weight is not None and weight.present and weight.shape is not None
    return stored and op.target is None and op.groups == op.out_channels == weight.shape[0]  # type: ignore[index, union-attr]


def acts(op: ops.ConvTranspose, axis: int) -> bool:
    """Whether it does more along an axis than scale."""
    still = op.kernel[axis], op.stride[axis], op.pads_begin[axis], op.pads_end[axis]
    return (*still, op.output_padding[axis]) != (1, 1, 0, 0, 0)
