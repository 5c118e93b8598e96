"""Unpooling as users write it: the indices of tf.nn.max_pool_with_argmax, given to tf.scatter_nd.

TensorFlow counts an index through (y, x, channel), or with include_batch_in_index through the batch
too. It is given to scatter_nd as it is, or taken apart into columns first; what the columns say is
followed here, so that the planes' own indices can be used, whatever the sizes are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod
from typing import Final

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, multiply
from upconv.converters.readers.assembly.axes import Value, channels_last, plain
from upconv.converters.readers.assembly.known import Known
from upconv.converters.readers.tensorflow.lowering import Call, lowers_places
from upconv.converters.readers.tensorflow.values import Argmax, Column, Entry, Places

_MAP: Final = 4
"""Axes of a pooling's output."""


def _places(call: Call, index: int = 0) -> Places:
    entry = call.entry(index)
    if not isinstance(entry, Places):
        raise call.unsupported("joins the indices of a pooling with other tensors")
    return entry


@lowers_places("Identity", "Cast", "StopGradient")
def _same(call: Call) -> Entry:
    return _places(call)


# Numbers


@lowers_places("FloorDiv", "FloorMod", "Mod")
def _parts(call: Call) -> Entry:
    """(index // d) % m divided by k, or its rest."""
    found = _places(call)
    (number,) = call.size_list(1, "divisor") or (0,)
    column = found.columns[0]
    if found.form not in ("map", "line") or column.axis is not None or number == 0:
        raise call.unsupported("arithmetic on indices that is no unpooling's")
    if call.node.op != "FloorDiv":
        return replace(found, columns=(_rest(call, column, number),))
    left = column.modulus
    if left is not None:
        left = _divided(call, left, number)
    divided = Column(call.work.known(column.divisor * number), left)
    return replace(found, columns=(divided,))


def _rest(call: Call, column: Column, number: Size) -> Column:
    if column.modulus is not None:
        _divided(call, column.modulus, number)
    return replace(column, modulus=call.work.known(number))


