"""The tree of a protobuf text: messages, fields and scalars that know where they were written.

Nodes are plain slotted classes that keep integer offsets, because a parse makes one of them for
every line; fields, spans, lines and columns are made when asked for. No node points to its
parent, so that a tree holds no reference cycle and goes away as soon as it is dropped.

A node of a piece of a text keeps offsets in the piece, and tells those in the whole text.
"""

from __future__ import annotations

import builtins
from bisect import bisect_left
from collections.abc import Sequence
from typing import Final, NoReturn, TypeAlias, TypeVar, cast

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.ir.origin import Source, Span
from upconv.converters.readers.files.prototxt import scalars
from upconv.converters.readers.files.prototxt.diagnosis import shown

Default = TypeVar("Default")

_KINDS: Final = dict.fromkeys("\"'", "string") | dict.fromkeys("-.0123456789", "number")
"""What a value is whose spelling begins so; an identifier with anything else."""


class Scalar:
    """One value as it is spelled; the `as_` methods read it as the schema's type wants.

    Every `as_` method raises UnreadableError, with the value's span and the field's name, when
    the spelling does not fit the type, following protobuf's C++ parser.
    """

    __slots__ = ("first", "last", "name", "named", "source")

    def __init__(self, source: Source, name: str, named: int, start: int, end: int) -> None:
        self.source = source
        self.name = name
        self.named = named
        self.first = start
        self.last = end

    @property
    def start(self) -> int:
        return self.source.at + self.first

    @property
    def end(self) -> int:
        return self.source.at + self.last

    @property
    def text(self) -> str:
        """The raw spelling, quotes included."""
        return self.source.text[self.first : self.last]

    @property
    def span(self) -> Span:
        return Span(self.source.whole, self.start, self.end)

    @property
    def kind(self) -> str:
        """One of "string", "number" and "identifier"; `-inf` is a number, `inf` an identifier."""
        return _KINDS.get(self.source.text[self.first], "identifier")

    def as_int(self) -> int:
        """A whole number, decimal, hexadecimal (0x) or octal (leading 0), of at most 64 bits."""
        text = self.text
        return int(text) if scalars.is_plain_int(text) else self._read(scalars.parse_int)

    def as_float(self) -> float:
        """A number, or inf, infinity or nan in any case; a suffix f is allowed."""
        text = self.text
        if text.isdecimal() and text[0] != "0":  # as nearly all are spelled
            return float(text)
        return float(text) if scalars.is_decimal(text) else self._read(scalars.parse_float)

    def as_bool(self) -> bool:
        """true, True, t or 1; false, False, f or 0."""
        return self._read(scalars.parse_bool)

    def as_bytes(self) -> bytes:
        """The bytes of a string: escapes resolved, adjacent literals joined."""
        return self._read(scalars.parse_bytes)

    def as_str(self) -> str:
        """The text of a string: escapes resolved, adjacent literals joined, read as UTF-8."""
        text = self.source.text
        quote = text[self.first]
        inner = text[self.first + 1 : self.last - 1]
        is_plain = quote in "\"'" and quote not in inner and "\\" not in inner
        return inner if is_plain else self._read(scalars.parse_str)

    def as_enum(self) -> str:
        """The name of an enum's value, quoted or not, or its number as it is spelled."""
        return self._read(scalars.parse_enum)

    def _read(self, read: scalars.Read[Default]) -> Default:
        try:
            return read(self.text)
        except scalars.SpellingError as problem:
            raise UnreadableError(
                f"field '{self.name}': expected {problem.expected}, found {shown(self.text)}",
                where=self.span,
                hint=problem.hint,
            ) from None

    def __repr__(self) -> str:
        return f"Scalar({self.name}: {shown(self.text)})"


class ValueList:
    """A bracketed list, `[1, 2]`: one field that stands for several values."""

    __slots__ = ("first", "items", "last", "name", "named", "source")

    def __init__(self, source: Source, name: str, named: int, start: int) -> None:
        self.source = source
        self.name = name
        self.named = named
        self.first = start
        self.last = start
        self.items: list[Scalar | Message] = []

    @property
    def start(self) -> int:
        return self.source.at + self.first

    @property
    def end(self) -> int:
        return self.source.at + self.last

    @property
    def span(self) -> Span:
        """The whole list, brackets included."""
        return Span(self.source.whole, self.start, self.end)

    def __repr__(self) -> str:
        return f"ValueList({self.name}: {len(self.items)} values)"


