"""Unpooling: MaxUnpool, and values that are scattered into zeros by their places."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Final

from upconv.converters.ir import geometry
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, multiply
from upconv.converters.readers.assembly.known import Known, size_as_known
from upconv.converters.readers.onnx.counting import in_plane, maker, meaning, name_of, same
from upconv.converters.readers.onnx.entries import Entry, Places, Rows, Value, Whole
from upconv.converters.readers.onnx.lowering import Call, lowers
from upconv.converters.readers.onnx.ops_arithmetic import modulo
from upconv.converters.readers.onnx.ops_windows import window_of
from upconv.converters.readers.onnx.refusals import UnpoolSizeError

EXACT: Final = 1 << 24
"""Whole numbers are float32 here, which has every one up to this."""


@lowers("MaxUnpool")
def _max_unpool(call: Call) -> Entry:
    """Indices count through the tensor that was pooled. An output_shape of another size than
    that is read in two ways: ONNX's own test counts through the size before, onnxruntime through
    the one that is asked for."""
    kernel = call.ints("kernel_shape")
    if kernel is None:
        raise call.invalid("MaxUnpool without its kernel_shape")
    x, window = call.value(), window_of(call, kernel)
    sizes = call.shape(x)[2:]
    rows = zip(sizes, window.settings, window.begin, window.end, strict=True)
    implied = tuple(geometry.conv_transpose_size(n, *one, a, b) for n, one, a, b in rows)
    places = call.entry(1)
    wanted: tuple[Size, ...] = call.sizes(2, "output_shape")[2:] if call.has(2) else implied
    pooled = call.shape(places.pooled)[2:] if isinstance(places, Places) else implied
    if tuple(map(call.work.known, wanted)) != tuple(map(call.work.known, pooled)):
        raise call.unsupported(
            f"unpools to {_text(wanted)} by indices that count through {_text(pooled)}",
            kind=UnpoolSizeError,
        )
    index = name_of(call.work, places) if isinstance(places, Places) else _in_plane(call, wanted)
    return call.emit(ops.Unpool(wanted), [x, index])


def _text(sizes: Sequence[Size]) -> str:
    return "x".join(map(str, sizes))


def _in_plane(call: Call, size: Sequence[Size]) -> str:
    """Indices through the whole tensor as places in their plane."""
    x = call.value(1)
    front = call.work.shapes.get(x)
    if front is None or not all(isinstance(n, int) for n in (*front[:2], *size)):
        raise call.unsupported("indices into a tensor of an open size", "give --input")
    plane = prod(n for n in size if isinstance(n, int))
    planes = prod(n for n in front[:2] if isinstance(n, int))
    if planes == 1:
        return x
    if plane * planes > EXACT:
        raise call.unsupported("indices that float32 does not hold")
    number = call.operand(size_as_known(plane), "plane")
    return call.step(ops.Eltwise("floor_mod", broadcast=True), [x, number], "places")


@lowers("Mod", since=10)
def _modulo(call: Call) -> Entry:
    """Indices of a pooling, modulo the size of a plane, are places in it."""
    places = call.entry(0)
    if isinstance(places, Places) and call.is_known(1):
        (size,) = call.sizes(1, "divisor") or (0,)
        plane = multiply(call.shape(places.pooled)[2:])
        if same(call, size, plane):
            return in_plane(call, places, plane)
    return modulo(call)


@lowers("ScatterElements", since=11)
def _scattered(call: Call) -> Entry:
    """Values put into planes of zeros by their places: an unpooling. Where places repeat ONNX
    leaves the winner open, and the last one wins here."""
    canvas, x, places = _canvas(call), call.value(2), call.value(1)
    axis = call.axis(call.integer("axis", 0), len(canvas))
    if call.text("reduction", "none") != "none" or (axis, len(canvas)) != (2, 3):
        raise call.unsupported("a scatter that is no unpooling of planes")
    if not _is_zero(call, call.entry(0)):
        raise call.unsupported("a scatter into a tensor that is not all zero")
    for front in (call.shape(name)[:2] for name in (x, places)):
        if not all(same(call, *pair) for pair in zip(front, canvas[:2], strict=True)):
            raise call.unsupported("a scatter into a part of a tensor")
    made = call.emit(ops.Unpool((canvas[2],)), [x, places])
    _see_through(call, 0)
    planes, indices = _of_rows(call, x), _of_rows(call, places)
    if call.work.shapes.get(planes) != call.work.shapes.get(indices):
        return made
    return Value(made.name, made.kind, Rows(planes, indices, canvas[2]))


def _of_rows(call: Call, name: str) -> str:
    """The planes that were made rows, or the value itself."""
    layer = maker(call, name)
    is_rows = layer is not None and layer.operator == ops.Reshape((0, 0, -1))
    return layer.inputs[0] if layer is not None and is_rows else name


def _canvas(call: Call) -> tuple[Size, ...]:
    """The sizes of what is scattered into, in the words in which they were asked for."""
    entry = call.entry(0)
    if isinstance(entry, Known):
        return entry.shape
    layer = maker(call, call.value(0))
    operator = None if layer is None else layer.operator
    return operator.sizes if isinstance(operator, ops.Expand) else call.shape(call.value(0))


@lowers("ScatterND", since=11)
def _scattered_by_tuples(call: Call) -> Entry:
    """Values put into a row of zeros by places that count through all planes, as PyTorch's exporter
    writes an unpooling. Where places repeat the last one wins, as above."""
    canvas, found = call.entry(0), meaning(call.entry(1))
    x = _of_row(call, call.value(2))
    if call.text("reduction", "none") != "none" or not isinstance(found, Whole) or not x:
        raise call.unsupported("a scatter by tuples that is no unpooling of planes")
    shape = call.shape(x)
    size = _canvas(call)
    fits = call.work.shapes.get(x) == call.work.shapes.get(found.places)
    is_whole = len(size) == 1 and same(call, size[0], multiply((*shape[:2], found.plane)))
    is_column = call.rank(call.value(1)) == 2
    if not (fits and is_whole and is_column and _is_zero(call, canvas)):
        raise call.unsupported("a scatter by tuples that is no unpooling of planes")
    _require_inside(call, found)
    rows = [call.step(ops.Reshape((0, 0, -1)), [one], f"rows{at}")
            for at, one in enumerate((x, found.places))]  # fmt: skip
    planes = call.step(ops.Unpool((found.plane,)), rows, "unpooled")
    made = call.emit(ops.Reshape((-1,)), [planes])
    _see_through(call, 0, 1, 2)
    return Value(made.name, made.kind, Rows(x, found.places, found.plane))


def _see_through(call: Call, *inputs: int) -> None:
    """Leave out what these inputs are made by, where nothing else reads it."""
    entries = (call.entry(index) for index in inputs)
    call.work.spent.update(entry.name for entry in entries if isinstance(entry, Value))


def _require_inside(call: Call, found: Whole) -> None:
    """Raise UnsupportedError where places of a larger plane may lie in the one behind."""
    pooled, plane = call.work.known(found.pooled), call.work.known(found.plane)
    if pooled == plane or (isinstance(pooled, int) and isinstance(plane, int) and pooled < plane):
        return
    raise call.unsupported(
        f"unpools to planes of {plane} by indices that count through planes of {pooled}",
        kind=UnpoolSizeError,
    )


def _of_row(call: Call, name: str) -> str:
    """The tensor that was made one row, "" where none was."""
    layer = maker(call, name)
    is_row = layer is not None and layer.operator == ops.Reshape((-1,))
    return layer.inputs[0] if layer is not None and is_row else ""


def _is_zero(call: Call, entry: Entry) -> bool:
    """Whether a tensor is known to be zero, or one stored number, 0, however often."""
    if isinstance(entry, Known):
        return not entry.is_symbolic and not any(entry.array().reshape(-1).tolist())
    layer = maker(call, entry.name) if isinstance(entry, Value) else None
    while layer is not None and isinstance(layer.operator, ops.Expand | ops.Reshape):
        layer = maker(call, layer.inputs[0])
    if layer is None or not isinstance(layer.operator, ops.Constant):
        return False
    return not layer.weights["value"].array().any()
