"""Protobuf's text format laid out in one way: two spaces a level, one field a line, comments kept.

A block that its author wrote on one line stays there if it fits; blank lines separate what they
separated, one at most. Values stay as they are spelled. What stands between a field's name and its
value as a comment goes above the field; everything else keeps its place and its order, so that the
text means what it meant, and laying it out again changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.ir.origin import Source
from upconv.converters.readers.files.budgets import PROTOBUF_TEXT
from upconv.converters.readers.files.prototxt import (
    Field,
    Message,
    Scalar,
    ValueList,
    parse,
    source_comments,
)
from upconv.converters.readers.files.prototxt.grammar import STRING_OR_COMMENT
from upconv.converters.readers.files.prototxt.scalars import without_gap

INDENT: Final = "  "
WIDTH: Final = 100
"""Characters of a line up to which a block stays on one."""

_Value: TypeAlias = Scalar | Message | ValueList


def laid_out(source: Source) -> str:
    r"""The text in its layout, with the line ends that it begins with.

    >>> print(laid_out(Source("a", "layer{name:'x' # why\n\n\npad :1;}")), end="")
    layer {
      name: 'x'  # why
    <BLANKLINE>
      pad: 1
    }

    Raises UnreadableError for a text that cannot be read as a whole.
    """
    plain = Source(source.path, source.text.replace("\r\n", "\n"))
    parsed = parse(plain)
    if parsed.errors:
        raise parsed.errors[0]
    text = _Writer(plain).written(parsed.root)
    first = source.text.find("\n")
    crlf = first > 0 and source.text[first - 1] == "\r"
    mark = "\ufeff" if source.text.startswith("\ufeff") else ""
    return mark + (text.replace("\n", "\r\n") if crlf else text)


class _Writer:
    """A text under construction. `end` is how far the old one is told; comments wait for their
    place in `comments`, the next one last."""

    def __init__(self, source: Source) -> None:
        self.text = source.text
        found = source_comments(source)
        if len(found) >= PROTOBUF_TEXT.steps:
            raise UnreadableError("more comments than are read", path=source.path)
        self.comments = [(span.start, span.text.rstrip()) for span, _ in reversed(found)]
        self.lines: list[str] = []
        self.end = 0
        self.opened = True

    def written(self, root: Message) -> str:
        self._fields(root.fields, len(self.text), "")
        return "".join(f"{line}\n" for line in self.lines)

    def _fields(self, fields: Sequence[Field], end: int, indent: str) -> None:
        for field in fields:
            self._comments(field.start, indent)
            self._space(field.start)
            self._field(field, indent)
        self._comments(end, indent)

    def _field(self, field: Field, indent: str) -> None:
        value, name = field.value, "".join(field.name.split())
        told = value.end if isinstance(value, Scalar) else value.start
        self._comments(told, indent, above=True)
        colon = " " if isinstance(value, Message) else ": "
        short = self._on_one_line(value)
        line = f"{indent}{name}{colon}{short}"
        if short is not None and (not isinstance(value, Message) or len(line) <= WIDTH):
            self._add(line, value.end)
            return
        opener, closer = _BRACKETS[type(value)]
        self._add(f"{indent}{name}{colon}{opener}".rstrip(), value.start + 1, opens=True)
        self._inside(value, indent)
        if closer:
            self._add(f"{indent}{closer}", value.end)

    def _inside(self, value: _Value, indent: str) -> None:
        inner = indent + INDENT
        if isinstance(value, Message):
            self._fields(value.fields, value.end - 1, inner)
        elif isinstance(value, ValueList):
            for at, item in enumerate(value.items):
                self._comments(item.start, inner)
                self._space(item.start)
                self._item(item, "," if at + 1 < len(value.items) else "", inner)
            self._comments(value.end - 1, inner)
        else:
            for piece in _pieces(value):
                self._add(f"{inner}{piece}", value.end)

    def _item(self, item: Scalar | Message, comma: str, indent: str) -> None:
        if isinstance(item, Message):
            self._add(f"{indent}{{", item.start + 1, opens=True)
            self._inside(item, indent)
            self._add(f"{indent}}}{comma}", item.end)
            return
        self._comments(item.end, indent, above=True)
        pieces = _pieces(item)
        for piece in pieces[:-1]:
            self._add(f"{indent}{piece}", item.start)
        self._add(f"{indent}{pieces[-1]}{comma}", item.end)

    def _on_one_line(self, value: _Value) -> str | None:
        """A value as it stands on one line; None where it is not to."""
        if isinstance(value, Scalar):
            pieces = _pieces(value)
            return " ".join(pieces) if len(pieces) == 1 or "\n" not in value.text else None
        inside = self.text[value.start : value.end]
        if not (value.items if isinstance(value, ValueList) else value.fields):
            empty = "#" not in inside
            return ("[]" if isinstance(value, ValueList) else "{}") if empty else None
        if "\n" in inside:
            return None
        if isinstance(value, ValueList):
            items = [self._on_one_line(one) for one in value.items if isinstance(one, Scalar)]
            whole = len(items) == len(value.items) and None not in items
            return f"[{', '.join(map(str, items))}]" if whole else None
        return self._fields_on_one_line(value)

    def _fields_on_one_line(self, message: Message) -> str | None:
        found = []
        for field in message.fields:
            short = self._on_one_line(field.value)
            if short is None:
                return None
            colon = " " if isinstance(field.value, Message) else ": "
            found.append(f"{''.join(field.name.split())}{colon}{short}")
        return f"{{ {' '.join(found)} }}"

    # Lines, and what stands between them.

    def _add(self, line: str, end: int, opens: bool = False) -> None:
        self.lines.append(line)
        self.end, self.opened = end, opens

    def _comments(self, until: int, indent: str, above: bool = False) -> None:
        """The comments before a place: behind what they share a line with, or on lines of their
        own; those from inside of a field stand `above` it."""
        while self.comments and self.comments[-1][0] < until:
            start, comment = self.comments.pop()
            shares = bool(self.lines) and "\n" not in self.text[self.end : start] and not above
            if shares:
                self.lines[-1] += f"  {comment}"
                self.end = start + len(comment)
            else:
                if not above:
                    self._space(start)
                self._add(f"{indent}{comment}", max(self.end, start + len(comment)))

    def _space(self, start: int) -> None:
        """A blank line where there were some, but for the beginning of a block."""
        if not self.opened and self.text.count("\n", self.end, start) > 1:
            self.lines.append("")


_BRACKETS: Final[dict[type, tuple[str, str]]] = {
    Message: ("{", "}"),
    ValueList: ("[", "]"),
    Scalar: ("", ""),
}
"""What a value of several lines stands between."""


def _pieces(value: Scalar) -> list[str]:
    """The spelling of a value without what white space and comments are in it: one word, or
    strings that are joined."""
    text = value.text
    if value.kind == "string":
        return [match[1] for match in STRING_OR_COMMENT.finditer(text) if match[1]]
    return [without_gap(text)]
