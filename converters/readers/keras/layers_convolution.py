"""Convolutions of every kind, and Dense."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size
from upconv.converters.ir.tensors import Weight
from upconv.converters.readers.assembly.weights import (
    Order,
    depthwise,
    flipped,
    kernel_order,
    transposed,
)
from upconv.converters.readers.keras.activations import activate
from upconv.converters.readers.keras.backends import backend_of
from upconv.converters.readers.keras.fields import flag, integer, integers, spatial_input
from upconv.converters.readers.keras.lowering import (
    ConsequenceError,
    KerasLayer,
    Step,
    Value,
    lowers,
)
from upconv.converters.readers.keras.tensors import Variable, weight
from upconv.converters.readers.keras.windows import convolution_window, pads, transposed_pads

_AXES: Final = {"1D": 1, "2D": 2, "3D": 3}


def axes_of(type_name: str) -> int:
    """The spatial axes in a class's name.

    >>> axes_of("Conv2DTranspose")
    2
    """
    return next(axes for text, axes in _AXES.items() if text in type_name)


def _bias(layer: KerasLayer, step: Step, channels: int) -> dict[str, Weight]:
    if not flag(layer, "use_bias", True):
        return {}
    return {"bias": weight(layer, step, Variable("bias", (channels,), "bias_initializer"))}


def kernel_of(layer: KerasLayer, axes: int) -> Order:
    """How a kernel (k..., a, b) becomes (b, a, k...): turned over along its spatial axes where
    Theano trained it, whose convolutions are true ones (theano.tensor.nnet.conv2d, filter_flip).
    Of depthwise kernels Keras itself turns them over for Theano, so that they stay as they are."""
    order = transposed(kernel_order(axes))
    kernel = layer.arrays.get("kernel")
    stored = kernel.file.root.text("backend") if kernel is not None else None
    return flipped(order, axes) if (stored or backend_of(layer)) == "theano" else order


def _divided(channels: Size | None, groups: int) -> int | None:
    return channels // groups if isinstance(channels, int) else None


@lowers("Conv1D", "Conv2D", "Conv3D")
def _conv(layer: KerasLayer, step: Step) -> Value:
    """Kernel (k..., C_in/groups, C_out)."""
    axes = axes_of(layer.type)
    window = convolution_window(layer, axes)
    filters = integer(layer, "filters")
    groups = integer(layer, "groups", 1)
    x = spatial_input(layer, step, axes)
    shape = (*window.kernel, _divided(step.size(x, 1), groups), filters)
    kernel = Variable("kernel", shape, "kernel_initializer")
    x, begins, ends = pads(layer, step, x, window, 0.0)
    operator = ops.Conv(
        filters, window.kernel, window.stride, window.dilation, begins, ends, groups
    )
    weights = {"weight": weight(layer, step, kernel, kernel_of(layer, axes))}
    weights |= _bias(layer, step, filters)
    return activate(layer, step, step.add(operator, [x], weights))


@lowers("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose")
def _conv_transpose(layer: KerasLayer, step: Step) -> Value:
    """Kernel (k..., C_out, C_in)."""
    axes = axes_of(layer.type)
    window = convolution_window(layer, axes)
    if layer.version.ignores_dilation(axes):
        window = replace(window, dilation=(1,) * axes)
    filters = integer(layer, "filters")
    if integer(layer, "groups", 1) != 1:
        raise layer.unsupported("a transposed convolution in groups", "groups")
    given = layer.config.get("output_padding") is not None
    extra = integers(layer, "output_padding", axes, least=0) if given else None
    begins, ends, extras = transposed_pads(layer, step, window, extra)
    x = spatial_input(layer, step, axes)
    shape = (*window.kernel, filters, step.size(x, 1))
    kernel = Variable("kernel", shape, "kernel_initializer")
    operator = ops.ConvTranspose(
        filters, window.kernel, window.stride, window.dilation, begins, ends, extras
    )
    weights = {"weight": weight(layer, step, kernel, kernel_of(layer, axes))}
    weights |= _bias(layer, step, filters)
    return activate(layer, step, step.add(operator, [x], weights))


def _depthwise_conv(
    layer: KerasLayer, step: Step, suffix: str, initializer: str, bias: bool
) -> Value:
    """Kernel (k..., C_in, multiplier); every input channel has outputs of its own."""
    axes = axes_of(layer.type)
    window = convolution_window(layer, axes)
    multiplier = integer(layer, "depth_multiplier", 1)
    x = spatial_input(layer, step, axes)
    channels = step.size(x, 1)
    kernel = Variable("depthwise_kernel", (*window.kernel, channels, multiplier), initializer)
    found = weight(layer, step, kernel, depthwise(axes))
    count = channels if isinstance(channels, int) else (found.shape or (0,))[0] // multiplier
    if not count:
        raise ConsequenceError("the number of its input's channels is unknown", layer=layer.name)
    x, begins, ends = pads(layer, step, x, window, 0.0)
    operator = ops.Conv(
        count * multiplier, window.kernel, window.stride, window.dilation, begins, ends, count
    )
    weights = {"weight": found} | (_bias(layer, step, count * multiplier) if bias else {})
    return step.add(operator, [x], weights, suffix)


@lowers("DepthwiseConv1D", "DepthwiseConv2D")
def _depthwise(layer: KerasLayer, step: Step) -> Value:
    y = _depthwise_conv(layer, step, "", "depthwise_initializer", bias=True)
    return activate(layer, step, y)


@lowers("SeparableConv1D", "SeparableConv2D")
def _separable(layer: KerasLayer, step: Step) -> Value:
    """A depthwise convolution, and a pointwise one: kernel (1..., C_in * multiplier, C_out)."""
    axes = axes_of(layer.type)
    if backend_of(layer) == "theano" and convolution_window(layer, axes).padding == "same":
        raise layer.unsupported("a separable convolution with padding 'same' on Theano", "padding")
    filters = integer(layer, "filters")
    x = _depthwise_conv(layer, step, "depthwise", "depthwise_initializer", bias=False)
    ones, zeros = (1,) * axes, (0,) * axes
    pointwise = Variable(
        "pointwise_kernel", (*ones, step.size(x, 1), filters), "pointwise_initializer"
    )
    weights = {"weight": weight(layer, step, pointwise, transposed(kernel_order(axes)))}
    weights |= _bias(layer, step, filters)
    operator = ops.Conv(filters, ones, ones, ones, zeros, zeros)
    return activate(layer, step, step.add(operator, [x], weights))


@lowers("Dense")
def _dense(layer: KerasLayer, step: Step) -> Value:
    """Kernel (in, out), over the last axis: of a feature map whose channels moved, a convolution
    by one pixel."""
    units = integer(layer, "units")
    x = layer.x
    rank = step.rank(x)
    if x.moved and rank is not None and 3 <= rank <= 5:
        return _pointwise_dense(layer, step, units, rank - 2)
    x = step.plain(x)
    features = step.size(x, (step.rank(x) or 2) - 1)
    kernel = Variable("kernel", (features, units), "kernel_initializer")
    weights = {"weight": weight(layer, step, kernel)} | _bias(layer, step, units)
    operator = ops.Linear(units, (step.rank(x) or 2) - 1, transposed=True)
    return activate(layer, step, step.add(operator, [x], weights))


def _pointwise_dense(layer: KerasLayer, step: Step, units: int, axes: int) -> Value:
    kernel = Variable("kernel", (step.size(layer.x, 1), units), "kernel_initializer")
    ones, zeros = (1,) * axes, (0,) * axes

    def shape(old: tuple[int, ...]) -> tuple[int, ...]:
        return (*old[::-1], *ones)

    order: Order = (shape, lambda values: values.T.reshape(shape(values.shape)))
    turned = weight(layer, step, kernel, order, key="pointwise")
    weights = {"weight": turned} | _bias(layer, step, units)
    y = step.add(ops.Conv(units, ones, ones, ones, zeros, zeros), [layer.x], weights)
    return activate(layer, step, y)
