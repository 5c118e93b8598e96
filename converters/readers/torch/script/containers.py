"""What TorchScript's functions do to lists, tuples, dicts and texts, within bounds."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.readers.torch.script import numbers
from upconv.converters.readers.torch.script.functions import Function, takes
from upconv.converters.readers.torch.script.values import Value

MAX_LENGTH: Final = 1 << 16


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


def _set(target: Any, key: Value, value: Value) -> Value:
    try:
        operator.setitem(target, key, value)
    except (LookupError, TypeError) as error:
        raise UnsupportedError(f"it sets an element that is not there: {error}") from None
    return bounded(target)


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


def _method(name: str) -> Callable[..., Value]:
    """A method of Python's containers."""
    return lambda value, *arguments: getattr(value, name)(*arguments)


CONTAINERS: Final[Mapping[str, Function]] = {
    "len": takes("container", len),
    "append": takes("list any", _append),
    "extend": takes("list container", _extend),
    "insert": takes("list index any", _insert),
    "pop": takes("changeable [key]", _method("pop"), LookupError, TypeError),
    "remove": takes("list any", list.remove, ValueError),
    "clear": takes("changeable", _method("clear")),
    "reverse": takes("list", list.reverse),
    "copy": takes("changeable", _method("copy")),
    "list": takes("container", list),
    "slice": takes("sequence [index?] [index?] [index]", _slice),
    "select": takes("sequence index", operator.getitem, LookupError),
    "add": takes("sequence sequence", _joined),
    "add_": takes("list container", _extend),
    "mul": takes("sequence index", _times),
    "index": takes("sequence any", _method("index"), ValueError, TypeError),
    "count": takes("sequence any", _method("count"), TypeError),
    "__contains__": takes("container any", operator.contains, TypeError),
    "__getitem__": takes("container key", operator.getitem, LookupError, TypeError),
    "_set_item": takes("changeable key any", _set),
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
    "eq": takes("any any", operator.eq),
    "ne": takes("any any", operator.ne),
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
