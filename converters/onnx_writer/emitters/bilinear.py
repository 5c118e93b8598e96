"""Faster forms of transposed convolutions: which of them says a layer.

A bilinear kernel is a product of one factor an axis, channel by channel. These are forms in which
ONNX says one layer, and no pass over the model: the layer keeps its name in the file, and its
certificate. Of windows that do not overlap, kernel = stride, a convolution of one pixel with
DepthToSpace behind it is no such form: the node was the faster one in onnxruntime.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir import operators as ops
from upconv.converters.ir.kernels import (
    Factors,
    Mixture,
    depthwise_kernels,
    factored,
    is_pointwise,
    mixture,
    pointwise,
)
from upconv.converters.ir.model import Layer
from upconv.converters.ir.tensors import ArrayData
from upconv.converters.onnx_writer.emitters.factored import fits_matrices, matrices, separable
from upconv.converters.onnx_writer.emitters.resized import can_be_resized, resized
from upconv.converters.onnx_writer.emitters.transposed_axes import TransposedAxis
from upconv.converters.onnx_writer.form_costs import cheapest
from upconv.converters.onnx_writer.graph import GraphBuilder
from upconv.converters.onnx_writer.options import GROUPED, POINTWISE, Bilinear

Array = NDArray[np.float32]
Form: TypeAlias = Callable[[Layer, GraphBuilder, str, Sequence[TransposedAxis], Factors], None]

FORMS: Final[dict[str, Form]] = {
    "separable": separable,
    "matmul": matrices,
    "resize": lambda layer, graph, x, axes, factors: resized(layer, graph, x, axes),
}


def cheaper_form(
    op: ops.ConvTranspose, layer: Layer, graph: GraphBuilder, axes: Sequence[TransposedAxis]
) -> str:
    """Emit a form other than one node and return its name; "" where the layer must stay as it is:
    asked for as such, cut or padded behind the node, or of no kernel that has another form."""
    wanted = graph.options.bilinear
    if wanted == "conv-transpose" or not all(axis.plain for axis in axes):
        return ""
    kernels = depthwise_kernels(op, layer)
    x = graph.tensor(layer.inputs[0])
    if kernels is not None:
        return _by_channel(layer, graph, x, axes, kernels)
    mixed = mixture(layer.weights["weight"].array()) if op.groups == 1 else None
    form = "" if mixed is None else _mixed(layer, graph, axes, mixed)
    if form or wanted != "auto" or not is_pointwise(op):
        return form
    return _pointwise(op, layer, graph)


def _by_channel(
    layer: Layer, graph: GraphBuilder, x: str, axes: Sequence[TransposedAxis], kernels: Array
) -> str:
    wanted = graph.options.bilinear
    if wanted == "resize" and not can_be_resized(axes, kernels):
        return ""
    factors = factored(kernels)
    if factors is None or (wanted == "auto" and not factors.exact):
        return ""
    form = _chosen(layer, graph, axes, wanted, can_be_resized(axes, kernels))
    if form == "separable" and len(axes) == 1:
        return ""  # it is the node itself
    FORMS[form](layer, graph, x, axes, factors)
    return form


def _chosen(
    layer: Layer,
    graph: GraphBuilder,
    axes: Sequence[TransposedAxis],
    wanted: Bilinear,
    resizes: bool,
) -> str:
    """The wanted form; of `auto` the cheapest by the model of costs."""
    fits = fits_matrices(layer, graph, axes)
    if wanted != "auto":
        return "separable" if wanted == "matmul" and not fits else wanted
    sizes = [size if isinstance(size, int) else None for size in graph.shape(layer.inputs[0])[2:]]
    there = {"separable": True, "matmul": fits, "resize": resizes}
    return cheapest([axis.stride for axis in axes], sizes, [f for f, can in there.items() if can])


def _pointwise(op: ops.ConvTranspose, layer: Layer, graph: GraphBuilder) -> str:
    """A convolution, its weight turned when it is written."""
    stored = layer.weights["weight"]
    shape = (op.out_channels, stored.size // op.out_channels, *op.kernel)
    data = ArrayData(shape, lambda: pointwise(stored.array(), op.groups))
    weight = graph.stored(f"{layer.name}/{POINTWISE}", data)
    inputs = (graph.tensor(layer.inputs[0]), weight, *graph.optional_weight("bias"))
    graph.node("Conv", inputs, layer.outputs[0], group=op.groups)
    return "Conv"


MIXED: Final = "Conv+"
"""Before the form of a layer whose channels are mixed first."""


def _mixed(
    layer: Layer, graph: GraphBuilder, axes: Sequence[TransposedAxis], mixed: Mixture
) -> str:
    """Channels mixed by a convolution of one pixel, and then enlarged each for itself."""
    wanted = graph.options.bilinear
    channels = mixed.mixing.shape[1]
    factors = factored(mixed.kernel[None])
    if factors is None or (wanted == "auto" and not (mixed.exact and factors.exact)):
        return ""
    if wanted == "resize":
        return ""
    same = Factors(tuple(np.repeat(one, channels, axis=0) for one in factors.taps), factors.exact)
    form = _chosen(layer, graph, axes, wanted, resizes=False)
    taken = graph.constant(mixed.convolution, f"{layer.name}/mixing")
    x = graph.node("Conv", (graph.tensor(layer.inputs[0]), taken))
    FORMS[form](layer, graph, x, axes, same)
    return MIXED + form


def grouped_weight(op: ops.ConvTranspose, layer: Layer, graph: GraphBuilder) -> str:
    """The weight (C, 1, k...) of a dense layer that keeps channels apart, as FCN stores it, ""
    where it is none: what is left out are products with zero, so that no finite value changes."""
    if op.groups != 1 or op.out_channels < 2:
        return ""
    kernels = depthwise_kernels(op, layer)
    return "" if kernels is None else graph.constant(kernels[:, None], f"{layer.name}/{GROUPED}")
