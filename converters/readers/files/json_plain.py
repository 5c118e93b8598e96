"""JSON without places, read by Python's json within a budget: depth, values, digits and bytes."""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn

from upconv.converters.readers.files.budgets import JSON, WHOLE_BITS, Budget, Meter, whole_number

_PUNCTUATION: Final = (b",", b":", b"[", b"{")


class JsonError(ValueError):
    """Bytes that are no JSON, or more of it than a budget allows; the reason is one line."""


def load_json(data: bytes, budget: Budget = JSON) -> Any:
    """The value in a JSON text in UTF-8.

    Raises JsonError where it is none, where it nests or holds more than the budget, or where a
    whole number has more than 64 bits.

    >>> load_json(b'{"a": [1, true]}')
    {'a': [1, True]}
    """
    meter = Meter(budget, _fail)
    meter.require_bytes(len(data), "a JSON text")
    # Every value but the first follows one of these; those in texts only make the count larger.
    meter.spend(sum(data.count(sign) for sign in _PUNCTUATION))
    try:
        value = json.loads(data.decode("utf-8-sig"), parse_int=_whole_number)
    except JsonError:
        raise
    except RecursionError:
        meter.require_depth(budget.depth + 1)
    except ValueError as error:
        _fail(str(error))
    _require_shallow(value, meter)
    return value


def _fail(message: str) -> NoReturn:
    raise JsonError(" ".join(message.split())[:200]) from None


def _whole_number(digits: str) -> int:
    value = whole_number(digits)
    if value is None:
        _fail(f"a whole number of more than {WHOLE_BITS} bits ({digits[:20]}...)")
    return value


def _require_shallow(value: Any, meter: Meter) -> None:
    """Level by level, so that whoever walks the value may recurse without fear."""
    level = [value]
    depth = 0
    while level := [inner for one in level for inner in _members(one)]:
        depth += 1
        meter.require_depth(depth)


def _members(value: Any) -> Any:
    """What holds others in a list or an object."""
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return ()
    return (inner for inner in value if isinstance(inner, dict | list))
