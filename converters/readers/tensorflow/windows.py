"""Kernel, stride, dilation and padding of convolutions and poolings in TensorFlow's words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from upconv.converters.readers.assembly.same_padding import Setting, same_padding
from upconv.converters.readers.tensorflow.lowering import Call

Ints = tuple[int, ...]
Pads = tuple[tuple[int, int], ...]


def is_channels_last(call: Call) -> bool:
    """Whether data_format counts channels last, as it does where it is not given."""
    word = call.node.word("data_format", "NHWC")
    if word in ("NHWC", "NDHWC", "NWC"):
        return True
    if word in ("NCHW", "NCDHW", "NCW"):
        return False
    raise call.unsupported(f"the data_format '{word}'")


def spatial_part(call: Call, name: str, axes: int, *, last: bool) -> Ints:
    """The spatial numbers of an attribute that has one per axis; 1 where it is not given.

    Raises UnsupportedError where it does something to the batch or the channels.
    """
    listed = call.node.integers(name)
    if not listed:
        return (1,) * axes
    return checked_part(call, listed, name, axes, last=last)


def checked_part(call: Call, listed: Sequence[int], name: str, axes: int, *, last: bool) -> Ints:
    """The spatial ones of numbers for every axis."""
    if len(listed) != axes + 2 or any(number < 1 for number in listed):
        raise call.invalid(f"{name} is {list(listed)}, not {axes + 2} positive numbers")
    others = (listed[0], listed[-1]) if last else tuple(listed[:2])
    if others != (1, 1):
        raise call.unsupported(f"{name} of the batch or the channels: {list(listed)}")
    return tuple(listed[1:-1] if last else listed[2:])


@dataclass(frozen=True, slots=True)
class Window:
    """One window per spatial axis. `explicit` holds the pads where padding is EXPLICIT."""

    kernel: Ints
    stride: Ints
    dilation: Ints
    padding: str
    explicit: Pads = ()

    @property
    def settings(self) -> tuple[Setting, ...]:
        return tuple(zip(self.kernel, self.stride, self.dilation, strict=True))


def window_of(call: Call, kernel: Ints, *, last: bool) -> Window:
    """The window of a convolution with this kernel."""
    axes = len(kernel)
    padding = call.node.word("padding", "VALID")
    if padding not in ("SAME", "VALID", "EXPLICIT"):
        raise call.invalid(f"the padding '{padding}'")
    return Window(
        kernel,
        spatial_part(call, "strides", axes, last=last),
        spatial_part(call, "dilations", axes, last=last),
        padding,
        explicit_pads(call, axes, last=last) if padding == "EXPLICIT" else (),
    )


def explicit_pads(call: Call, axes: int, *, last: bool) -> Pads:
    """explicit_paddings: (begin, end) of every axis, those of batch and channels zero."""
    listed = call.node.integers("explicit_paddings")
    pairs = tuple(zip(listed[::2], listed[1::2], strict=False))
    if len(listed) != 2 * axes + 4 or any(number < 0 for number in listed):
        raise call.invalid(f"explicit_paddings {list(listed)}")
    return pairs[1:-1] if last else pairs[2:]


def padded(call: Call, x: str, window: Window, fill: float) -> tuple[str, Ints, Ints]:
    """(input, pads_begin, pads_end) of a convolution or pooling of the tensor `x`."""
    if window.padding == "VALID":
        return x, (0,) * len(window.kernel), (0,) * len(window.kernel)
    if window.padding == "EXPLICIT":
        begin, end = zip(*window.explicit, strict=True)
        return x, tuple(begin), tuple(end)
    sizes = call.shape(x, len(window.kernel) + 2)[2:]
    same = same_padding(x, sizes, window.settings, fill)
    if same.pad is not None:
        x = call.emit(same.pad, [x], suffix="same")
    return x, same.begin, same.end
