"""Interpolation: one Resize that is told its output sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from converters import operators as ops
from converters.dims import Size, like
from converters.errors import UnsupportedError
from converters.ir import Layer
from converters.onnx_writer.graph import GraphBuilder
from converters.onnx_writer.table import EMITTERS

ANTIALIAS_SINCE: Final = 18


@EMITTERS.register(ops.Resize)
def _resize(op: ops.Resize, layer: Layer, graph: GraphBuilder) -> str:
    """Sizes rather than scales, since fractional scales are read in different ways. An integer
    factor is exact as a scale; a scale of the coordinate map cannot be said otherwise."""
    shape = graph.shape(layer.inputs[0])
    _require_known_to_runtimes(op, len(shape) - 2, graph.opset)
    x = graph.tensor(layer.inputs[0])
    widened = op.mode == "cubic" and len(shape) == 3
    if widened:
        x = graph.node("Unsqueeze", (x, graph.ints((2,))))
    inputs = _sizes(op, layer, graph, widened)
    to = "" if widened else layer.outputs[0]
    resized = graph.node("Resize", (x, "", *inputs), to, **_attributes(op))
    if widened:
        graph.node("Squeeze", (resized, graph.ints((2,))), layer.outputs[0])
        return "Unsqueeze+Resize+Squeeze"
    return "Resize"


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
        chosen |= {"antialias": 1, "exclude_outside": 1}
    return chosen


def _sizes(op: ops.Resize, layer: Layer, graph: GraphBuilder, widened: bool) -> tuple[str, ...]:
    """(scales,), or ("", sizes); both name all axes, batch and channels included."""
    one = (1,) if widened else ()
    if op.scale is not None:
        return (_scales(_checked(op, layer, graph), one, graph),)
    if op.size is not None:
        before = [like(layer.inputs[0], axis) for axis in (0, 1)]
        return ("", graph.size_vector([*before, *one, *op.size]))
    assert op.factor is not None, "a Resize has a size or a factor"
    sizes: Sequence[Size] = graph.shape(layer.outputs[0])
    if all(isinstance(size, int) for size in sizes):
        return ("", graph.size_vector([*sizes[:2], *one, *sizes[2:]]))
    return (_scales(op.factor, one, graph),)


def _scales(factors: Sequence[float], one: tuple[int, ...], graph: GraphBuilder) -> str:
    return graph.constant(np.array([1, 1, *one, *factors], np.float32))


def _checked(op: ops.Resize, layer: Layer, graph: GraphBuilder) -> Sequence[float]:
    """The scales, once it is certain that a runtime's floor(in * scale) in float32 is the size.

    One ulp may be missing: then the next float32 is taken.
    """
    assert op.scale is not None, "asked for where there is one"
    before, after = graph.shape(layer.inputs[0])[2:], graph.shape(layer.outputs[0])[2:]
    if before == after and any(scale != 1 for scale in op.scale):
        raise UnsupportedError("runtimes copy where sizes stay, though the scale is not 1")
    return [_reaching(*each) for each in zip(op.scale, before, after, strict=True)]


def _reaching(scale: float, size: Size, wanted: Size) -> float:
    if not (isinstance(size, int) and isinstance(wanted, int)):
        raise UnsupportedError(
            "a scale factor beside the size is certain at fixed sizes only",
            hint="give fixed input sizes",
        )
    nearest = np.float32(scale)
    for candidate in (nearest, *(np.nextafter(nearest, np.float32(end)) for end in (np.inf, 0))):
        if int(np.floor(np.float32(size) * candidate)) == wanted:
            return float(candidate)
    raise UnsupportedError(f"no float32 scale near {scale} makes {wanted} of {size}")
