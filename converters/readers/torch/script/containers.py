"""What TorchScript's functions do to lists, tuples, dicts and texts, within bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.readers.torch.script import numbers
from upconv.converters.readers.torch.script.functions import Function, takes
from upconv.converters.readers.torch.script.values import Value

MAX_LENGTH: Final = 1 << 16

_MISSING: Final = "it takes an element that is not there"


def bounded(value: Value) -> Value:
    """The container itself; UnsupportedError where it is longer than any that a model needs."""
    if isinstance(value, list | tuple | dict | str) and len(value) > MAX_LENGTH:
        raise UnsupportedError(f"a list or text of more than {MAX_LENGTH} elements")
    return value


def _times(value: Value, count: int) -> Value:
    if len(value) * count > MAX_LENGTH:
        raise UnsupportedError(f"a list or text of more than {MAX_LENGTH} elements")
    return value * count


def _joined(left: Value, right: Value) -> Value:
    if not any(isinstance(left, kind) and isinstance(right, kind) for kind in (list, tuple, str)):
        raise UnsupportedError("it joins lists or texts of other kinds")
    return bounded(left + right)


def _extend(target: list[Any], values: Sequence[Any]) -> list[Any]:
    target.extend(list(values)[: MAX_LENGTH + 1])
    bounded(target)
    return target


def _append(target: list[Any], value: Value) -> list[Any]:
    target.append(value)
    bounded(target)
    return target


def _insert(target: list[Any], at: int, value: Value) -> None:
    target.insert(at, value)
    bounded(target)


def _index(value: Sequence[Any], at: Value) -> int:
    """A place in a list or text; UnsupportedError where it has none such."""
    if not isinstance(at, int) or not -len(value) <= at < len(value):
        raise UnsupportedError(_MISSING)
    return at


def _key(value: Mapping[Any, Any], key: Value) -> Value:
    if not isinstance(key, str | int | float) or key not in value:
        raise UnsupportedError(_MISSING)
    return key


def _get(value: Any, key: Value) -> Value:
    return value[_key(value, key) if isinstance(value, dict) else _index(value, key)]


def _set(target: Any, key: Value, value: Value) -> Value:
    if isinstance(target, dict):
        target[key] = value
    elif isinstance(target, list):
        target[_index(target, key)] = value
    else:
        raise UnsupportedError("it changes what is no list and no dict")
    return bounded(target)


def _pop(target: Any, at: Value = -1) -> Value:
    if not isinstance(target, list | dict):
        raise UnsupportedError("it takes from what is no list and no dict")
    return target.pop(_key(target, at) if isinstance(target, dict) else _index(target, at))


def _copy(value: Any) -> Value:
    if not isinstance(value, list | dict):
        raise UnsupportedError("it copies what is no list and no dict")
    return value.copy()


def _clear(value: Any) -> None:
    if not isinstance(value, list | dict):
        raise UnsupportedError("it clears what is no list and no dict")
    value.clear()


def _place(value: Sequence[Any], one: Value) -> int:
    if not _contains(value, one):
        raise UnsupportedError(_MISSING)
    return value.index(one)


def _count(value: Sequence[Any], one: Value) -> int:
    return value.count(one) if _contains(value, one) else 0


def _remove(target: list[Any], one: Value) -> None:
    del target[_place(target, one)]


def _contains(value: Any, one: Value) -> bool:
    if isinstance(value, list | tuple):
        return one in value
    return isinstance(one, str if isinstance(value, str) else str | int | float) and one in value


def _slice(value: Value, start: Any = None, end: Any = None, step: int = 1) -> Value:
    if step == 0:
        raise UnsupportedError("it cuts in steps of 0")
    return value[slice(start, end, step)]


def _update(target: dict[Any, Any], other: Mapping[Any, Any]) -> None:
    target.update(other)
    bounded(target)


def _set_default(target: dict[Any, Any], key: Value, default: Value) -> Value:
    found = target.setdefault(key, default)
    bounded(target)
    return found


def _total(values: Sequence[Any]) -> Value:
    total: Value = 0
    for value in values:
        if not numbers.is_number(value):
            raise UnsupportedError("the sum of what are no numbers")
        total = numbers.add(total, value)
    return total


def _format(text: str, *values: Value) -> str:
    """Only messages are formatted: the fields are filled in, and nothing else of them is read."""
    for value in values:
        text = text.replace("{}", str(value)[:200], 1)
    return text[:MAX_LENGTH]


CONTAINERS: Final[Mapping[str, Function]] = {
    "len": takes("container", len),
    "append": takes("list any", _append),
    "extend": takes("list container", _extend),
    "insert": takes("list index any", _insert),
    "pop": takes("container [key]", _pop),
    "remove": takes("list any", _remove),
    "clear": takes("container", _clear),
    "reverse": takes("list", list.reverse),
    "copy": takes("container", _copy),
    "list": takes("container", list),
    "slice": takes("sequence [index?] [index?] [index]", _slice),
    "select": takes("sequence index", _get),
    "add": takes("sequence sequence", _joined),
    "add_": takes("list container", _extend),
    "mul": takes("sequence index", _times),
    "index": takes("sequence any", _place),
    "count": takes("sequence any", _count),
    "__contains__": takes("container any", _contains),
    "__getitem__": takes("container key", _get),
    "_set_item": takes("container key any", _set),
    "keys": takes("dict", lambda value: list(value.keys())),
    "values": takes("dict", lambda value: list(value.values())),
    "items": takes("dict", lambda value: list(value.items())),
    "get": takes("dict key [any]", dict.get),
    "update": takes("dict dict", _update),
    "setdefault": takes("dict key any", _set_default),
    "format": takes("str *any", _format),
    "lower": takes("str", str.lower),
    "upper": takes("str", str.upper),
    "startswith": takes("str str [index] [index]", str.startswith),
    "endswith": takes("str str [index] [index]", str.endswith),
    "eq": takes("any any", lambda left, right: left == right),
    "ne": takes("any any", lambda left, right: left != right),
    "max": takes("sequence", lambda values: numbers.largest(*values)),
    "min": takes("sequence", lambda values: numbers.smallest(*values)),
    "sum": takes("sequence", _total),
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
