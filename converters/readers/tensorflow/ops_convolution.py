"""Convolutions, and dilation written as SpaceToBatchND, convolution, BatchToSpaceND."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size
from upconv.converters.ir.tensors import Weight
from upconv.converters.readers.assembly.axes import Value, layout
from upconv.converters.readers.assembly.weights import depthwise, kernel_order, transposed
from upconv.converters.readers.tensorflow.lowering import Call, lowers
from upconv.converters.readers.tensorflow.ops_shape import without_axes
from upconv.converters.readers.tensorflow.ops_transposed import Target, transposed_convolution
from upconv.converters.readers.tensorflow.values import Batched, Entry
from upconv.converters.readers.tensorflow.windows import (
    Ints,
    Window,
    is_channels_last,
    padded,
    window_of,
)

_AXES: Final[Mapping[str, int]] = {
    "Conv2D": 2,
    "Conv3D": 3,
    "DepthwiseConv2dNative": 2,
    "Conv2DBackpropInput": 2,
    "Conv3DBackpropInputV2": 3,
}


@dataclass(frozen=True, slots=True)
class Kernel:
    """A convolution's weight in the representation's order, and what it says about channels."""

    size: Ints
    weight: Weight
    out_channels: int
    groups: int


def _convolution_kernel(call: Call, axes: int, channels: Size | None) -> Kernel:
    """(k..., C_in/groups, C_out) as (C_out, C_in/groups, k...)."""
    shape = _kernel_shape(call, axes)
    weight = call.weight(1, "kernel", transposed(kernel_order(axes)), "convolution")
    groups = 1
    if isinstance(channels, int) and shape[-2] and channels % shape[-2] == 0:
        groups = max(channels // shape[-2], 1)
    return Kernel(shape[:axes], weight, shape[-1], groups)


def _depthwise_kernel(call: Call, axes: int, channels: Size | None) -> Kernel:
    """(k..., C_in, multiplier) as (C_in * multiplier, 1, k...)."""
    shape = _kernel_shape(call, axes)
    weight = call.weight(1, "kernel", depthwise(axes), "depthwise")
    return Kernel(shape[:axes], weight, shape[-2] * shape[-1], max(shape[-2], 1))


def _kernel_shape(call: Call, axes: int) -> tuple[int, ...]:
    shape = call.weight_shape(1, "kernel")
    if len(shape) != axes + 2 or 0 in shape:
        raise call.invalid(f"a kernel of the shape {shape} for {axes} spatial axes")
    return shape


_KERNELS: Final[Mapping[str, Callable[[Call, int, Size | None], Kernel]]] = {
    "DepthwiseConv2dNative": _depthwise_kernel,
}


@lowers("Conv2D", "Conv3D", "DepthwiseConv2dNative")
def _convolution(call: Call) -> Entry:
    axes = _AXES[call.node.op]
    data = call.entry(0)
    if isinstance(data, Batched):
        return _inside(call, data)
    last = is_channels_last(call)
    x = call.spatial(0, axes + 2, last=last)
    read = _KERNELS.get(call.node.op, _convolution_kernel)
    kernel = read(call, axes, call.shape(x, axes + 2)[1])
    window = window_of(call, kernel.size, last=last)
    x, begin, end = padded(call, x, window, 0.0)
    return _emitted(call, x, kernel, window, (begin, end), last=last)


def _emitted(
    call: Call, x: str, kernel: Kernel, window: Window, pads: tuple[Ints, Ints], *, last: bool
) -> Value:
    operator = ops.Conv(
        kernel.out_channels,
        window.kernel,
        window.stride,
        window.dilation,
        *pads,
        groups=kernel.groups,
    )
    name = call.emit(operator, [x], {"weight": kernel.weight})
    return Value(name, layout(len(window.kernel) + 2, last=last))


@lowers("Conv2DBackpropInput", "Conv3DBackpropInputV2")
def _transposed(call: Call) -> Entry:
    """TensorFlow's inputs are the output's size, the kernel and the data."""
    axes = _AXES[call.node.op]
    data = call.entry(2)
    if isinstance(data, Batched):
        return _inside(call, data)
    last = is_channels_last(call)
    shape = _kernel_shape(call, axes)
    window = window_of(call, shape[:axes], last=last)
    target = _target(call, axes, shape[-2], last=last)
    x = call.spatial(2, axes + 2, last=last)
    name = transposed_convolution(call, x, window, target, _backward_weight(call, axes))
    return Value(name, layout(axes + 2, last=last))


def _backward_weight(call: Call, axes: int) -> Weight:
    """(k..., C_out/groups, C_in) as (C_in, C_out/groups, k...)."""
    return call.weight(1, "kernel", transposed(kernel_order(axes)), "convolution")


def _target(call: Call, axes: int, channels: int, *, last: bool) -> Target:
    """The output's channels and spatial sizes; a list of `axes` sizes holds only those."""
    sizes = call.size_list(0, "output size")
    if len(sizes) == axes:
        return Target(channels, 1, sizes)
    if len(sizes) != axes + 2:
        raise call.invalid(f"an output size of {len(sizes)} numbers for {axes} spatial axes")
    spatial = sizes[1:-1] if last else sizes[2:]
    out = call.work.known(sizes[-1] if last else sizes[1])
    if isinstance(out, int) and (out <= 0 or out % channels):
        raise call.invalid(f"{out} output channels, but a kernel for {channels}")
    groups = out // channels if isinstance(out, int) else 1
    return Target(channels * groups, groups, spatial)


