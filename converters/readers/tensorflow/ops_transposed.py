"""Transposed convolution (Conv*DBackpropInput) to the output size that the graph asks for.

The size is a constant or computed from other tensors. Where it and the input's size differ by the
same for inputs of every size, the operator says so in numbers; else the size itself is its target.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, like, maximum
from upconv.converters.ir.geometry import (
    fixed_same_pads,
    full_size,
    same_pads,
    target_pads,
    tensorflow_inverts,
)
from upconv.converters.ir.tensors import Weight
from upconv.converters.readers.assembly.same_padding import Setting
from upconv.converters.readers.tensorflow.lowering import Call
from upconv.converters.readers.tensorflow.windows import Window


@dataclass(frozen=True, slots=True)
class Target:
    """The output that a transposed convolution is to have: channels and spatial sizes."""

    channels: int
    groups: int
    sizes: tuple[Size, ...]


@dataclass(frozen=True, slots=True)
class _Axis:
    """One axis: (begin, end, output_padding) in numbers, or the begin alone (a size where it
    changes with the input) and the target."""

    target: Size
    full: Size
    begin: Size
    fixed: tuple[int, int, int] | None = None


def transposed_convolution(
    call: Call, x: str, window: Window, target: Target, weight: Weight
) -> str:
    """Emit the layers of a transposed convolution of the tensor `x`; the output's name.

    Raises UnreadableError where TensorFlow would refuse the output size.
    """
    count = len(window.kernel)
    if len(target.sizes) != count:
        raise call.invalid(f"{len(target.sizes)} output sizes for {count} spatial axes")
    axes = [_axis(call, x, window, target, axis) for axis in range(count)]
    fixed = [axis.fixed for axis in axes if axis.fixed is not None]
    if len(fixed) == count:
        begin, end, extra = zip(*fixed, strict=True)
        operator = _operator(window, target, begin, end, extra)
        return call.emit(operator, [x], {"weight": weight})
    begins = [axis.begin for axis in axes]
    numbers = tuple(begin for begin in begins if isinstance(begin, int))
    none = (0,) * count
    sizes = tuple(axis.target for axis in axes)
    if len(numbers) == count:
        operator = _operator(window, target, numbers, none, none, sizes)
        return call.emit(operator, [x], {"weight": weight})
    return _cropped(call, x, window, target, weight, axes)


def _operator(
    window: Window,
    target: Target,
    begin: tuple[int, ...],
    end: tuple[int, ...],
    extra: tuple[int, ...],
    sizes: tuple[Size, ...] | None = None,
) -> ops.ConvTranspose:
    return ops.ConvTranspose(
        target.channels,
        window.kernel,
        window.stride,
        window.dilation,
        begin,
        end,
        extra,
        target.groups,
        sizes,
    )


def _cropped(
    call: Call, x: str, window: Window, target: Target, weight: Weight, axes: list[_Axis]
) -> str:
    """Where SAME begins changes with the size: everything, and the wanted part of it."""
    none = (0,) * len(axes)
    sizes = tuple(maximum(axis.full, axis.begin + axis.target) for axis in axes)
    operator = _operator(window, target, none, none, none, sizes)
    whole = call.emit(operator, [x], {"weight": weight}, suffix="full")
    offsets = tuple(axis.begin for axis in axes)
    return call.emit(ops.Crop(2, offsets, tuple(axis.target for axis in axes)), [whole])


def _axis(call: Call, x: str, window: Window, target: Target, axis: int) -> _Axis:
    setting = window.settings[axis]
    wanted = target.sizes[axis]
    out = call.work.known(wanted)
    size = call.shape(x, len(window.kernel) + 2)[axis + 2]
    begin = _begin(window, axis, out if isinstance(out, int) else wanted)
    known_begin = call.work.known(begin)
    full = full_size(like(x, axis + 2), *setting)
    if size is None:
        return _Axis(wanted, full, begin)
    _require_inverse(call, size, out, setting, window.padding)
    whole = full_size(size, *setting)
    if not isinstance(whole - out, int) or not isinstance(known_begin, int):
        return _Axis(wanted, full, known_begin if isinstance(known_begin, int) else begin)
    amounts = target_pads(whole, out, "begin", known_begin)
    first, end, extra = (call.number(amount, "padding") for amount in amounts)
    return _Axis(wanted, full, first, (first, end, extra))


def _begin(window: Window, axis: int, out: Size) -> Size:
    """How much is cut at the begin: what the convolution that leads back would pad there."""
    if window.padding == "EXPLICIT":
        return window.explicit[axis][0]
    if window.padding == "VALID":
        return 0
    if isinstance(out, int):
        begin, _ = same_pads(out, *window.settings[axis])
        return int(begin)
    fixed = fixed_same_pads(*window.settings[axis])
    if fixed is not None:
        return fixed[0]
    dynamic: Size = same_pads(out, *window.settings[axis])[0]
    return dynamic


def _require_inverse(call: Call, size: Size, out: Size, setting: Setting, padding: str) -> None:
    """Raise where the convolution from the output size does not give the input's size."""
    if isinstance(out, int) and out <= 0:
        raise call.invalid(f"an output size of {out}")
    word: Literal["same", "valid"] = "same" if padding == "SAME" else "valid"
    compared = size * setting[1] if word == "same" else full_size(size, *setting)
    if padding == "EXPLICIT" or not isinstance(compared - out, int):
        return
    if not tensorflow_inverts(size, out, *setting, word):
        raise call.invalid(
            f"an output of {out} from an input of {size}: with {padding}, kernel {setting[0]} and "
            f"stride {setting[1]}, no convolution leads back, so TensorFlow refuses it"
        )
