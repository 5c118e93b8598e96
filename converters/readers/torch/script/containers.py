"""What TorchScript's functions do to lists, tuples, dicts and texts, within bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.readers.torch.script.values import Value

MAX_LENGTH: Final = 1 << 16

Container = list[Any] | tuple[Any, ...] | dict[Any, Any] | str


def bounded(value: Value) -> Value:
    """The container itself; UnsupportedError where it is longer than any that a model needs."""
    if isinstance(value, list | tuple | dict | str) and len(value) > MAX_LENGTH:
        raise UnsupportedError(f"a list or text of more than {MAX_LENGTH} elements")
    return value


def _times(value: Value, count: int) -> Value:
    if len(value) * count > MAX_LENGTH:
        raise UnsupportedError(f"a list or text of more than {MAX_LENGTH} elements")
    return value * count


def _extend(target: list[Any], values: Any) -> None:
    target.extend(list(values)[: MAX_LENGTH + 1])
    bounded(target)


def _append(target: list[Any], value: Value) -> list[Any]:
    target.append(value)
    bounded(target)
    return target


def _set(target: Any, key: Value, value: Value) -> Value:
    target[key] = value
    return bounded(target)


def _slice(value: Value, start: Any = None, end: Any = None, step: int = 1) -> Value:
    return value[slice(start, end, step)]


def _add_in_place(target: Any, values: Any) -> Value:
    if not isinstance(target, list):
        raise UnsupportedError("it adds to what is no list")
    _extend(target, values)
    return target


def _format(text: str, *values: Value) -> str:
    """Only messages are formatted: the fields are filled in, and nothing else of them is read."""
    for value in values:
        text = text.replace("{}", str(value)[:200], 1)
    return text[:MAX_LENGTH]


CONTAINERS: Final[Mapping[str, Callable[..., Value]]] = {
    "len": len,
    "append": _append,
    "extend": _extend,
    "insert": lambda target, at, value: target.insert(at, value),
    "pop": lambda target, *at: target.pop(*at),
    "remove": lambda target, value: target.remove(value),
    "clear": lambda target: target.clear(),
    "reverse": lambda target: target.reverse(),
    "copy": lambda value: value.copy(),
    "list": list,
    "slice": _slice,
    "select": lambda value, at: value[at],
    "add": lambda left, right: bounded(left + right),
    "add_": _add_in_place,
    "mul": _times,
    "index": lambda value, one: value.index(one),
    "count": lambda value, one: value.count(one),
    "__contains__": lambda value, one: one in value,
    "__getitem__": lambda value, key: value[key],
    "_set_item": _set,
    "keys": lambda value: list(value.keys()),
    "values": lambda value: list(value.values()),
    "items": lambda value: list(value.items()),
    "get": lambda value, key, default=None: value.get(key, default),
    "update": lambda value, other: value.update(other),
    "setdefault": lambda value, key, default: value.setdefault(key, default),
    "format": _format,
    "lower": lambda value: value.lower(),
    "upper": lambda value: value.upper(),
    "startswith": lambda value, prefix, *place: value.startswith(prefix, *place),
    "endswith": lambda value, suffix, *place: value.endswith(suffix, *place),
    "eq": lambda left, right: left == right,
    "ne": lambda left, right: left != right,
    "max": max,
    "min": min,
    "sum": sum,
}
"""Of a list, tuple, dict or text in front, by the function's name behind torch. or ops.prim."""

CHANGING: Final = frozenset(
    {
        "append",
        "extend",
        "insert",
        "pop",
        "remove",
        "clear",
        "reverse",
        "add_",
        "_set_item",
        "update",
        "setdefault",
    }
)
"""Those that change what they are given."""
