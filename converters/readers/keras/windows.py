"""Padding of convolutions and poolings in Keras's words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from upconv.converters.ir.dims import symbol
from upconv.converters.ir.geometry import (
    effective_kernel,
    full_size,
    keras_transposed_size,
    target_pads,
    tensorflow_inverts,
)
from upconv.converters.readers.assembly.same_padding import Setting, same_padding
from upconv.converters.readers.keras.fields import Ints, integers, word
from upconv.converters.readers.keras.lowering import KerasLayer, Step, Value


@dataclass(frozen=True, slots=True)
class Window:
    """Kernel, stride and dilation per spatial axis, and the word for the padding."""

    kernel: Ints
    stride: Ints
    dilation: Ints
    padding: str

    @property
    def settings(self) -> list[Setting]:
        return list(zip(self.kernel, self.stride, self.dilation, strict=True))


def convolution_window(layer: KerasLayer, axes: int) -> Window:
    """The window of a convolution of any kind."""
    return Window(
        integers(layer, "kernel_size", axes),
        integers(layer, "strides", axes, 1),
        integers(layer, "dilation_rate", axes, 1),
        _padding(layer, "same", "valid", *(("causal",) if axes == 1 else ())),
    )


def pooling_window(layer: KerasLayer, axes: int) -> Window:
    """The window of a pooling; its stride is its size where none is given."""
    name = "pool_length" if "pool_length" in layer.config else "pool_size"
    kernel = integers(layer, name, axes, 2)
    stride = kernel if layer.config.get("strides") is None else integers(layer, "strides", axes)
    return Window(kernel, stride, (1,) * axes, _padding(layer, "same", "valid"))


def _padding(layer: KerasLayer, *allowed: str) -> str:
    padding = word(layer, "padding", "valid")
    if padding not in allowed:
        raise layer.invalid(f"padding is '{padding}', not one of {', '.join(allowed)}", "padding")
    return padding


def pads(
    layer: KerasLayer, step: Step, x: Value, window: Window, fill: float
) -> tuple[Value, Ints, Ints]:
    """(input, pads_begin, pads_end) of a convolution or pooling.

    SAME depends on the size where the stride exceeds 1. Where the size is dynamic and the begin
    changes with it, the input is padded by a layer of its own, with `fill`.
    """
    axes = len(window.kernel)
    if window.padding == "valid":
        return x, (0,) * axes, (0,) * axes
    if window.padding == "causal":
        return x, (effective_kernel(window.kernel[0], window.dilation[0]) - 1,), (0,)
    sizes = [step.size(x, axis + 2) for axis in range(axes)]
    same = same_padding(x.name, sizes, window.settings, fill)
    if same.pad is not None:
        x = step.add(same.pad, [x], suffix="same")
    return x, same.begin, same.end


def transposed_pads(
    layer: KerasLayer, window: Window, output_padding: Ints | None
) -> tuple[Ints, Ints, Ints]:
    """(pads_begin, pads_end, output_padding) of a transposed convolution, by the lengths of
    keras/src/ops/operation_utils.py; they do not depend on the input's size.

    Raises NotRunnableError where TensorFlow refuses to run the layer.
    """
    padding: Literal["same", "valid"] = "same" if window.padding == "same" else "valid"
    size = symbol("n")
    found = []
    for axis, kernel in enumerate(window.kernel):
        settings = kernel, window.stride[axis], window.dilation[axis]
        extra = None if output_padding is None else output_padding[axis]
        out = keras_transposed_size(size, *settings, padding, extra)
        if not tensorflow_inverts(size, out, *settings, padding):
            why_not = _why_not(settings, padding, extra)
            raise layer.not_runnable(why_not, "output_padding", "padding")
        found.append(target_pads(full_size(size, *settings), out, padding))
    begins, ends, extras = zip(*found, strict=True)
    return tuple(begins), tuple(ends), tuple(extras)


def _why_not(settings: tuple[int, int, int], padding: str, extra: int | None) -> str:
    kernel, stride, dilation = settings
    return (
        f"Keras builds this layer and fails when it is called: with padding '{padding}', "
        f"an effective kernel of {effective_kernel(kernel, dilation)}, stride {stride} and "
        f"output_padding {extra}, no convolution leads back to the input's size"
    )