class Field:
    """One field as it is written: a name and its value, which knows where the name stands."""

    __slots__ = ("value",)

    def __init__(self, value: Entry) -> None:
        self.value = value

    @property
    def source(self) -> Source:
        return self.value.source

    @property
    def name(self) -> str:
        return self.value.name

    @property
    def first(self) -> int:
        return self.value.named

    @property
    def start(self) -> int:
        return self.value.source.at + self.value.named

    @property
    def values(self) -> list[Scalar | Message]:
        """The one value, or the values of a bracketed list."""
        return self.value.items if isinstance(self.value, ValueList) else [self.value]

    @property
    def end(self) -> int:
        return self.value.end

    @property
    def name_span(self) -> Span:
        return Span(self.source.whole, self.start, self.start + len(self.name))

    @property
    def span(self) -> Span:
        """From the name to the end of the value, without a separator after it."""
        return Span(self.source.whole, self.start, self.value.end)

    def __repr__(self) -> str:
        return f"Field({self.value!r})"


class Message:
    """The fields between two braces, in order, with lookups by name.

    `name` is the field that holds the message, empty for the root, and `entries` are the values of
    its fields, some of which are lists where it `has_list`. The name index is built by the first
    lookup, and the fields when they are asked for; `entries` is not to be changed after that. An
    extension's name keeps its brackets, as in `[a.b.c]`. Lookups that ask for scalars raise
    UnreadableError where a block is found, and the reverse.
    """

    __slots__ = (
        "_fields", "_index", "entries", "first", "has_list", "last", "name", "named", "source"
    )  # fmt: skip

    def __init__(
        self, source: Source, name: builtins.str, named: builtins.int, start: builtins.int
    ) -> None:
        self.source = source
        self.name = name
        self.named = named
        self.first = start
        self.last = start
        self.entries: list[Entry] = []
        self.has_list = False
        self._fields: list[Field] | None = None
        self._index: dict[str, list[Value]] | None = None

    @classmethod
    def empty(cls, source: Source | None = None, name: builtins.str = "") -> Message:
        """A message without fields, standing for one that a file leaves out."""
        return cls((source or Source("", "")).whole, name, 0, 0)

    def refilled(self, entries: list[Entry]) -> Message:
        """The message itself, just made, with these values."""
        self.entries = entries
        self.has_list = any(isinstance(entry, ValueList) for entry in entries)
        return self

    @property
    def fields(self) -> list[Field]:
        """The fields in order, each made once."""
        if self._fields is None:
            self._fields = [Field(entry) for entry in self.entries]
        return self._fields

    @property
    def values(self) -> list[Value]:
        """The values of all fields in order, bracketed lists expanded; not to be changed."""
        if not self.has_list:
            return cast("list[Value]", self.entries)
        found: list[Value] = []
        for entry in self.entries:
            if isinstance(entry, ValueList):
                found += entry.items
            else:
                found.append(entry)
        return found

    @property
    def start(self) -> builtins.int:
        return self.source.at + self.first

    @property
    def end(self) -> builtins.int:
        return self.source.at + self.last

    @property
    def span(self) -> Span:
        """The whole block, braces included; the whole file for the root."""
        return Span(self.source.whole, self.start, self.end)

    def has(self, name: builtins.str) -> builtins.bool:
        return name in self._by_name()

    def get(self, name: builtins.str) -> Value | None:
        """The last occurrence of a field, which is the one that counts for protobuf."""
        values = self._by_name().get(name)
        return values[-1] if values else None

    def all(self, name: builtins.str) -> list[Value]:
        """Every value of a field in order, bracketed lists expanded."""
        return list(self._by_name().get(name, ()))

    def nth(self, name: builtins.str, index: builtins.int) -> Value | None:
        """One value of a field; None where it has fewer."""
        values = self._by_name().get(name, ())
        return values[index] if index < len(values) else None

    def texts(self, name: builtins.str) -> list[builtins.str]:
        """The single values of a field as they are spelled, without quotes."""
        values = self._by_name().get(name, ())
        return [value.text.strip("\"'") for value in values if isinstance(value, Scalar)]

    def spans(self, name: builtins.str) -> list[Span]:
        """Where the values of a field are written."""
        return [value.span for value in self._by_name().get(name, ())]

    def span_of(self, *names: builtins.str) -> Span | None:
        """Where the first of these fields is written, name and value."""
        found = (field.span for name in names for field in self.fields if field.name == name)
        return next(found, None)

    def blocks(self, name: builtins.str) -> list[Message]:
        """The values of a field that are blocks."""
        return [value for value in self._by_name().get(name, ()) if isinstance(value, Message)]

    def around(self, place: Span) -> Message:
        """The innermost block that a place lies inside of; this one where no inner one is."""
        field = _last_before(self.fields, place)
        value = _last_before(field.values, place) if field else None
        if isinstance(value, Message) and value.start < place.start < value.end:
            return value.around(place)
        return self

    def room(self, after: Sequence[builtins.str] = ()) -> tuple[Span, builtins.str]:
        """Where a further field may be inserted, with what must stand before it: behind the first
        of the fields `after` that is there, else at the end; on a line of its own where the field
        before it has one."""
        anchors = (field for name in after for field in reversed(self.fields) if field.name == name)
        field = next(anchors, self.fields[-1] if self.fields else None)
        whole = self.source.whole
        if field is None:
            return Span(whole, self.start + 1, self.start + 1), " "
        text, end = whole.text, field.end
        line_start, line_end = text.rfind("\n", 0, field.start) + 1, _line_end(text, end)
        indent = text[line_start : field.start]
        rest = text[end:line_end].lstrip(" \t,;")
        if indent.strip() or (rest and not rest.startswith("#")):
            return Span(whole, end, end), " "
        newline = "\r\n" if text[line_end : line_end + 2] == "\r\n" else "\n"
        return Span(whole, line_end, line_end), newline + indent

    def messages(self, name: builtins.str) -> list[Message]:
        return [_as_message(value) for value in self._by_name().get(name, ())]

    def scalars(self, name: builtins.str) -> list[Scalar]:
        return [_as_scalar(value) for value in self._by_name().get(name, ())]

    def message(self, name: builtins.str) -> Message | None:
        """A singular message field; None when it is absent.

        Several occurrences are merged as protobuf merges them, the fields of later ones after
        those of earlier ones; the span is then that of the last.
        """
        found = self.messages(name)
        if len(found) < 2:
            return found[0] if found else None
        merged = Message(self.source, name, found[-1].named, found[-1].first)
        merged.last = found[-1].last
        return merged.refilled([entry for message in found for entry in message.entries])

    def int(self, name: builtins.str, default: Default) -> builtins.int | Default:
        scalar = self._scalar(name)
        return default if scalar is None else scalar.as_int()

    def float(self, name: builtins.str, default: Default) -> builtins.float | Default:
        scalar = self._scalar(name)
        return default if scalar is None else scalar.as_float()

    def bool(self, name: builtins.str, default: Default) -> builtins.bool | Default:
        scalar = self._scalar(name)
        return default if scalar is None else scalar.as_bool()

    def str(self, name: builtins.str, default: Default) -> builtins.str | Default:
        scalar = self._scalar(name)
        return default if scalar is None else scalar.as_str()

    def enum(self, name: builtins.str, default: Default) -> builtins.str | Default:
        scalar = self._scalar(name)
        return default if scalar is None else scalar.as_enum()

    def ints(self, name: builtins.str) -> list[builtins.int]:
        return [scalar.as_int() for scalar in self.scalars(name)]

    def floats(self, name: builtins.str) -> list[builtins.float]:
        return [scalar.as_float() for scalar in self.scalars(name)]

    def strs(self, name: builtins.str) -> list[builtins.str]:
        return [scalar.as_str() for scalar in self.scalars(name)]

    def _scalar(self, name: builtins.str) -> Scalar | None:
        value = self.get(name)
        return None if value is None else _as_scalar(value)

    def _by_name(self) -> dict[builtins.str, list[Value]]:
        if self._index is None:
            index: dict[str, list[Value]] = {}
            for value in self.values:
                index.setdefault(value.name, []).append(value)
            self._index = index
        return self._index

    def __repr__(self) -> builtins.str:
        return f"Message({self.name or 'root'}: {len(self.entries)} fields)"


Value: TypeAlias = Scalar | Message
Entry: TypeAlias = Scalar | Message | ValueList
Part = TypeVar("Part", Field, Value)


def _last_before(parts: Sequence[Part], place: Span) -> Part | None:
    """The last of some parts of a text that begins before a place."""
    at = bisect_left(parts, place.start, key=lambda part: part.start)
    return parts[at - 1] if at else None


def _line_end(text: str, at: int) -> int:
    """Where the line's end, LF or CRLF, begins."""
    end = text.find("\n", at)
    end = len(text) if end < 0 else end
    return end - 1 if text[at:end].endswith("\r") else end


def _as_scalar(value: Value) -> Scalar:
    if isinstance(value, Scalar):
        return value
    _wrong_shape(value, "a single value", "a block", f"write '{value.name}: value'")


def _as_message(value: Value) -> Message:
    if isinstance(value, Message):
        return value
    _wrong_shape(value, "a block", shown(value.text), f"write '{value.name} {{ ... }}'")


def _wrong_shape(value: Value, expected: str, found: str, hint: str) -> NoReturn:
    message = f"field '{value.name}': expected {expected}, found {found}"
    raise UnreadableError(message, where=value.span, hint=hint)
