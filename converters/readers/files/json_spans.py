"""JSON that remembers where each value was written.

Keras writes `NaN` and `Infinity` as Python's json does, so they are read too. Depth and size are
bounded, and what is wrong raises UnreadableError at its place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.ir.origin import Source, Span
from upconv.converters.readers.files.budgets import (
    JSON_WITH_PLACES,
    WHOLE_BITS,
    Budget,
    Meter,
    whole_number,
)

_OBJECT_STEPS: Final = 4
"""What an object costs beyond another value: it keeps two tables."""

_SPACE: Final = re.compile(r"[ \t\r\n]*+")
_STRING: Final = re.compile(r'"((?:[^"\\\x00-\x1f]|\\.)*+)"')
_NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d*+)(\.\d++)?([eE][+-]?\d++)?")
_WORD: Final = re.compile(r"true|false|null|NaN|-?Infinity")
_WORDS: Final[dict[str, Any]] = {
    "true": True,
    "false": False,
    "null": None,
    "NaN": float("nan"),
    "Infinity": float("inf"),
    "-Infinity": float("-inf"),
}
_LONGEST_NUMBER: Final = 400


@dataclass(frozen=True, slots=True, eq=False)
class JsonObject:
    """One object: its members, where each member's value stands, and its own place."""

    source: Source
    start: int
    end: int
    values: dict[str, Any]
    places: dict[str, tuple[int, int]]

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values)

    def get(self, name: str, default: Any = None) -> Any:
        """The member's value, `default` where it is absent."""
        return self.values.get(name, default)

    @property
    def span(self) -> Span:
        return Span(self.source, self.start, self.end)

    def span_of(self, name: str) -> Span:
        """The place of a member's value, or of the object where it has no such member."""
        start, end = self.places.get(name, (self.start, self.end))
        return Span(self.source, start, end)

    def object(self, name: str) -> JsonObject | None:
        """The member as an object, None where it is no object or absent."""
        value = self.values.get(name)
        return value if isinstance(value, JsonObject) else None

    def list(self, name: str) -> list[Any]:
        """The member as a list, empty where it is no list or absent."""
        value = self.values.get(name)
        return value if isinstance(value, list) else []

    def text(self, name: str, default: str = "") -> str:
        """The member as a string, `default` where it is none or absent."""
        value = self.values.get(name)
        return value if isinstance(value, str) else default

    def plain(self) -> Any:
        """The object as dicts and lists, without places."""
        return plain(self)


def plain(value: Any) -> Any:
    """A parsed value as dicts, lists and scalars, without places."""
    if isinstance(value, JsonObject):
        return {name: plain(member) for name, member in value.values.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def parse_json(source: Source, budget: Budget = JSON_WITH_PLACES) -> Any:
    """The value in a JSON text; objects are JsonObjects.

    Raises UnreadableError with line and column where the text is no JSON, or more of it than the
    budget allows.

    >>> parse_json(Source("a.json", '{"a": [1, true]}'))["a"]
    [1, True]
    """
    parser = _Parser(source, budget)
    parser.meter.require_bytes(len(source.text), "a JSON text")
    value, end = parser.value(0, 0)
    end = parser.skip(end)
    if end != len(source.text):
        parser.fail("text after the end of the value", end)
    return value


def _without_halves(text: str) -> str:
    """The text with half surrogate pairs, which no UTF-8 can hold, replaced.

    >>> _without_halves("\\ud83d bed") == "\\ufffd bed"
    True
    """
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class _Parser:
    """Recursive descent over one text; every method takes an offset and returns the next."""

    def __init__(self, source: Source, budget: Budget) -> None:
        self.source = source
        self.text = source.text
        self.meter = Meter(budget, lambda message: self.fail(message, 0))

    def fail(self, message: str, at: int) -> NoReturn:
        end = min(at + 1, len(self.text))
        raise UnreadableError(f"not JSON: {message}", where=Span(self.source, at, end))

    def skip(self, at: int) -> int:
        found = _SPACE.match(self.text, at)
        return at if found is None else found.end()

    def value(self, at: int, depth: int) -> tuple[Any, int]:
        at = self.skip(at)
        self.meter.spend()
        self.meter.require_depth(depth)
        first = self.text[at : at + 1]
        if first == "{":
            return self.object(at, depth)
        if first == "[":
            return self.array(at, depth)
        return self.string(at) if first == '"' else self.scalar(at)

    def object(self, start: int, depth: int) -> tuple[JsonObject, int]:
        self.meter.spend(_OBJECT_STEPS)
        values: dict[str, Any] = {}
        places: dict[str, tuple[int, int]] = {}
        at = self.skip(start + 1)
        closed = self.text.startswith("}", at)
        while not closed:
            name, at = self.string(at)
            at = self.expect(":", self.skip(at))
            begin = self.skip(at)
            values[name], at = self.value(begin, depth + 1)
            places[name] = (begin, at)
            at, closed = self.more("}", at)
        return JsonObject(self.source, start, at + 1, values, places), at + 1

    def array(self, start: int, depth: int) -> tuple[list[Any], int]:
        items: list[Any] = []
        at = self.skip(start + 1)
        closed = self.text.startswith("]", at)
        while not closed:
            item, at = self.value(at, depth + 1)
            items.append(item)
            at, closed = self.more("]", at)
        return items, at + 1

    def more(self, closing: str, at: int) -> tuple[int, bool]:
        """(offset of the closing bracket, True), or (offset of the next member, False)."""
        at = self.skip(at)
        if self.text.startswith(closing, at):
            return at, True
        return self.skip(self.expect(",", at)), False

    def expect(self, character: str, at: int) -> int:
        if not self.text.startswith(character, at):
            found = self.text[at : at + 1] or "the end of the text"
            self.fail(f"'{character}' is expected, not {found!r}", at)
        return at + 1

    def string(self, at: int) -> tuple[str, int]:
        found = _STRING.match(self.text, at)
        if found is None:
            self.fail("a string is expected", at)
        text = found[1]
        if "\\" in text:
            try:
                text = json.loads(found[0])
            except ValueError:
                self.fail("a string with a broken escape", at)
        return (text if text.isascii() else _without_halves(text)), found.end()

    def scalar(self, at: int) -> tuple[Any, int]:
        word = _WORD.match(self.text, at)
        if word is not None:
            return _WORDS[word[0]], word.end()
        number = _NUMBER.match(self.text, at)
        if number is None:
            self.fail("a value is expected", at)
        if number.end() - at > _LONGEST_NUMBER:
            self.fail("a number of more than 400 digits", at)
        if number[1] is not None or number[2] is not None:
            return float(number[0]), number.end()
        whole = whole_number(number[0])
        if whole is None:
            self.fail(f"a whole number of more than {WHOLE_BITS} bits", at)
        return whole, number.end()
