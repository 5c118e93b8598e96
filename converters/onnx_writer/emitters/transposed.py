"""Transposed convolution: explicit pads always, never auto_pad or output_shape.

Runtimes read auto_pad and output_shape in different ways; pads and a small output_padding are the
words all of them share. What those cannot say (a target from another tensor, an output padding
as large as the stride, negative pads) becomes the transposed convolution without its bias, Pad or
Slice, and then the bias: padding that comes after the bias would lack it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from upconv.converters.ir import geometry
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, maximum
from upconv.converters.ir.model import Layer
from upconv.converters.onnx_writer.emitters.boxes import cut
from upconv.converters.onnx_writer.graph import GraphBuilder
from upconv.converters.onnx_writer.table import EMITTERS


@dataclass(frozen=True, slots=True)
class Axis:
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
) -> Axis:
    """How to say one axis whose input has `size` pixels; pads are (begin, end).

    With a target, the end is whatever reaches it. An output padding first uses up the end pad.
    """
    full = geometry.full_size(size, kernel, stride, dilation)
    out = full - pads[0] - pads[1] + output_padding if target is None else target
    begin, more_begin = max(pads[0], 0), max(-pads[0], 0)
    excess = full - pads[0] - out
    if isinstance(excess, int) and excess > -stride:
        inside = max(-excess, 0)
        return Axis(kernel, stride, dilation, begin, max(excess, 0), inside, more_begin)
    axis = Axis(kernel, stride, dilation, begin, 0, 0, more_begin, maximum(-excess, 0))
    if begin >= geometry.effective_kernel(kernel, dilation):
        return replace(axis, pad_begin=0, skipped=begin, target=out)  # nothing may be left of it
    return axis if isinstance(excess, int) else replace(axis, target=out)


def plan(op: ops.ConvTranspose, layer: Layer, graph: GraphBuilder) -> tuple[Axis, ...]:
    """The plan of every spatial axis of a layer."""
    sizes = graph.shape(layer.inputs[0])[2:]
    targets = (None,) * len(sizes) if op.target is None else map(graph.known, op.target)
    pads = zip(op.pads_begin, op.pads_end, strict=True)
    settings = zip(
        sizes, op.kernel, op.stride, op.dilation, pads, op.output_padding, targets, strict=True
    )
    return tuple(plan_axis(*each) for each in settings)


def transposed(
    graph: GraphBuilder,
    x: str,
    weight: str,
    bias: tuple[str, ...],
    axes: Sequence[Axis],
    groups: int,
    to: str,
) -> str:
    """Emit what `axes` plan; `bias` is (initializer of shape (C_out),) or (). The form."""
    plain = all(axis.plain for axis in axes)
    inputs = (x, weight, *bias) if plain else (x, weight)
    result = convolve(graph, inputs, axes, groups, to if plain else "")
    if plain:
        return "ConvTranspose"
    steps = [("Pad", _grow), ("Slice", _shrink)]
    needed = [(name, step) for name, step in steps if _needs(name, axes)]
    for index, (_, step) in enumerate(needed, start=1):
        last = index == len(needed) and not bias
        result = step(graph, result, axes, to if last else "")
    if bias:
        _add_bias(graph, result, bias[0], len(axes), to)
    names = ["ConvTranspose", *(name for name, _ in needed), *("Add" for _ in bias)]
    return "+".join(names)


def convolve(
    graph: GraphBuilder, inputs: Sequence[str], axes: Sequence[Axis], groups: int, to: str
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


def _needs(step: str, axes: Sequence[Axis]) -> bool:
    if step == "Slice":
        return any(axis.target is not None for axis in axes)
    return any(axis.more_begin != 0 or axis.more_end != 0 for axis in axes)


def _grow(graph: GraphBuilder, x: str, axes: Sequence[Axis], to: str) -> str:
    begins: list[Size] = [axis.more_begin for axis in axes]
    ends: list[Size] = [axis.more_end for axis in axes]
    return graph.node("Pad", (x, graph.size_vector([0, 0, *begins, 0, 0, *ends])), to)


def _shrink(graph: GraphBuilder, x: str, axes: Sequence[Axis], to: str) -> str:
    ends = {index: axis.target for index, axis in enumerate(axes, start=2)}
    kept = {index: target for index, target in ends.items() if target is not None}
    starts = [axes[index - 2].skipped for index in kept]
    stops = [start + size for start, size in zip(starts, kept.values(), strict=True)]
    return cut(graph, x, starts, stops, list(kept), to)


def _add_bias(graph: GraphBuilder, x: str, bias: str, axes: int, to: str) -> str:
    aligned = graph.node("Unsqueeze", (bias, graph.ints(range(1, axes + 1))))
    return graph.node("Add", (x, aligned), to)


@EMITTERS.register(ops.ConvTranspose)
def _conv_transpose(op: ops.ConvTranspose, layer: Layer, graph: GraphBuilder) -> str:
    from upconv.converters.onnx_writer.emitters.bilinear import factored

    axes = plan(op, layer, graph)
    form = factored(op, layer, graph, axes)
    if form:
        return form
    x = graph.tensor(layer.inputs[0])
    bias = graph.optional_weight("bias")
    weight = graph.weight("weight")
    return transposed(graph, x, weight, bias, axes, op.groups, layer.outputs[0])
