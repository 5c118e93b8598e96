"""Convolutions of every kind, and Dense."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size
from upconv.converters.ir.geometry import keras_transposed_size
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
from upconv.converters.readers.keras.fields import (
    Ints,
    flag,
    integer,
    integers,
    is_channels_last,
    is_int,
    spatial_input,
)
from upconv.converters.readers.keras.keras1 import stored_kernel
from upconv.converters.readers.keras.lowering import (
    ConsequenceError,
    KerasLayer,
    Step,
    Value,
    lowers,
)
from upconv.converters.readers.keras.tensors import Shape, Variable, weight
from upconv.converters.readers.keras.windows import (
    Window,
    convolution_window,
    pads,
    transposed_pads,
)

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


def _kernel(layer: KerasLayer, step: Step, shape: Shape) -> Weight:
    """The kernel (k..., a, b) as (b, a, k...): turned over along its spatial axes where Theano
    trained it, whose convolutions are true ones (theano.tensor.nnet.conv2d, filter_flip).
    Of depthwise kernels Keras itself turns them over for Theano, so that they stay as they are."""
    axes = len(shape) - 2
    order = transposed(kernel_order(axes))
    array = layer.arrays.get("kernel")
    old = stored_kernel(layer.config, "Transpose" in layer.type, shape)
    if old is not None and (array is None or not _fits(array.shape, shape)):
        shape, order = old
    writer = array.file.root.text("backend") if array is not None else None
    if (writer or backend_of(layer)) == "theano":
        order = flipped(order, axes)
    return weight(layer, step, Variable("kernel", shape, "kernel_initializer"), order)


def _fits(stored: Ints, shape: Shape) -> bool:
    """Whether a file that Keras 1 wrote has a kernel in Keras 2's shape, as tools leave it there;
    where that could be both, it is Keras 1's."""
    return stored == shape and len(set(shape[-2:])) == 2


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
    x, begins, ends = pads(layer, step, x, window, 0.0)
    operator = ops.Conv(
        filters, window.kernel, window.stride, window.dilation, begins, ends, groups
    )
    weights = {"weight": _kernel(layer, step, shape)}
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
    x = spatial_input(layer, step, axes)
    extra = _output_padding(layer, step, window, x)
    begins, ends, extras = transposed_pads(layer, step, window, extra)
    shape = (*window.kernel, filters, step.size(x, 1))
    operator = ops.ConvTranspose(
        filters, window.kernel, window.stride, window.dilation, begins, ends, extras
    )
    weights = {"weight": _kernel(layer, step, shape)}
    weights |= _bias(layer, step, filters)
    return activate(layer, step, step.add(operator, [x], weights))


def _output_padding(layer: KerasLayer, step: Step, window: Window, x: Value) -> Ints | None:
    """What the file gives, or in Keras 1 what its output_shape is beyond the usual size."""
    axes = len(window.kernel)
    if layer.config.get("output_padding") is not None:
        return integers(layer, "output_padding", axes, least=0)
    if "output_shape" not in layer.config:
        return None
    sizes = [step.size(x, axis + 2) for axis in range(axes)]
    wanted = layer.config.list("output_shape")[1 if is_channels_last(layer) else 2 :][:axes]
    fixed = all(isinstance(size, int) for size in sizes) and all(map(is_int, wanted))
    if not fixed or len(wanted) != axes:
        hint = "give the input's, as in --input NAME=1x224x224x3"
        raise layer.unsupported(
            "an output_shape that its input's sizes decide", "output_shape", hint
        )
    usual = (
        keras_transposed_size(size, *setting, window.word, 0)
        for size, setting in zip(sizes, window.settings, strict=True)
    )
    extras = tuple(want - have for want, have in zip(wanted, usual, strict=True))
    if any(not 0 <= extra <= s for extra, s in zip(extras, window.stride, strict=True)):
        message = f"no input of {sizes} has an output of {wanted}"
        raise layer.not_runnable(message, "output_shape")
    return extras


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