# Dilation by blocks


@lowers("SpaceToBatchND", "SpaceToBatch")
def _space_to_batch(call: Call) -> Entry:
    """What follows decides what it means: until then only the amounts are kept."""
    value = call.real(call.value())
    rank = len(call.ranked(value))
    block = _blocks(call)
    amounts = call.size_list(1 if call.node.op == "SpaceToBatch" else 2, "paddings")
    pads = tuple(zip(amounts[::2], amounts[1::2], strict=False))
    if len(pads) != len(block) or len(block) >= rank or min(block) < 1:
        raise call.invalid(f"blocks {block} with {len(amounts)} paddings of {rank} axes")
    return Batched(value, block, pads)


def _blocks(call: Call) -> Ints:
    if call.node.op in ("SpaceToBatch", "BatchToSpace"):
        return (call.node.integer("block_size", 2),) * 2
    return call.ints(1, "block shape")


def _inside(call: Call, data: Batched) -> Batched:
    """A convolution of blocks: it is done when they go back."""
    plain = call.node.word("padding") == "VALID" and is_channels_last(call)
    if data.convolution is not None or not plain or len(data.block) != _AXES[call.node.op]:
        raise call.unsupported("blocks moved to the batch (SpaceToBatchND) for no mere dilation")
    return replace(data, convolution=call)


@lowers("BatchToSpaceND", "BatchToSpace")
def _batch_to_space(call: Call) -> Entry:
    data = call.entry(0)
    if not isinstance(data, Batched) or data.convolution is None:
        raise call.unsupported("BatchToSpaceND that does not end a dilated convolution")
    amounts = call.size_list(1 if call.node.op == "BatchToSpace" else 2, "crops")
    crops = tuple(zip(amounts[::2], amounts[1::2], strict=False))
    block = _blocks(call)
    if data.row:
        block, crops = (1, *block), ((0, 0), *crops)
    if block != data.block or len(crops) != len(block):
        raise call.unsupported(f"blocks {data.block} that go back as {block}")
    transposes = "Backprop" in data.convolution.node.op
    made = _dilated_transposed if transposes else _dilated
    result = made(call, data, crops)
    return without_axes(call, result, [1]) if data.row else result


def _dilated(call: Call, data: Batched, crops: tuple[tuple[Size, Size], ...]) -> Value:
    """Padding the input and cropping the result are one padding, the difference of the two."""
    inner: Call = data.convolution
    axes = len(data.block)
    x = call.arranged(data.x, layout(axes + 2, last=True))
    read = _KERNELS.get(inner.node.op, _convolution_kernel)
    kernel = read(inner, axes, call.shape(x, axes + 2)[1])
    window = replace(window_of(inner, kernel.size, last=True), dilation=data.block)
    if any(n != 1 for n in window.stride):
        raise call.unsupported("a dilation by SpaceToBatchND together with a stride")
    both = [zip(*pair, strict=True) for pair in zip(data.pads, crops, strict=True)]
    amounts = [[call.work.known(pad - crop) for pad, crop in pairs] for pairs in both]
    begin, end = zip(*amounts, strict=True)
    fixed = [n for n in (*begin, *end) if isinstance(n, int) and n >= 0]
    if len(fixed) == 2 * axes:
        return _emitted(
            inner, x, kernel, window, (tuple(fixed[:axes]), tuple(fixed[axes:])), last=True
        )
    x = call.emit(ops.Pad((0, 0, *begin), (0, 0, *end)), [x], suffix="padded")
    none = (0,) * axes
    return _emitted(inner, x, kernel, window, (none, none), last=True)


def _dilated_transposed(call: Call, data: Batched, crops: tuple[tuple[Size, Size], ...]) -> Value:
    """The result starts `crop - pad` behind the full transposed convolution's first pixel."""
    inner: Call = data.convolution
    axes = len(data.block)
    shape = _kernel_shape(inner, axes)
    window = window_of(inner, shape[:axes], last=True)
    if any(n != 1 for n in (*window.stride, *window.dilation)):
        raise call.unsupported("a dilation by SpaceToBatchND together with a stride")
    target = _target(inner, axes, shape[-2], last=True)
    sizes = tuple(
        size * block - before - after
        for size, block, (before, after) in zip(target.sizes, data.block, crops, strict=True)
    )
    shifts = zip(crops, data.pads, strict=True)
    begin = tuple((call.number(c[0] - p[0], "crop"), 0) for c, p in shifts)
    window = replace(window, dilation=data.block, padding="EXPLICIT", explicit=begin)
    x = call.arranged(data.x, layout(axes + 2, last=True))
    whole = replace(target, sizes=sizes)
    name = transposed_convolution(inner, x, window, whole, _backward_weight(inner, axes))
    return Value(name, layout(axes + 2, last=True))
