"""Interpolation: one Resize, with its output sizes as an input."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil
from typing import Any, Final

import numpy as np

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, like
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.model import Layer
from upconv.converters.onnx_writer.emitters.boxes import cut
from upconv.converters.onnx_writer.emitters.nearest import gathered
from upconv.converters.onnx_writer.graph import GraphBuilder
from upconv.converters.onnx_writer.table import EMITTERS

ANTIALIAS_SINCE: Final = 18


@EMITTERS.register(ops.Resize)
def _resize(op: ops.Resize, layer: Layer, graph: GraphBuilder) -> str:
    """Sizes rather than scales, since fractional scales are read in different ways. An integer
    factor is exact as a scale; a scale of the coordinate map cannot be said otherwise."""
    shape = graph.shape(layer.inputs[0])
    _require_known_to_runtimes(op, len(shape) - 2, graph.opset)
    if form := gathered(op, layer, graph):
        return form
    x = graph.tensor(layer.inputs[0])
    steps = _steps(op, layer, graph)
    for index, (_, step) in enumerate(steps, start=1):
        x = step(x, layer.outputs[0] if index == len(steps) else "")
    return "+".join(name for name, _ in steps)


Step = tuple[str, Callable[[str, str], str]]
"""An ONNX operator's name, and what writes it: (tensor, name of the output) -> the output."""


def _steps(op: ops.Resize, layer: Layer, graph: GraphBuilder) -> list[Step]:
    """Resize, with what must stand around it: a fourth axis for cubic interpolation of three, a
    margin where a runtime's size of a scaled axis is not the wanted one."""
    rank = len(graph.shape(layer.inputs[0]))
    widened = op.mode == "cubic" and rank == 3
    margins = _margins(op, layer, graph)
    inputs = _sizes(op, layer, graph, widened)
    steps: list[Step] = [
        ("Resize", lambda x, to: graph.node("Resize", (x, "", *inputs), to, **_attributes(op)))
    ]
    if widened:
        axis = graph.ints((2,))
        steps.insert(0, ("Unsqueeze", lambda x, to: graph.node("Unsqueeze", (x, axis), to)))
        steps.append(("Squeeze", lambda x, to: graph.node("Squeeze", (x, axis), to)))
    if margins is None:
        return steps
    amounts = graph.ints((*(0 for _ in range(rank + 2)), *margins))
    steps.insert(0, ("Pad", lambda x, to: graph.node("Pad", (x, amounts), to, mode="edge")))
    steps.append(("Slice", lambda x, to: _cut(op, x, to, graph)))
    return steps


def _cut(op: ops.Resize, x: str, to: str, graph: GraphBuilder) -> str:
    assert op.size is not None, "a scale stands beside a size"
    axes = range(2, 2 + len(op.size))
    return cut(graph, x, [0 for _ in axes], op.size, list(axes), to)


def _require_known_to_runtimes(op: ops.Resize, axes: int, opset: int) -> None:
    if op.antialias and opset < ANTIALIAS_SINCE:
        raise UnsupportedError(
            f"antialiasing is not in opset {opset}",
            hint=f"give --opset {ANTIALIAS_SINCE} or higher",
        )
    if op.mode == "cubic" and axes > 2:
        raise UnsupportedError(f"onnxruntime has no cubic interpolation of {axes} axes")


def _attributes(op: ops.Resize) -> dict[str, Any]:
    chosen: dict[str, Any] = {
        "mode": op.mode,
        "coordinate_transformation_mode": op.coordinate_mode,
    }
    if op.mode == "nearest":
        chosen["nearest_mode"] = op.nearest_mode
    if op.mode == "cubic":
        chosen["cubic_coeff_a"] = op.cubic_a
    if op.antialias:
        chosen["antialias"] = 1
    if op.antialias or op.exclude_outside:
        chosen["exclude_outside"] = 1
    return chosen


def _sizes(op: ops.Resize, layer: Layer, graph: GraphBuilder, widened: bool) -> tuple[str, ...]:
    """(scales,), or ("", sizes); both name all axes, batch and channels included."""
    one = (1,) if widened else ()
    if op.scale is not None:
        before, after = graph.shape(layer.inputs[0])[2:], graph.shape(layer.outputs[0])[2:]
        rows = zip(op.scale, before, after, strict=True)
        return (_scales([_stated(*row) or row[0] for row in rows], one, graph),)
    if op.size is not None:
        front = [like(layer.inputs[0], axis) for axis in (0, 1)]
        return ("", graph.size_vector([*front, *one, *op.size]))
    assert op.factor is not None, "a Resize has a size or a factor"
    sizes: Sequence[Size] = graph.shape(layer.outputs[0])
    if all(isinstance(size, int) for size in sizes):
        return ("", graph.size_vector([*sizes[:2], *one, *sizes[2:]]))
    return (_scales(op.factor, one, graph),)


def _scales(factors: Sequence[float], one: tuple[int, ...], graph: GraphBuilder) -> str:
    return graph.constant(np.array([1, 1, *one, *factors], np.float32))


MAX_MARGIN: Final = 64


def _margins(op: ops.Resize, layer: Layer, graph: GraphBuilder) -> tuple[int, ...] | None:
    """How many edge pixels to add behind each axis, so that floor((in + margin) * scale) in
    float32 reaches the size for certain, and Resize is no copy; None where neither is in doubt.

    Coordinates i/scale do not depend on the input's size, and beyond an edge interpolation sees
    the edge pixel again: with more of them the first pixels of the result stay the same.
    onnxruntime copies where input and output have one shape, whatever the scale.
    """
    if op.scale is None:
        return None
    before, after = graph.shape(layer.inputs[0])[2:], graph.shape(layer.outputs[0])[2:]
    rows = list(zip(op.scale, before, after, strict=True))
    if before != after and all(_stated(*row) is not None for row in rows):
        return None
    if op.antialias or op.exclude_outside:
        raise UnsupportedError("no float32 scale makes this size, and antialiasing takes no margin")
    margins = tuple(map(_margin, op.scale))
    if max(margins) > MAX_MARGIN:
        raise UnsupportedError(f"a scale as near to 1 or 0 as {op.scale}")
    return margins


def _stated(scale: float, before: Size, after: Size) -> float | None:
    """The scale as a float32 with which floor(in * scale) is the size for certain, whether the
    product is rounded (onnxruntime) or not (ONNX shape inference); None where there is none.

    One ulp may be missing: then the next float32 is taken.
    """
    if not (isinstance(before, int) and isinstance(after, int)):
        return scale if scale == 1.0 and before == after else None
    nearest = np.float32(scale)
    for candidate in (nearest, np.nextafter(nearest, np.float32(np.inf))):
        rounded = int(np.floor(np.float32(before) * candidate))
        if rounded == after and int(before * float(candidate)) == after:
            return float(candidate)
    return None


def _margin(scale: float) -> int:
    """Enough input pixels to make one more output pixel; above 1, to make the axis longer."""
    if scale == 1.0:
        return 0
    return ceil(1 / (scale - 1)) + 1 if scale > 1 else ceil(1 / scale) + 1
