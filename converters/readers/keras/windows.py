"""Padding of convolutions and poolings in Keras's words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from upconv.converters.ir.dims import Size, symbol
from upconv.converters.ir.geometry import (
    effective_kernel,
    full_size,
    keras_torch_pads,
    keras_transposed_size,
    target_pads,
    tensorflow_inverts,
)
from upconv.converters.readers.assembly.same_padding import Setting, amounts, same_padding
from upconv.converters.readers.keras.backends import (
    TORCH_CLAMPS,
    TORCH_IN_ORDER,
    TORCH_MENDED,
    agreed,
    backend_of,
    newer,
)
from upconv.converters.readers.keras.fields import Ints, integers, word
from upconv.converters.readers.keras.lowering import KerasLayer, Step, Value

_FAILS: Final = "Keras builds this layer and fails when it is called"


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

    @property
    def word(self) -> Literal["same", "valid"]:
        return "same" if self.padding == "same" else "valid"


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
    if backend_of(layer) == "theano":
        return x, *_half(window)
    sizes = [step.size(x, axis + 2) for axis in range(axes)]
    require_order(layer, sizes, window)
    same = same_padding(x.name, sizes, window.settings, fill)
    if same.pad is not None:
        x = step.add(same.pad, [x], suffix="same")
    return x, same.begin, same.end


def _half(window: Window) -> tuple[Ints, Ints]:
    """(pads_begin, pads_end) of Theano's `same`: half the kernel at both sides, one less at the end
    where it is even, whatever the stride (keras/backend/theano_backend.py of Keras 2:
    border_mode 'half', and _postprocess_conv2d_output)."""
    extents = [effective_kernel(k, d) for k, _, d in window.settings]
    return tuple(e // 2 for e in extents), tuple((e - 1) // 2 for e in extents)


Cuts: TypeAlias = tuple[Ints, Ints, Ints]
"""(pads_begin, pads_end, output_padding) of a transposed convolution."""


def transposed_pads(
    layer: KerasLayer, step: Step, window: Window, output_padding: Ints | None
) -> Cuts:
    """The cuts of a transposed convolution, by the lengths of keras/src/ops/operation_utils.py;
    they do not depend on the input's size.

    Raises NotRunnableError where the backend refuses to run the layer.
    """

    def meaning(backend: str) -> Cuts:
        cuts = _CUTS.get(backend, _cuts_of_others)
        extras = output_padding or (None,) * len(window.kernel)
        found = [
            cuts(layer, _Transposed(*setting, window.word, extra))
            for setting, extra in zip(window.settings, extras, strict=True)
        ]
        begins, ends, beyond = zip(*found, strict=True)
        return tuple(begins), tuple(ends), tuple(beyond)

    return agreed(layer, step, meaning, "where its transposed convolution lays its output")


@dataclass(frozen=True, slots=True)
class _Transposed:
    """One axis of a transposed convolution in Keras's words."""

    kernel: int
    stride: int
    dilation: int
    padding: Literal["same", "valid"]
    extra: int | None

    @property
    def full(self) -> Size:
        full: Size = full_size(symbol("n"), self.kernel, self.stride, self.dilation)
        return full

    @property
    def out(self) -> Size:
        out: Size = keras_transposed_size(
            symbol("n"), self.kernel, self.stride, self.dilation, self.padding, self.extra
        )
        return out


def _cuts_of_others(layer: KerasLayer, axis: _Transposed) -> tuple[int, int, int]:
    """JAX, NumPy, and torch from Keras 3.15 on, run what TensorFlow refuses."""
    return target_pads(axis.full, axis.out, axis.padding)


def _cuts_of_tensorflow(layer: KerasLayer, axis: _Transposed) -> tuple[int, int, int]:
    settings = axis.kernel, axis.stride, axis.dilation
    if not tensorflow_inverts(symbol("n"), axis.out, *settings, axis.padding):
        raise layer.not_runnable(
            _why_not(settings, axis.padding, axis.extra), "output_padding", "padding"
        )
    return target_pads(axis.full, axis.out, axis.padding)


def _cuts_of_torch(layer: KerasLayer, axis: _Transposed) -> tuple[int, int, int]:
    if newer(layer, TORCH_MENDED):
        return _cuts_of_others(layer, axis)
    settings = axis.kernel, axis.stride, axis.dilation
    cut, extra = keras_torch_pads(*settings, axis.padding, axis.extra)
    if extra >= axis.stride:
        if not newer(layer, TORCH_CLAMPS):
            raise layer.not_runnable(_torch_refuses(extra, axis.stride), "output_padding")
        extra = axis.stride - 1
    return cut, cut, extra


def _torch_refuses(extra: int, stride: int) -> str:
    return (
        f"{_FAILS}: on torch it leads to an output_padding of {extra}, "
        f"which stride {stride} does not allow"
    )


def _cuts_of_theano(layer: KerasLayer, axis: _Transposed) -> tuple[int, int, int]:
    """Half the kernel at the begin, whatever the stride; Keras refuses even kernels."""
    if axis.padding == "valid":
        return _cuts_of_others(layer, axis)
    if axis.kernel % 2 == 0:
        raise layer.not_runnable(
            f"{_FAILS}: Theano takes no even kernel with padding 'same'", "kernel_size"
        )
    half = effective_kernel(axis.kernel, axis.dilation) // 2
    return target_pads(axis.full, axis.out, "begin", half)


_CUTS: Final[Mapping[str, Callable[[KerasLayer, _Transposed], tuple[int, int, int]]]] = {
    "tensorflow": _cuts_of_tensorflow,
    "torch": _cuts_of_torch,
    "theano": _cuts_of_theano,
}
"""Backend -> (begin, end, output padding) of one axis; the others compute alike."""


def _why_not(settings: tuple[int, int, int], padding: str, extra: int | None) -> str:
    kernel, stride, dilation = settings
    return (
        f"{_FAILS}: with padding '{padding}', "
        f"an effective kernel of {effective_kernel(kernel, dilation)}, stride {stride} and "
        f"output_padding {extra}, no convolution leads back to the input's size"
    )


def require_order(layer: KerasLayer, sizes: Sequence[Size | None], window: Window) -> None:
    """Raise UnsupportedError where Keras 3 up to 3.8 on torch exchanges the axes of the padding:
    where it is even along every axis, and not the same along all (nn.py, _apply_same_padding)."""
    if backend_of(layer) != "torch" or newer(layer, TORCH_IN_ORDER):
        return
    found = [amounts(*pair) for pair in zip(sizes, window.settings, strict=True)]
    uneven = any(pair is not None and pair[0] != pair[1] for pair in found)
    if not uneven and found != found[::-1]:
        raise layer.unsupported(
            f"Keras {layer.version.text} on torch exchanges the axes of this padding 'same'",
            "padding",
            "save the model with Keras 3.9 or later",
        )
