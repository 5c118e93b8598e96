"""One axis of a transposed convolution in ONNX: what a ConvTranspose node can say of it, and what
must come after the node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from upconv.converters.ir import geometry
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, maximum
from upconv.converters.ir.model import Layer
from upconv.converters.ir.records import record
from upconv.converters.onnx_writer.graph import GraphBuilder


@record(frozen=True, slots=True)
class TransposedAxis:
    """One spatial axis of a transposed convolution, as a ConvTranspose node can say it, and what
    Pad (`more`) and Slice (`target` pixels from `skipped` on) must do after it."""

    kernel: int
    stride: int
    dilation: int
    pad_begin: int
    pad_end: int
    output_padding: int
    more_begin: int = 0
    more_end: Size = 0
    skipped: int = 0
    target: Size | None = None

    @property
    def plain(self) -> bool:
        """Whether the node alone says it."""
        return self.more_begin == 0 and self.more_end == 0 and self.target is None


def plan_axis(
    size: Size,
    kernel: int,
    stride: int,
    dilation: int,
    pads: tuple[int, int],
    output_padding: int = 0,
    target: Size | None = None,
) -> TransposedAxis:
    """How to say one axis whose input has `size` pixels; pads are (begin, end).

    With a target, the end is whatever reaches it. An output padding first uses up the end pad.
    """
    full = geometry.full_size(size, kernel, stride, dilation)
    out = full - pads[0] - pads[1] + output_padding if target is None else target
    begin, more_begin = max(pads[0], 0), max(-pads[0], 0)
    excess = full - pads[0] - out
    if isinstance(excess, int) and excess > -stride:
        inside = max(-excess, 0)
        return TransposedAxis(kernel, stride, dilation, begin, max(excess, 0), inside, more_begin)
    axis = TransposedAxis(kernel, stride, dilation, begin, 0, 0, more_begin, maximum(-excess, 0))
    if begin >= geometry.effective_kernel(kernel, dilation):
        return replace(axis, pad_begin=0, skipped=begin, target=out)  # nothing may be left of it
    return axis if isinstance(excess, int) else replace(axis, target=out)


def plan(op: ops.ConvTranspose, layer: Layer, graph: GraphBuilder) -> tuple[TransposedAxis, ...]:
    """The plan of every spatial axis of a layer."""
    sizes = graph.shape(layer.inputs[0])[2:]
    targets = (None,) * len(sizes) if op.target is None else map(graph.known, op.target)
    pads = zip(op.pads_begin, op.pads_end, strict=True)
    settings = zip(
        sizes, op.kernel, op.stride, op.dilation, pads, op.output_padding, targets, strict=True
    )
    return tuple(plan_axis(*each) for each in settings)


def convolve(
    graph: GraphBuilder, inputs: Sequence[str], axes: Sequence[TransposedAxis], groups: int, to: str
) -> str:
    """The ConvTranspose node alone."""
    grows = any(axis.output_padding for axis in axes)
    extra = {"output_padding": [axis.output_padding for axis in axes]} if grows else {}
    return graph.node(
        "ConvTranspose",
        inputs,
        to,
        kernel_shape=[axis.kernel for axis in axes],
        strides=[axis.stride for axis in axes],
        dilations=[axis.dilation for axis in axes],
        pads=[axis.pad_begin for axis in axes] + [axis.pad_end for axis in axes],
        group=groups,
        **extra,
    )
