"""Functions in a graph along axes: means, sums, maxima, softmax."""

from __future__ import annotations

from typing import Final, Literal

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import like
from upconv.converters.readers.assembly.layout import to_channels_last
from upconv.converters.readers.keras.arguments import argument, whole, wholes
from upconv.converters.readers.keras.fields import ir_axis
from upconv.converters.readers.keras.lowering import KerasLayer, Step, Value, lowers_function
from upconv.converters.readers.keras.operations_shape import known_rank

_KINDS: Final[dict[str, Literal["mean", "sum", "max", "min"]]] = {
    name: kind
    for kind in ("mean", "sum", "max", "min")
    for name in (kind, f"a{kind}", f"reduce_{kind}")
}
_GLOBAL: Final[dict[str, Literal["average", "max"]]] = {"mean": "average", "max": "max"}


@lowers_function(*_KINDS)
def _reduce(layer: KerasLayer, step: Step) -> Value:
    """Over the spatial axes of a feature map, global pooling; else those axes last, reduced."""
    if argument(layer, "initial", place=3) is not None:
        raise layer.unsupported(f"{layer.type} with an initial value")
    x, kind = layer.x, _KINDS[layer.type]
    rank = known_rank(layer, step, x)
    given = wholes(layer, "axis", default=list(range(rank)))
    over = sorted({ir_axis(layer, step, axis, x) for axis in given})
    keeps = bool(argument(layer, "keepdims", place=2, default=False))
    if kind in _GLOBAL and x.moved and over == list(range(2, rank)):
        pooled = step.add(ops.GlobalPool(_GLOBAL[kind]), [x], suffix="" if keeps else "pool")
        return pooled if keeps else step.add(ops.Flatten(), [pooled], moved=False)
    return _over_last(step, x, over, rank, kind, keeps)


def _over_last(
    step: Step,
    x: Value,
    over: list[int],
    rank: int,
    kind: Literal["mean", "sum", "max", "min"],
    keeps: bool,
) -> Value:
    """Axes of the representation brought to the end, in Keras's order before them."""
    plain = to_channels_last(range(rank)) if x.moved else tuple(range(rank))
    kept = [axis for axis in plain if axis not in over]
    order = (*kept, *over)
    if order != tuple(range(rank)):
        x = step.add(ops.Permute(order), [x], suffix="order", moved=False)
    suffix = "reduced" if keeps else ""
    made = step.add(ops.Reduce(kind, len(kept)), [x], suffix=suffix, moved=False)
    if not keeps:
        return made
    places = {axis: like(made.name, place) for place, axis in enumerate(kept)}
    dims = tuple(places.get(axis, 1) for axis in plain)
    return step.add(ops.Reshape(dims), [made], moved=False)


@lowers_function("softmax", "log_softmax")
def _softmax(layer: KerasLayer, step: Step) -> Value:
    axis = ir_axis(layer, step, whole(layer, "axis", default=-1), layer.x)
    return step.add(ops.Softmax(axis, layer.type == "log_softmax"), [layer.x])
