"""Nearest-neighbour interpolation as Gather, where Resize is not certain to take the same pixels.

A runtime computes source coordinates in float32. Where one falls exactly between two pixels
(50 to 60 pixels: output 18 lies at 15), rounding decides which is taken: onnxruntime takes 14.
Indices in integer arithmetic have no such doubt.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Final

import numpy as np

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, like
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.model import Layer
from upconv.converters.ir.nearest import Line, line_of, simple_fraction
from upconv.converters.ir.records import record
from upconv.converters.onnx_writer.emitters.counting import counted
from upconv.converters.onnx_writer.graph import GraphBuilder

SURE_PRODUCT: Final = 1 << 20
"""Off the boundaries by 1/m at least, a float32 coordinate is right while n*m is below this."""

LONGEST_AXIS: Final = 1 << 24
"""Of an axis whose indices are written one by one."""


def gathered(op: ops.Resize, layer: Layer, graph: GraphBuilder) -> str:
    """Emit the layer as Gathers and return the form; "" where a Resize is certain."""
    if op.mode != "nearest" or op.factor is not None:
        return ""
    before, after = graph.shape(layer.inputs[0])[2:], graph.shape(layer.outputs[0])[2:]
    indices = [
        _axis_index(op, axis, *sizes, layer, graph)
        for axis, sizes in enumerate(zip(before, after, strict=True))
    ]
    if not any(one.doubtful for one in indices) or any(one.tensor is None for one in indices):
        return ""
    x = graph.tensor(layer.inputs[0])
    needed = [(axis, one) for axis, one in enumerate(indices, start=2) if not one.is_identity]
    for axis, one in needed:
        to = layer.outputs[0] if axis == needed[-1][0] else ""
        assert one.tensor is not None, "checked above"
        x = graph.node("Gather", (x, one.tensor()), to, axis=axis)
    return "Gather"


@record(frozen=True, slots=True)
class AxisIndex:
    """Which pixels an axis takes: whether a Resize might take others, and how to write them
    (None where integer arithmetic cannot)."""

    doubtful: bool
    tensor: Callable[[], str] | None
    is_identity: bool = False


def _axis_index(
    op: ops.Resize, axis: int, before: Size, after: Size, layer: Layer, graph: GraphBuilder
) -> AxisIndex:
    if isinstance(before, int) and isinstance(after, int):
        return _fixed_index(op, axis, before, after, graph)
    return _dynamic_index(op, axis, before, after, layer, graph)


def _fixed_index(
    op: ops.Resize, axis: int, before: int, after: int, graph: GraphBuilder
) -> AxisIndex:
    if after > LONGEST_AXIS:
        raise UnsupportedError(f"it would write the indices of {after} pixels one by one")
    step = Fraction(before, after) if op.scale is None else 1 / simple_fraction(op.scale[axis])
    line = line_of(op.coordinate_mode, step, before, after)
    chosen = [line.rounded(op.nearest_mode, i) for i in range(after)]
    pixels = np.clip(np.array(chosen, np.int64), 0, before - 1)
    same = before == after and bool((pixels == np.arange(after)).all())
    return AxisIndex(
        not same and (op.scale is not None or _doubtful(op, line, before, after)),
        lambda: graph.constant(pixels),
        same,
    )


def _doubtful(op: ops.Resize, line: Line, before: int, after: int) -> bool:
    """Whether a coordinate lies on a boundary that float32 may miss. A
    ratio that float32 has exactly misses none."""
    ratio = Fraction(after, before)
    exact = (
        ratio.denominator & (ratio.denominator - 1) == 0 and op.coordinate_mode != "align_corners"
    )
    if exact and before * after < SURE_PRODUCT:
        return False
    on_edge = any(line.is_between(op.nearest_mode, i) for i in range(1, after))
    return on_edge or before * after >= SURE_PRODUCT


_FROM_RANGE: Final = {("asymmetric", "floor"): (1, 0), ("half_pixel", "round_prefer_ceil"): (2, 1)}
"""(k, o): pixel i takes floor((k*i + o) * step / k); nothing is negative, so Div is floor."""


def _dynamic_index(
    op: ops.Resize, axis: int, before: Size, after: Size, layer: Layer, graph: GraphBuilder
) -> AxisIndex:
    """floor((k*i + o)*n / (k*m)), in int64; o/k is half a pixel or nothing."""
    key = (op.coordinate_mode, op.nearest_mode)
    if before == after and op.scale is None:
        return AxisIndex(False, str, is_identity=True)
    if key not in _FROM_RANGE:
        return AxisIndex(False, None)
    k, o = _FROM_RANGE[key]
    own = like(layer.inputs[0], axis + 2)

    def tensor() -> str:
        assert op.size is not None, "a Resize has a size or a factor"
        size = op.size[axis]
        over, under = _ratio(op, axis, own, size)
        places = _line(graph, counted(graph, size), k, o)
        pixel = graph.node(
            "Div", (graph.node("Mul", (places, graph.size(over))), graph.size(under * k))
        )
        return graph.node("Min", (pixel, graph.size(own - 1)))

    return AxisIndex(op.scale is not None or not _is_whole_multiple(before, after), tensor)


def _ratio(op: ops.Resize, axis: int, own: Size, size: Size) -> tuple[Size, Size]:
    """(numerator, denominator) of the step from one output pixel to the next."""
    if op.scale is None:
        return own, size
    fraction = simple_fraction(op.scale[axis])
    return fraction.denominator, fraction.numerator


def _is_whole_multiple(before: Size, after: Size) -> bool:
    return any(after == before * factor for factor in range(1, 33))


def _line(graph: GraphBuilder, x: str, factor: int, addend: int) -> str:
    """factor * x + addend, without the steps that change nothing."""
    if factor != 1:
        x = graph.node("Mul", (x, graph.ints((factor,))))
    return graph.node("Add", (x, graph.ints((addend,)))) if addend else x
