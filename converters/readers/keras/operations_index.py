"""Python's indexing of a tensor in a graph: x[:, 1:-1, ::2], x[..., 0], x[:, None]."""

from __future__ import annotations

from typing import Any

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, ceil_div, like
from upconv.converters.readers.assembly.picking import backwards, bounded
from upconv.converters.readers.files.json_spans import JsonObject
from upconv.converters.readers.keras.arguments import argument
from upconv.converters.readers.keras.fields import ir_axis, is_int
from upconv.converters.readers.keras.lowering import KerasLayer, Step, Value, lowers_function
from upconv.converters.readers.keras.operations_shape import known_rank


@lowers_function("get_item", "getitem")
def _get_item(layer: KerasLayer, step: Step) -> Value:
    """Slices, single entries, new axes."""
    keys = _spelled_out(layer, known_rank(layer, step, layer.x))
    x = layer.x
    old = [key for key in keys if key is not None]
    for axis, key in enumerate(old):
        x = _cut(layer, step, x, axis, key)
    strides = [1 if is_int(key) else key.step or 1 for key in old]
    x = _stepped(layer, step, x, [max(stride, 1) for stride in strides])
    if old == keys and not any(map(is_int, keys)):
        return x
    return _reshaped(step, step.plain(x), keys)


def _spelled_out(layer: KerasLayer, rank: int) -> list[Any]:
    """One key per axis, and None for each new one; the ellipsis replaced by full slices."""
    given = argument(layer, "key", "slice_spec", default=[])
    keys = [_key(key) for key in (given if isinstance(given, list) else [given])]
    count = sum(key is not None and key is not Ellipsis for key in keys)
    if count > rank or keys.count(Ellipsis) > 1 or any(key is NotImplemented for key in keys):
        raise layer.unsupported("an index that is no slice or number")
    at = keys.index(Ellipsis) if Ellipsis in keys else len(keys)
    full: list[Any] = [slice(None)] * (rank - count)
    return keys[:at] + full + keys[at + 1 :]


def _key(written: Any) -> Any:
    """A key as Python has it; NotImplemented for tensors and arrays."""
    if written is None or is_int(written):
        return written
    if not isinstance(written, JsonObject):
        return NotImplemented
    kind = written.get("class_name")
    if kind == "__ellipsis__":
        return Ellipsis
    config = written.object("config") if kind == "__slice__" else written
    if config is None or "start" not in config:
        return NotImplemented
    bounds = [config.get(name) for name in ("start", "stop", "step")]
    plain = all(bound is None or is_int(bound) for bound in bounds)
    return slice(*bounds) if plain else NotImplemented


def _cut(layer: KerasLayer, step: Step, x: Value, axis: int, key: Any) -> Value:
    """What a slice or a number (which leaves size 1) keeps of one axis."""
    start, stop, stride = (key, key + 1, 1) if is_int(key) else (key.start, key.stop, key.step)
    place = ir_axis(layer, step, axis, x)
    total = like(x.name, place)
    if stride is not None and stride < 1:
        return _backwards(layer, step, x, axis, key)
    end = total if stop is None or (is_int(key) and key == -1) else bounded(stop, total)
    if start in (None, 0) and end is total:
        return x
    begin = bounded(start or 0, total)
    length: Size = 1 if is_int(key) else end - begin
    cut = step.add(ops.Crop(place, (begin,), (length,)), [x], suffix=f"axis_{axis}")
    left = step.size(cut, place)
    if isinstance(left, int) and left < 1:
        raise layer.unsupported("a slice that keeps nothing")
    return cut


def _backwards(layer: KerasLayer, step: Step, x: Value, axis: int, key: slice) -> Value:
    """An axis from `start` down to, and without, `stop`."""
    if key.step == 0:
        raise layer.invalid("a slice by steps of 0")
    place = ir_axis(layer, step, axis, x)
    first, count = backwards(like(x.name, place), key.start, key.stop, key.step)
    operator = ops.StridedSlice(place, first, count, key.step)
    made = step.add(operator, [x], suffix=f"backwards_{axis}")
    left = step.size(made, place)
    if isinstance(left, int) and left < 1:
        raise layer.unsupported("a slice that keeps nothing")
    return made


def _stepped(layer: KerasLayer, step: Step, x: Value, steps: list[int]) -> Value:
    """Every n-th entry of the axes that have a step."""
    for axis, stride in enumerate(steps):
        if stride != 1:
            place = ir_axis(layer, step, axis, x)
            count = ceil_div(like(x.name, place), stride)
            every = ops.StridedSlice(place, 0, count, stride)
            x = step.add(every, [x], suffix=f"stride_{axis}")
    return x


def _reshaped(step: Step, x: Value, keys: list[Any]) -> Value:
    """New axes entered, and those of single entries taken away."""
    axes = iter(range(len(keys)))
    dims: list[Size] = []
    for key in keys:
        axis = 0 if key is None else next(axes)
        if key is None:
            dims.append(1)
        elif not is_int(key):
            dims.append(like(x.name, axis))
    return step.add(ops.Reshape(tuple(dims)), [x], moved=False)
