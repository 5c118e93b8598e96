"""Activations that are layers of their own."""

from __future__ import annotations

from math import prod
from typing import Any

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size
from upconv.converters.ir.tensors import Weight
from upconv.converters.readers.assembly.compositions import LARGEST
from upconv.converters.readers.assembly.layout import moved_axis, to_channels_first
from upconv.converters.readers.assembly.weights import FLAT
from upconv.converters.readers.keras.activations import activate
from upconv.converters.readers.keras.fields import ir_axis, number
from upconv.converters.readers.keras.lowering import (
    ConsequenceError,
    KerasLayer,
    Step,
    Value,
    lowers,
)
from upconv.converters.readers.keras.tensors import Variable, weight


@lowers("Activation")
def _activation(layer: KerasLayer, step: Step) -> Value:
    """The function's operator bears the layer's name where it is one operator."""
    return activate(layer, step, layer.x, own=True)


@lowers("ReLU")
def _relu(layer: KerasLayer, step: Step) -> Value:
    """max_value where x >= max_value, x where x >= threshold, else negative_slope * (x - threshold)
    (keras/src/layers/activations/relu.py)."""
    slope = number(layer, "negative_slope", 0.0)
    threshold = number(layer, "threshold", 0.0)
    top = layer.config.get("max_value")
    if threshold:
        y = _above_threshold(step, layer.x, threshold, slope)
    elif top is not None and not slope:
        return step.add(ops.Clip(0.0, number(layer, "max_value", 0.0)), [layer.x])
    else:
        y = step.add(ops.Relu(slope), [layer.x])
    if top is None:
        return y
    return step.add(ops.Clip(-LARGEST, number(layer, "max_value", 0.0)), [y], suffix="max_value")


def _above_threshold(step: Step, x: Value, threshold: float, slope: float) -> Value:
    """x where x > threshold, and slope * (x - threshold) below."""
    above = step.add(ops.Compare("greater", threshold), [x], suffix="above")
    y = step.add(ops.Eltwise("product"), [x, above])
    if not slope:
        return y
    below = step.add(ops.Power(scale=-1.0, shift=threshold), [x], suffix="below")
    part = step.add(ops.Relu(), [below], suffix="below/relu")
    return step.add(ops.Eltwise("sum", (1.0, -slope)), [y, part], suffix="sum")


@lowers("LeakyReLU")
def _leaky_relu(layer: KerasLayer, step: Step) -> Value:
    name = "negative_slope" if "negative_slope" in layer.config else "alpha"
    return step.add(ops.Relu(number(layer, name, 0.3)), [layer.x])


@lowers("ThresholdedReLU")
def _thresholded(layer: KerasLayer, step: Step) -> Value:
    return _above_threshold(step, layer.x, number(layer, "theta", 1.0), 0.0)


@lowers("ELU")
def _elu(layer: KerasLayer, step: Step) -> Value:
    return step.add(ops.Elu(number(layer, "alpha", 1.0)), [layer.x])


@lowers("Softmax")
def _softmax(layer: KerasLayer, step: Step) -> Value:
    axis = layer.config.get("axis", -1)
    if isinstance(axis, list) and len(axis) > 1:
        raise layer.unsupported("a softmax over several axes", "axis")
    if len(layer.inputs) > 1 or layer.call.keywords.get("mask") is not None:
        raise layer.unsupported("a softmax with a mask")
    return step.add(ops.Softmax(ir_axis(layer, step, axis, layer.x)), [layer.x])


@lowers("PReLU")
def _prelu(layer: KerasLayer, step: Step) -> Value:
    """Slopes (1, ..., C) along channels, or one for each place where axes are not shared."""
    x = layer.x
    shape = step.shape(x)
    if shape is None:
        return _prelu_of_unknown(layer, step)
    rank = len(shape)
    shared = {axis for axis in layer.config.list("shared_axes") if isinstance(axis, int)}
    kept = [axis for axis in range(1, rank) if axis not in shared and axis - rank not in shared]
    sizes: list[Size | None] = [
        shape[moved_axis(axis, rank) if x.moved else axis] if axis in kept else 1
        for axis in range(1, rank)
    ]
    alpha = Variable("alpha", tuple(sizes), "alpha_initializer")
    channel = rank - 1 if x.moved else 1
    if set(kept) <= {channel}:
        flat = weight(layer, step, alpha, FLAT)
        return step.add(ops.PRelu(), [x], {"slope": flat})
    return _prelu_by_place(step, x, _negated(layer, step, alpha, x))


def _prelu_of_unknown(layer: KerasLayer, step: Step) -> Value:
    """Of an input whose shape is not known only the stored slopes tell how they are shared."""
    array = layer.arrays.get("alpha")
    if array is None or array.shape[-1] != prod(array.shape):
        raise ConsequenceError("the shape of its input is unknown", layer=layer.name)
    alpha = Variable("alpha", array.shape, "alpha_initializer")
    flat = weight(layer, step, alpha, FLAT)
    return step.add(ops.PRelu(), [layer.x], {"slope": flat})


def _negated(layer: KerasLayer, step: Step, alpha: Variable, x: Value) -> Weight:
    """-alpha, broadcast over the input's shape without N, in the representation's order."""

    def order(items: tuple[Any, ...]) -> tuple[Any, ...]:
        return to_channels_first((None, *items))[1:] if x.moved else items

    def arrange(values: Any) -> Any:
        return -values.transpose(order(tuple(range(values.ndim))))

    return weight(layer, step, alpha, (order, arrange), key=f"negated{x.moved}")


def _prelu_by_place(step: Step, x: Value, negated: Weight) -> Value:
    """max(x, 0) + alpha * min(x, 0), as max(x, 0) + (-alpha) * max(-x, 0)."""
    above = step.add(ops.Relu(), [x], suffix="above")
    turned = step.add(ops.Power(scale=-1.0), [x], suffix="turned")
    below = step.add(ops.Relu(), [turned], suffix="below")
    part = step.add(ops.Scale(1), [below], {"scale": negated}, suffix="slope")
    return step.add(ops.Eltwise("sum"), [above, part])


@lowers(
    "Dropout",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "AlphaDropout",
    "GaussianDropout",
    "GaussianNoise",
    "ActivityRegularization",
    "RandomFlip",
    "RandomRotation",
    "RandomZoom",
    "RandomTranslation",
    "RandomContrast",
    "RandomBrightness",
    "Identity",
)
def _identity(layer: KerasLayer, step: Step) -> Value:
    """Nothing at inference."""
    return step.add(ops.Identity(), [layer.x])
