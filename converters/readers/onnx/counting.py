"""What whole numbers count, as far as that is seen: places of a pooling and of an unpooling.

ONNX counts the places of a max pooling through the whole tensor, and here they count through each
plane. PyTorch's exporter subtracts where the planes begin (the indices of a pooling of single
pixels, of which the first of each plane is taken), and for an unpooling adds it again: to a range
times the size of a plane, for a ScatterND into a row of zeros. All of it is ordinary arithmetic,
and read as such; beside each value stands what its numbers are known to count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, multiply
from upconv.converters.ir.model import Layer, Shape
from upconv.converters.readers.assembly.known import Known
from upconv.converters.readers.assembly.workspace import Workspace
from upconv.converters.readers.onnx.entries import (
    Begins,
    Counted,
    Entry,
    InPlane,
    Places,
    Planes,
    Rows,
    Value,
    Whole,
)
from upconv.converters.readers.onnx.lowering import Call


def counted(call: Call, made: Entry | tuple[Entry, ...]) -> Entry | tuple[Entry, ...]:
    """What a node's lowering made, with what its numbers count."""
    rule = _COUNTED.get(call.node.op)
    if rule is None or not isinstance(made, Value):
        return made
    found = rule(call)
    return made if found is None else replace(made, counted=found)


def shortened(call: Call) -> Entry:
    """What a node makes where that is seen by what its input counts, None elsewhere."""
    rule = _SHORTENED.get(call.node.op)
    return None if rule is None else rule(call)


def meaning(entry: Entry) -> Counted | None:
    """What a value's numbers count, as far as that is known."""
    return entry.counted if isinstance(entry, Value) else None


def maker(call: Call, name: str) -> Layer | None:
    """The layer that makes a value, None for an input."""
    return next((one for one in reversed(call.work.layers) if name in one.outputs), None)


def same(call: Call, left: Size, right: Size) -> bool:
    """Whether two sizes are one in the inputs' letters."""
    return call.work.known(left) == call.work.known(right)


# What is seen instead of arithmetic


def _subtracted(call: Call) -> Entry:
    """Places in the whole tensor, less where their plane begins: places in each plane."""
    places, begins = call.entry(0), call.entry(1)
    if not isinstance(places, Places) or not isinstance(begins, Begins):
        return None
    plane = multiply(call.shape(places.pooled)[2:])
    if not same(call, plane, multiply(call.shape(begins.pooled)[2:])):
        return None
    return in_plane(call, places, plane)


def in_plane(call: Call, places: Places, plane: Size) -> Value:
    """The places as the node at hand makes them: their name is its output's, if they have none of
    another node."""
    at = layer_of(call.work, places)
    old, new = call.work.layers[at].outputs[1], call.outputs[0]
    if old == unnamed(call.work.layers[at]):
        call.work.rename({old: call.work.values.unique(new)}, at)
    return Value(name_of(call.work, places), "int", InPlane(plane))


def unnamed(layer: Layer) -> str:
    """What the places of a pooling are called before a node of the file makes them."""
    return f"{layer.outputs[0]}/places"


def layer_of(work: Workspace, places: Places) -> int:
    """The number of the pooling."""
    return next(at for at, one in enumerate(work.layers) if one.name == places.title)


def name_of(work: Workspace, places: Places) -> str:
    """The value that the places are."""
    return work.layers[layer_of(work, places)].outputs[1]


def _begins(call: Call) -> Entry:
    """The first place of each plane of a pooling of single pixels, whose places are in order."""
    places = call.entry(0)
    if not isinstance(places, Places) or call.opset < 10:
        return None
    layer = call.work.layers[layer_of(call.work, places)]
    axes = range(2, call.rank(places.pooled))
    if not _is_single(layer.operator):
        return None
    bounds = [call.numbers(at, "bounds") for at in (1, 2, 3, 4) if call.has(at)]
    ones = (1,) * len(axes)
    if bounds not in ([(0,) * len(axes), ones, tuple(axes)][:n] + [ones] * (n - 3) for n in (3, 4)):
        return None
    call.work.spent.update(layer.outputs)
    return Begins(places.pooled)


