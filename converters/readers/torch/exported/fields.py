"""Values of torch.export's JSON, each of the type that its schema says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

MAX_LIST: Final = 1 << 16


class MalformedError(Exception):
    """What of a document does not follow its schema."""


def table(value: Any) -> Mapping[str, Any]:
    """An object of JSON."""
    if not isinstance(value, dict):
        raise MalformedError(f"{value!r:.40} is no table")
    return value


def member(value: Any, key: str) -> Any:
    """What an object has under a key."""
    found = table(value)
    if key not in found:
        raise MalformedError(f"'{key}' is missing")
    return found[key]


def rows(value: Any, most: int = MAX_LIST) -> Sequence[Any]:
    """A list of bounded length."""
    if not isinstance(value, list):
        raise MalformedError(f"{value!r:.40} is no list")
    if len(value) > most:
        raise MalformedError(f"a list of {len(value)}")
    return value


def union(value: Any) -> tuple[str, Any]:
    """The one field of a union that is set: an object with one key."""
    found = table(value)
    if len(found) != 1:
        raise MalformedError(f"a union with {len(found)} fields")
    return next(iter(found.items()))


def text(value: Any) -> str:
    """A text."""
    if not isinstance(value, str):
        raise MalformedError(f"{value!r:.40} is no text")
    return value


def integer(value: Any) -> int:
    """A number of 64 bits, which is what torch's integers are."""
    if isinstance(value, bool) or not isinstance(value, int) or not -(1 << 63) <= value < 1 << 63:
        raise MalformedError(f"{value!r:.40} is no integer of 64 bits")
    return value


def number(value: Any) -> float:
    """A real number, which may be written as a text."""
    try:
        if isinstance(value, int | float | str):
            return float(value)
    except (ValueError, OverflowError):
        pass
    raise MalformedError(f"{value!r:.40} is no number")


def truth(value: Any) -> bool:
    """A truth value."""
    if not isinstance(value, bool):
        raise MalformedError(f"{value!r:.40} is no truth value")
    return value
