"""Transposed convolutions that are meant to interpolate, and what their settings really do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from upconv.converters.ir import operators as ops
from upconv.converters.ir.geometry import bilinear_kernel_size, bilinear_pad
from upconv.converters.ir.model import Layer
from upconv.converters.ir.records import record
from upconv.converters.ir.shapes import Shape
from upconv.linter.facts import words
from upconv.linter.facts.intent import Intent
from upconv.linter.facts.stored import stored_kernel

if TYPE_CHECKING:
    from upconv.converters.ir.kernels import Bilinear


@record(frozen=True, slots=True)
class Interpolator:
    """A transposed convolution whose filler or stored weights are the bilinear kernel.

    `pattern` says which pairs of channels hold it: what is stored, else what the filler would
    write. `channels` is the number of input channels, None where it is not known.
    """

    layer: Layer
    op: ops.ConvTranspose
    intent: Intent
    pattern: Bilinear
    channels: int | None

    @property
    def factor(self) -> int:
        """The factor it is to enlarge by: its stride, of the first axis where they differ."""
        return self.op.stride[0]

    @property
    def kernel_fits(self) -> bool:
        """Whether its kernel is the interpolation convention's, 2f - f%2."""
        expected = tuple(bilinear_kernel_size(s) for s in self.op.stride)
        return self.op.kernel == expected

    @property
    def pad_fits(self) -> bool:
        """Whether the pad before it is the interpolation convention's, ceil((f-1)/2): that places
        the result; one of another size at the end makes it longer or shorter."""
        return self.op.pads_begin == tuple(bilinear_pad(s) for s in self.op.stride)


class Net(Protocol):
    """A net under check: its layers, what they are meant to do, and what reads their outputs."""

    @property
    def interpolators(self) -> tuple[Interpolator, ...]: ...

    @property
    def consumers(self) -> Mapping[str, Sequence[Layer]]: ...

    def of(self, *operators: type[ops.Operator]) -> Iterator[Layer]: ...

    def intent(self, layer: Layer) -> Intent: ...

    def input_shape(self, layer: Layer, index: int = 0) -> Shape | None: ...


def interpolators(net: Net) -> tuple[Interpolator, ...]:
    """The layers of a net that rules about the interpolation convention judge, found once."""
    return net.interpolators


def find_interpolators(net: Net) -> Iterator[Interpolator]:
    """Look for them.

    Without a filler and without weights a frozen layer is taken for interpolation too, but
    there is nothing to judge: its weights come from elsewhere.
    """
    for layer in net.of(ops.ConvTranspose):
        op = layer.operator
        assert isinstance(op, ops.ConvTranspose)
        intent = net.intent(layer)
        if intent.kind == "interpolation" and len(op.kernel) == 2:
            pattern = _pattern(layer, op)
            if pattern:
                yield Interpolator(layer, op, intent, pattern, input_channels(net, layer))


def _pattern(layer: Layer, op: ops.ConvTranspose) -> Bilinear:
    stored: Bilinear = ""
    if layer.weights["weight"].present:
        stored = stored_kernel(layer).bilinear
    if stored or words.filler_of(layer).type != "bilinear":
        return stored
    return "grouped" if op.groups == op.out_channels else "every pair"


def input_channels(net: Net, layer: Layer) -> int | None:
    """C_in, from the inferred shape or from the stored weight, (C_in, C_out/groups, k...)."""
    shape = net.input_shape(layer)
    if shape is not None and len(shape) > 1 and isinstance(shape[1], int):
        return shape[1]
    weight = layer.weights.get("weight")
    return weight.shape[0] if weight is not None and weight.present and weight.shape else None


def gains(kernel: int, stride: int) -> tuple[float, float]:
    """The smallest and largest sum of the weights that meet in one output row.

    A constant comes out unchanged where both are 1.

    >>> gains(4, 2)
    (1.0, 1.0)
    >>> gains(2, 2)
    (0.5, 0.5)
    """
    # A sum is a piece of a straight line between the phases where its taps change: where the last
    # of them leaves the kernel, and where one passes the middle.
    bends = (kernel % stride, (kernel - 1) // 2 % stride)
    near = {bend + step for bend in bends for step in (-2, -1, 0, 1, 2)} | {0, stride - 1}
    sums = [_phase_sum(kernel, stride, phase) for phase in near if 0 <= phase < stride]
    double = 2 * ((kernel + 1) // 2)
    return min(sums) / double, max(sums) / double


def _phase_sum(kernel: int, stride: int, phase: int) -> int:
    """The sum of every `stride`-th number of `bilinear_taps`, in closed form:
    2f - |2x - (k-1)| at x = phase, phase + stride ..."""
    count = -(-(kernel - phase) // stride) if phase < kernel else 0
    rising = min(max(-(-(kernel - 1 - 2 * phase) // (2 * stride)), 0), count)

    def below(n: int) -> int:
        """The sum of the first n of 2x - (k-1)."""
        return n * (2 * phase - (kernel - 1)) + stride * n * (n - 1)

    return count * 2 * ((kernel + 1) // 2) - (below(count) - 2 * below(rising))


def gain_of(op: ops.ConvTranspose) -> str:
    """What a constant 1 becomes inside of the output, in words; "" where it stays 1."""
    low, high = 1.0, 1.0
    for kernel, stride in zip(op.kernel, op.stride, strict=True):
        smallest, largest = gains(kernel, stride)
        low, high = low * smallest, high * largest
    if low == high == 1:
        return ""
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}, pixel by pixel"


def cropped_behind(net: Net, layer: Layer) -> bool:
    """Whether a Crop comes anywhere behind a layer, which may make up for its pad.

    Forks' own crops, which the IR does not know, count by their name.
    """
    waiting, seen = list(layer.outputs), set(layer.outputs)
    while waiting:
        for consumer in net.consumers.get(waiting.pop(), ()):
            if isinstance(consumer.operator, ops.Crop) or "crop" in consumer.origin.type.lower():
                return True
            fresh = [value for value in consumer.outputs if value not in seen]
            seen.update(fresh)
            waiting += fresh
    return False
