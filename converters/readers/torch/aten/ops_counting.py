"""Tensors that sizes decide: counts, grids, constants of an open shape, windows of an axis."""

from __future__ import annotations

from typing import Final

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.readers.torch.aten.lowering import AtenCall, lowers
from upconv.converters.readers.torch.aten.ops_boxes import joined

MAX_WINDOW: Final = 256
"""Entries of a window that is cut entry by entry."""


@lowers("arange.default", "arange.start", "arange.start_step")
def _arange(call: AtenCall) -> None:
    """Up to an open size; with fixed numbers it is a constant."""
    start, step = float(call.number("start", 0)), float(call.number("step", 1))
    call.emit(ops.Arange(call.output_shape(least=1)[0], start, step), [])


FILLED: Final = {"zeros": 0.0, "ones": 1.0, "full": None}


@lowers(
    *(f"{name}.default" for name in FILLED),
    *(f"new_{name}.default" for name in FILLED),
    *(f"{name}_like.default" for name in FILLED),
)
def _filled(call: AtenCall) -> None:
    """One number, repeated to a shape that is open."""
    name = call.node.target.split(".")[1].removeprefix("new_").removesuffix("_like")
    value = FILLED[name]
    number = float(call.number("fill_value", 0.0)) if value is None else value
    call.emit(ops.Expand(call.output_shape()), [call.operand(number)])


@lowers("meshgrid.default", "meshgrid.indexing")
def _meshgrid(call: AtenCall) -> None:
    """Each vector along its own axis, repeated along the others'; "xy" swaps the first two."""
    vectors = call.get("tensors", [])
    places = list(range(len(vectors)))
    if call.get("indexing", "ij") == "xy" and len(places) > 1:
        places[:2] = [1, 0]
    rank, outputs = len(vectors), call.node.outputs
    if len(outputs) != rank:
        raise UnsupportedError(f"it gives {len(outputs)} tensors of {rank}")
    for index, (vector, output) in enumerate(zip(vectors, outputs, strict=True)):
        shape = tuple(-1 if axis == places[index] else 1 for axis in range(rank))
        laid = call.step(ops.Reshape(shape), [call.operand(vector)], f"laid{index}")
        call.emit(ops.Expand(call.output_shape(index)), [laid], outputs=[output])


@lowers("unfold.default")
def _unfold(call: AtenCall) -> None:
    """Every window of an axis, whose entries become a last axis."""
    axis, width = call.axis("dimension"), call.fixed("size", 1)
    step, rank = call.fixed("step", 1), call.rank(least=1)
    if not 1 <= width <= MAX_WINDOW or step < 1:
        raise UnsupportedError(f"windows of {width} entries at every {step}th")
    value, size = call.value("self"), call.shape()[axis]
    count: Size = (size - width) // step + 1
    entries = []
    for place in range(width):
        one = call.step(ops.StridedSlice(axis, place, count, step), [value], f"entry{place}")
        entries.append(call.step(ops.Reshape((1,), rank, 0), [one], f"last{place}"))
    joined(call, entries, rank)