def _is_single(operator: ops.Operator) -> bool:
    """Whether a pooling has windows of one pixel, one for each."""
    if not isinstance(operator, ops.Pool):
        return False
    return {*operator.kernel, *operator.stride} == {1} and not any(
        (*operator.pads_begin, *operator.pads_end)
    )


def _unpooled(call: Call) -> Entry:
    """The rows of an unpooling, brought into the form of planes: an unpooling to these."""
    rows = meaning(call.entry(0))
    if not isinstance(rows, Rows) or call.opset < 5:
        return None
    dims, front = call.sizes(1, "shape"), call.shape(rows.x)[:2]
    size = _planes_size(call, dims, front, rows.plane)
    if size is None or (call.flag("allowzero") and 0 in dims):
        return None
    call.work.spent.add(call.value())
    return call.emit(ops.Unpool(size), [rows.x, rows.places])


def _planes_size(
    call: Call, dims: tuple[Size, ...], front: tuple[Size, ...], plane: Size
) -> tuple[Size, ...] | None:
    """The sizes of planes behind the two axes before them; None where it is another shape."""
    if len(dims) < 3 or not all(
        one == 0 or same(call, one, other) for one, other in zip(dims, front, strict=False)
    ):
        return None
    size = list(dims[2:])
    if size.count(-1) == 1:
        rest = multiply([one for one in size if one != -1])
        size[size.index(-1)] = plane // rest
    return tuple(size) if same(call, multiply(size), plane) else None


_SHORTENED: Final[Mapping[str, Callable[[Call], Entry]]] = {
    "Sub": _subtracted,
    "Slice": _begins,
    "Reshape": _unpooled,
}


# What ordinary arithmetic counts


def _ranged(call: Call) -> Counted | None:
    bounds = [call.known(at, "bound").array().reshape(-1).tolist() for at in (0, 2)]
    return Planes(1) if bounds == [[0], [1]] else None


def _carried(call: Call) -> Counted | None:
    """Numbers that stand as they were, in another shape perhaps."""
    return meaning(call.entry(0)) if call.kind() == "int" else None


def _times(call: Call) -> Counted | None:
    for at in (0, 1):
        planes, other = meaning(call.entry(at)), call.entry(1 - at)
        if isinstance(planes, Planes) and isinstance(other, Known) and other.kind == "int":
            listed = other.array().reshape(-1).tolist()
            if len(listed) == 1:
                return Planes(multiply((planes.step, listed[0])))
    return None


def _added(call: Call) -> Counted | None:
    """Places in planes, and in front of each what the planes before it have."""
    for at in (0, 1):
        places, other = call.entry(at), call.entry(1 - at)
        found = meaning(places)
        if isinstance(places, Value) and isinstance(found, InPlane):
            step = _step(call, other, call.shape(places.name))
            if step is not None:
                return Whole(places.name, found.plane, step or found.plane)
    return None


def _step(call: Call, entry: Entry, shape: Shape) -> Size | None:
    """How much more stands before each plane of a tensor of this `shape` than before the last, 0
    where there is but one; None where a tensor is no such numbers."""
    found = meaning(entry)
    if isinstance(entry, Value) and isinstance(found, Planes):
        return found.step if _is_one_each(call, call.shape(entry.name), shape) else None
    if not isinstance(entry, Known) or entry.is_symbolic:
        return None
    numbers = entry.array().reshape(-1).tolist()
    step = numbers[1] if len(numbers) > 1 else 0
    is_even = numbers == [step * at for at in range(len(numbers))]
    return step if is_even and _is_one_each(call, entry.shape, shape) else None


def _is_one_each(call: Call, own: Shape, shape: Shape) -> bool:
    """Whether a tensor has one number for each plane of another."""
    if len(own) != len(shape) or any(size != 1 for size in own[2:]):
        return False
    return all(same(call, *pair) for pair in zip(own[:2], shape[:2], strict=True))


_COUNTED: Final[Mapping[str, Callable[[Call], Counted | None]]] = {
    "Range": _ranged,
    **dict.fromkeys(("Reshape", "Unsqueeze", "Squeeze", "Identity", "Flatten"), _carried),
    "Mul": _times,
    "Add": _added,
}
