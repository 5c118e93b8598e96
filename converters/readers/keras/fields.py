"""Numbers, tuples and words in a layer's config, checked as they are read."""

from __future__ import annotations

from math import isfinite
from typing import Any, Final, TypeVar

from upconv.converters.readers.assembly.layout import moved_axis
from upconv.converters.readers.keras.lowering import KerasLayer, Step, Value

Ints = tuple[int, ...]
Choice = TypeVar("Choice")


MOST: Final = 1 << 31
"""No size, amount or index of a network is as large, and sums and products of smaller ones fit
into the 64 bits of ONNX."""


def is_int(value: Any) -> bool:
    """Whether a value is a whole number of a size that means something (JSON's true is none)."""
    return isinstance(value, int) and not isinstance(value, bool) and -MOST < value < MOST


def integer(layer: KerasLayer, name: str, default: int | None = None, least: int = 1) -> int:
    """A whole number, at least `least`; `default` where it is absent or null."""
    value = layer.config.get(name)
    if value is None and default is not None:
        return default
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not is_int(value) or value < least:
        raise layer.invalid(f"{name} is {_shown(value)}, not a whole number >= {least}", name)
    return int(value)


def integers(
    layer: KerasLayer, name: str, count: int, default: int | None = None, least: int = 1
) -> Ints:
    """One whole number per axis; a single one counts for all."""
    value = layer.config.get(name)
    if value is None and default is not None:
        return (default,) * count
    items = value if isinstance(value, list) else [value] * count
    items = items * count if len(items) == 1 else items
    if len(items) != count or not all(is_int(item) and item >= least for item in items):
        raise layer.invalid(
            f"{name} is {_shown(value)}, not {count} whole numbers >= {least}", name
        )
    return tuple(items)


def pairs(layer: KerasLayer, name: str, axes: int) -> tuple[tuple[int, int], ...]:
    """(begin, end) per axis: a number for all, a number per axis, or a pair per axis."""
    value = layer.config.get(name, 1)
    if is_int(value):
        value = [value] * axes
    if isinstance(value, list) and axes == 1 and len(value) == 2 and all(map(is_int, value)):
        value = [value]
    if not isinstance(value, list) or len(value) != axes:
        raise layer.invalid(f"{name} is {_shown(value)}, not amounts for {axes} axes", name)
    made = [[item, item] if is_int(item) else item for item in value]
    for item in made:
        if not isinstance(item, list) or len(item) != 2 or not all(map(is_int, item)):
            raise layer.invalid(f"{name} is {_shown(value)}, not amounts for {axes} axes", name)
    return tuple((first, last) for first, last in made)


def number(layer: KerasLayer, name: str, default: float) -> float:
    """A finite number, also where Keras wrote it as an array of one."""
    value = scalar(layer.config.get(name))
    if value is None:
        return default
    if not isinstance(value, int | float) or isinstance(value, bool) or not isfinite(value):
        raise layer.invalid(f"{name} is {_shown(value)}, not a number", name)
    return float(value)


def scalar(value: Any) -> Any:
    """The number inside `{"class_name": "__numpy__" or "__tensor__", "config": {"value": x}}` or
    Keras 2's `{"type": "ndarray", "value": x}`, or the value itself."""
    for member in ("config", "value"):
        inner = value.get(member) if hasattr(value, "get") else None
        value = value if inner is None else inner
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value


def word(layer: KerasLayer, name: str, default: str) -> str:
    """A word in lower case."""
    value = layer.config.get(name)
    if value is None:
        return default
    if not isinstance(value, str):
        raise layer.invalid(f"{name} is {_shown(value)}, not a word", name)
    return value.lower()


def choice(layer: KerasLayer, name: str, default: str, choices: dict[str, Choice]) -> Choice:
    """The entry of `choices` under the member's word."""
    chosen = word(layer, name, default)
    if chosen not in choices:
        raise layer.invalid(f"{name} is '{chosen}', not one of {', '.join(choices)}", name)
    return choices[chosen]


def flag(layer: KerasLayer, name: str, default: bool) -> bool:
    """True or false."""
    value = layer.config.get(name, default)
    return default if value is None else bool(value)


def is_channels_last(layer: KerasLayer) -> bool:
    """Whether data_format is channels_last, which it is where it is not given."""
    return choice(
        layer, "data_format", "channels_last", {"channels_last": True, "channels_first": False}
    )


def spatial_input(layer: KerasLayer, step: Step, axes: int) -> Value:
    """The input as (N, C, spatial...), whichever way the layer reads it."""
    if is_channels_last(layer):
        return step.moved(layer.x, axes + 2)
    return step.plain(layer.x, axes + 2)


def ir_axis(layer: KerasLayer, step: Step, axis: Any, value: Value) -> int:
    """The axis of a value in the representation, of an axis in Keras's words.

    Where the number of axes is unknown, -1 is taken for the channels, and others as of the
    smallest tensor that has them, or an image.
    """
    if isinstance(axis, list) and len(axis) == 1:
        axis = axis[0]
    if not is_int(axis):
        raise layer.invalid(f"axis is {_shown(axis)}, not a whole number", "axis")
    rank = step.rank(value) or max(4, axis + 1, -axis)
    if not -rank <= axis < rank:
        raise layer.invalid(f"axis {axis} of an input with {rank} axes", "axis")
    return moved_axis(axis, rank) if value.moved and rank > 2 else axis % rank


def channels_at_one(layer: KerasLayer, step: Step, axis: Any) -> Value:
    """The input turned so that `axis`, in Keras's words, is axis 1 of the representation."""
    if ir_axis(layer, step, axis, layer.x) == 1:
        return layer.x
    turned = step.plain(layer.x, 4) if layer.x.moved else step.moved(layer.x, 4)
    if ir_axis(layer, step, axis, turned) == 1:
        return turned
    raise layer.unsupported(f"works along axis {axis}, which is neither the first nor last", "axis")


def _shown(value: Any) -> str:
    from upconv.converters.readers.files.json_spans import plain

    text = str(plain(value))
    return text if len(text) < 60 else f"{text[:57]}..."
