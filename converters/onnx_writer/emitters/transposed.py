"""Transposed convolution: explicit pads always, never auto_pad or output_shape.

Runtimes read auto_pad and output_shape in different ways; pads and a small output_padding are the
words all of them share. What those cannot say (a target from another tensor, an output padding
as large as the stride, negative pads) becomes the transposed convolution without its bias, Pad or
Slice, and then the bias: padding that comes after the bias would lack it.
"""

from __future__ import annotations

from collections.abc import Sequence

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size
from upconv.converters.ir.model import Layer
from upconv.converters.onnx_writer.emitters.bilinear import cheaper_form, grouped_weight
from upconv.converters.onnx_writer.emitters.boxes import cut
from upconv.converters.onnx_writer.emitters.transposed_axes import TransposedAxis, convolve, plan
from upconv.converters.onnx_writer.graph import GraphBuilder
from upconv.converters.onnx_writer.options import GROUPED
from upconv.converters.onnx_writer.table import EMITTERS


def transposed(
    graph: GraphBuilder,
    x: str,
    weight: str,
    bias: tuple[str, ...],
    axes: Sequence[TransposedAxis],
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


def _needs(step: str, axes: Sequence[TransposedAxis]) -> bool:
    if step == "Slice":
        return any(axis.target is not None for axis in axes)
    return any(axis.more_begin != 0 or axis.more_end != 0 for axis in axes)


def _grow(graph: GraphBuilder, x: str, axes: Sequence[TransposedAxis], to: str) -> str:
    begins: list[Size] = [axis.more_begin for axis in axes]
    ends: list[Size] = [axis.more_end for axis in axes]
    return graph.node("Pad", (x, graph.size_vector([0, 0, *begins, 0, 0, *ends])), to)


def _shrink(graph: GraphBuilder, x: str, axes: Sequence[TransposedAxis], to: str) -> str:
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
    axes = plan(op, layer, graph)
    form = cheaper_form(op, layer, graph, axes)
    if form:
        return form
    x = graph.tensor(layer.inputs[0])
    bias = graph.optional_weight("bias")
    grouped = grouped_weight(op, layer, graph)
    weight = grouped or graph.weight("weight")
    groups = op.out_channels if grouped else op.groups
    form = transposed(graph, x, weight, bias, axes, groups, layer.outputs[0])
    return form.replace("ConvTranspose", GROUPED) if grouped else form