def _divided(call: Call, size: Size, number: Size) -> Size:
    """size / number, where that is whole."""
    whole = call.work.known(size // number)
    if call.work.known(whole * number) != call.work.known(size):
        raise call.unsupported(f"divides indices of {size} by {number}")
    return whole


@lowers_places("OnesLike")
def _ones(call: Call) -> Entry:
    return replace(_places(call), form="ones")


@lowers_places("Mul")
def _counts(call: Call) -> Entry:
    """Ones times 0, 1, 2 ... along one axis: places along it."""
    first = isinstance(call.entry(0), Places)
    found, other = _places(call, 0 if first else 1), call.entry(1 if first else 0)
    if not isinstance(other, Known):
        raise call.unsupported("counts along an axis of an open size", "give --input")
    shape = (1,) * (_MAP - len(other.shape)) + other.shape
    long = [axis for axis, size in enumerate(shape) if size != 1]
    counts = list(range(max(shape)))
    if found.form != "ones" or len(shape) != _MAP or len(long) > 1 or other.is_symbolic:
        raise call.unsupported("arithmetic on indices that is no unpooling's")
    if other.array().reshape(-1).tolist() != counts:
        raise call.unsupported("arithmetic on indices that is no unpooling's")
    axis = long[0] if long else 0
    return replace(found, columns=(Column(axis=axis),), form="map")


# Arrangement


@lowers_places("Reshape")
def _reshape(call: Call) -> Entry:
    found, wanted = _places(call), [call.work.known(n) for n in call.size_list(1, "shape")]
    count = len(found.columns)
    if len(wanted) == 1 and found.form in ("map", "line", "rows") and count == 1:
        return replace(found, form="line")
    if len(wanted) == 2:
        if found.form in ("map", "line", "rows") and wanted[-1] == count:
            return replace(found, form="rows")
        if found.form == "columns" and wanted[0] == count:
            return found
    raise call.unsupported(f"indices of a pooling in the shape {list(map(str, wanted))}")


@lowers_places("Transpose")
def _transpose(call: Call) -> Entry:
    found, order = _places(call), call.ints(1, "perm")
    if found.form == "columns" and order == (1, 0):
        return replace(found, form="rows")
    if found.form == "columns" and order == (1, 2, 3, 4, 0):
        return replace(found, form="rows")
    raise call.unsupported("indices of a pooling in another order")


@lowers_places("ExpandDims")
def _expanded(call: Call) -> Entry:
    found, axis = _places(call), call.integer(1, "axis")
    rank = {"map": _MAP, "line": 1}.get(found.form, 0)
    if not rank or axis not in (-1, rank):
        raise call.unsupported("indices of a pooling with another axis")
    return replace(found, form="rows")


@lowers_places("Pack")
def _pack(call: Call) -> Entry:
    found = [entry for entry in call.entries if isinstance(entry, Places)]
    rank = _MAP if found[0].form == "map" else 1
    axis = call.node.integer("axis")
    if axis not in (0, -1, rank):
        raise call.unsupported(f"stacks indices along axis {axis}")
    joined = _joined(call, call.entries, ("map", "line"))
    return replace(joined, form="columns" if axis == 0 else "rows")


@lowers_places("ConcatV2")
def _concat(call: Call) -> Entry:
    axis = call.integer(-1, "axis")
    if axis not in (1, -1, _MAP):
        raise call.unsupported(f"joins indices along axis {axis}")
    return _joined(call, call.entries[:-1], ("rows",))


def _joined(call: Call, entries: Sequence[Entry], forms: Sequence[str]) -> Places:
    """The columns of all; constants may be counts along an axis."""
    found = [entry for entry in entries if isinstance(entry, Places)]
    first = found[0]
    if any(one.form not in forms or one.source != first.source for one in found):
        raise call.unsupported("joins indices of a pooling with other tensors")
    columns: list[Column] = []
    for entry in entries:
        columns += entry.columns if isinstance(entry, Places) else [_count(call, entry, first)]
    return replace(first, columns=tuple(columns))


def _count(call: Call, entry: Entry, like: Places) -> Column:
    """A constant, one number for every index, as places along an axis of the pooling's output."""
    import numpy as np

    whole = [call.work.known(size) for size in Value(like.source.name, channels_last(_MAP)).sizes]
    sizes = [size for size in whole if isinstance(size, int)]
    if isinstance(entry, Known) and not entry.is_symbolic and len(sizes) == _MAP:
        given = entry.numpy().reshape(-1)
        for axis in (0, 3) if given.size == prod(sizes) else ():
            if np.array_equal(given, np.indices(sizes)[axis].reshape(-1)):
                return Column(axis=axis)
    raise call.unsupported("joins indices of a pooling with other tensors")


# The scatter


@lowers_places("ScatterNd")
def _scatter(call: Call) -> Entry:
    """Zeros but at the indices, where tf.scatter_nd adds up what repeats."""
    found = _places(call)
    wanted = tuple(map(call.work.known, call.size_list(2, "shape")))
    source = found.source
    n, height, width, channels = pooled = tuple(map(call.work.known, source.pooled))
    letters = "".join(_letter(call, column, source) for column in found.columns)
    shapes: dict[str, tuple[Size, ...]] = {
        "byxc": pooled,
        "bi": (n, multiply((height, width, channels))),
        "i": (multiply(pooled),),
    }
    alone = letters != "i" or source.through_batch or n == 1
    if found.form != "rows" or not alone or wanted != shapes.get(letters):
        raise call.unsupported("a scatter by indices that is no unpooling to the pooling's input")
    if source.overlap:
        raise call.unsupported("an unpooling of windows that overlap, which adds up what repeats")
    x = _updates(call, source)
    (y,) = call.emit_many(ops.Unpool((height, width)), [x, source.name], 1, suffix=_suffix(wanted))
    image = Value(y, channels_last(_MAP))
    if len(wanted) == _MAP:
        return image
    flat = call.emit(ops.Reshape(wanted), [call.arranged(image, plain(_MAP))])
    return Value(flat, plain(len(wanted)))


def _suffix(wanted: Sequence[Size]) -> str:
    return "" if len(wanted) == _MAP else "unpooled"


def _updates(call: Call, source: Argmax) -> str:
    """The values as (N, C, h, w): they may be all in one axis."""
    value = call.real(call.value(1))
    if value.axes is None or len(value.axes) == _MAP:
        return call.spatial(1, _MAP, last=True)
    if len(value.axes) != 1:
        raise call.unsupported("values of another shape than its indices")
    sizes = Value(source.name, channels_last(_MAP)).sizes
    rows = call.emit(ops.Reshape(sizes), [value.name, source.name], suffix="values")
    return call.arranged(Value(rows, plain(_MAP)), channels_last(_MAP))


def _letter(call: Call, column: Column, source: Argmax) -> str:
    """What a column says: b, y, x, c, the whole index i, or "?"."""
    if column.axis is not None:
        return "byxc"[column.axis] if column.axis in (0, 3) else "?"
    n, height, width, channels = map(call.work.known, source.pooled)
    row, image = multiply((width, channels)), multiply((height, width, channels))
    alone = not source.through_batch or n == 1
    says: dict[str, tuple[tuple[Size, Size | None], ...]] = {
        "i": ((1, None),),
        "b": ((image, None),) if source.through_batch else (),
        "y": ((row, height), *(((row, None),) if alone else ())),
        "x": ((channels, width),),
        "c": ((1, channels),),
    }
    known: Callable[[Size], Size] = call.work.known
    own = column.divisor, column.modulus
    for letter, forms in says.items():
        if any((known(d), m if m is None else known(m)) == own for d, m in forms):
            return letter
    return "?"
