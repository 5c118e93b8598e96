"""Boxes of tensors: cuts, parts, joins."""

from __future__ import annotations

from typing import Any, Final

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, ceil_div
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.least import larger
from upconv.converters.readers.assembly import picking
from upconv.converters.readers.torch.aten.calls import TensorRef
from upconv.converters.readers.torch.aten.lowering import AtenCall, from_front, lowers
from upconv.converters.readers.torch.aten.ops_shape import requested_shape

NO_END: Final = (1 << 63) - 1


@lowers("slice.Tensor")
def _slice(call: AtenCall) -> None:
    axis = call.axis()
    size = call.shape()[axis]
    start = first_of(call.get("start"), size)
    step = call.fixed("step", 1)
    if step < 1:
        raise UnsupportedError(f"its step is {step}")
    if step == 1:
        length = requested_shape(call, call.rank())[axis]
    elif call.get("end") in (None, NO_END):
        length = size - start
    else:
        length = larger(bounded(call.get("end"), size, size) - start, 0)
    _cut(call, axis, start, length, step)


def _place(call: AtenCall, name: str) -> Size:
    """A place that is a number or a size; UnsupportedError where a tensor holds it."""
    place: Size | TensorRef = call.get(name, 0)
    if isinstance(place, TensorRef):
        raise UnsupportedError(f"its {name} is computed by the network")
    return place


def first_of(start: Any, size: Size) -> Size:
    """Where a slice begins. An open size is taken to reach as far as the code cuts from its begin,
    so that pixels keep their places."""
    if isinstance(start, int) and start >= 0 and not isinstance(size, int):
        return start
    return bounded(start, size, 0)


def bounded(bound: Any, size: Size, default: Size) -> Size:
    """A bound as Python reads it, which may be left out."""
    return default if bound is None or bound == NO_END else picking.bounded(bound, size)


def _cut(call: AtenCall, axis: int, start: Size, length: Size, step: int) -> None:
    value = call.value("self")
    whole = start == 0 and length == call.shape()[axis]
    if step == 1:
        operator = ops.Identity() if whole else ops.Crop(axis, (start,), (length,))
        call.emit(operator, [value])
        return
    call.emit(ops.StridedSlice(axis, start, ceil_div(length, step), step), [value])


@lowers("select.int")
def _select(call: AtenCall) -> None:
    axis = call.axis()
    index = picking.from_begin(_place(call, "index"), call.shape()[axis])
    box = call.step(ops.Crop(axis, (index,), (1,)), [call.value("self")], "box")
    call.emit(ops.Reshape((), axis, 1), [box])


@lowers("narrow.default", "narrow.Tensor")
def _narrow(call: AtenCall) -> None:
    axis = call.axis()
    start = picking.from_begin(_place(call, "start"), call.shape()[axis])
    _cut(call, axis, start, call.get("length", 0), 1)


@lowers("chunk.default", "split.Tensor", "split_with_sizes.default", "unbind.int")
def _split(call: AtenCall) -> None:
    """Parts along an axis, of the lengths that the file says; unbind drops the axis too."""
    axis = call.axis()
    drop = call.node.target.startswith("aten.unbind")
    outputs = call.node.outputs
    lengths = [
        1 if drop else call.output_shape(index, axis + 1)[axis] for index in range(len(outputs))
    ]
    value = call.value("self")
    start: Size = 0
    for output, length in zip(outputs, lengths, strict=True):
        box = ops.Crop(axis, (start,), (length,))
        if drop:
            part = call.step(box, [value], f"box{start}")
            call.emit(ops.Reshape((), axis, 1), [part], outputs=[output])
        else:
            call.emit(box, [value], outputs=[output])
        start = start + length


@lowers("cat.default", "concat.default")
def _concat(call: AtenCall) -> None:
    """Empty tensors are left out."""
    axis = call.fixed("dim", 0)
    parts = [one for one in call.get("tensors", []) if not _is_nothing(call, one, axis)]
    joined(call, [call.value(one) for one in parts], axis)


def _is_nothing(call: AtenCall, reference: TensorRef, axis: int) -> bool:
    """No pixel along the axis, or torch's tensor of one axis and no value."""
    sizes = call.sizes_known(reference)
    if sizes is None:
        return False
    return sizes == (0,) or sizes[from_front(axis, len(sizes))] == 0


def joined(call: AtenCall, values: list[str], axis: int) -> None:
    """Concatenate values as the output of a call."""
    if not values:
        raise UnsupportedError("it joins nothing but empty tensors")
    if len(values) == 1:
        call.emit(ops.Identity(), values)
    else:
        call.emit(ops.Concat(axis), values)


@lowers("stack.default")
def _stack(call: AtenCall) -> None:
    tensors = call.get("tensors", [])
    rank = len(call.output_shape())
    axis = from_front(call.fixed("dim", 0), rank)
    parts = [
        call.step(ops.Reshape((1,), axis, 0), [call.value(one)], f"axis{index}")
        for index, one in enumerate(tensors)
    ]
    joined(call, parts, axis)


@lowers("roll.default")
def _roll(call: AtenCall) -> None:
    """What leaves at an axis's end comes in at its begin."""
    shifts, axes = call.get("shifts", []), call.axes("dims")
    if len(shifts) != len(axes):
        raise UnsupportedError("it rolls all axes as one")
    value = call.value("self")
    for shift, axis in zip(shifts, axes, strict=True):
        size = call.shape()[axis]
        if not isinstance(shift, int) or (not isinstance(size, int) and shift == 0):
            raise UnsupportedError("it rolls by amounts that change with the input's sizes")
        value = _rolled(call, value, axis, shift % size if isinstance(size, int) else shift)
    call.emit(ops.Identity(), [value])


def _rolled(call: AtenCall, value: str, axis: int, shift: int) -> str:
    """A dynamic axis is taken to be longer than the shift."""
    if shift == 0:
        return value
    size = call.shape()[axis]
    place = size - shift if shift > 0 else -shift
    end = call.step(ops.Crop(axis, (place,), (size - place,)), [value], f"end{axis}")
    begin = call.step(ops.Crop(axis, (0,), (place,)), [value], f"begin{axis}")
    return call.step(ops.Concat(axis), [end, begin], f"rolled{axis}")


@lowers("flip.default")
def _flip(call: AtenCall) -> None:
    """Axes read backwards."""
    value = call.value("self")
    for axis in sorted(call.axes("dims")):
        size = call.shape()[axis]
        backwards = ops.StridedSlice(axis, size - 1, size, -1)
        value = call.step(backwards, [value], f"backwards{axis}")
    call.emit(ops.Identity(), [value])
