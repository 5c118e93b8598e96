"""Edits of a prototxt: values replaced, fields added, comments and formatting left alone.

Functions look at the file's own blocks, never at those the reader made of older words, so that a
layer that is written in another way than expected gets no edit rather than a wrong one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from upconv.converters.ir.model import Layer
from upconv.converters.ir.origin import Source
from upconv.converters.readers.files.prototxt import Field, Message
from upconv.linter.finding import Edit, Fix, Safety

if TYPE_CHECKING:
    from upconv.linter.context import Context

Edits = tuple[Edit, ...]


def replace_text(source: Source, start: int, end: int, text: str) -> Edit:
    """The characters start..end become `text`."""
    return Edit(*source.position(start), *source.position(end), text)


def layer_block(context: Context, layer: Layer) -> Message | None:
    """The layer's block as the file has it; None where there is none."""
    span = layer.origin.span
    if span is None:
        return None
    starts, blocks = context.written_blocks
    at = bisect_left(starts, span.start)
    return blocks[at] if at < len(starts) and starts[at] < span.end else None


def block_around(message: Message, field: Field) -> Message:
    """The innermost block of a message that a field stands in."""
    for entry in message.fields:
        for value in entry.values:
            if isinstance(value, Message) and value.start < field.start < value.end:
                return block_around(value, field)
    return message


def params_block(context: Context, layer: Layer, name: str) -> Message | None:
    """A block of a layer's parameters; None where it is absent or written twice."""
    block = layer_block(context, layer)
    found = [value for value in block.all(name) if isinstance(value, Message)] if block else []
    return found[0] if len(found) == 1 else None


def set_value(block: Message, name: str, text: str, after: Sequence[str] = ()) -> Edits:
    """Every value of the field becomes `text`; where it is absent, it is added behind the first
    of the fields `after` that is there, else at the end."""
    values = block.all(name)
    if not values:
        return (add_field(block, f"{name}: {text}", after),)
    source = block.source
    return tuple(replace_text(source, v.start, v.end, text) for v in values if _text(v) != text)


def _text(value: object) -> str:
    return str(getattr(value, "text", ""))


def set_size(block: Message, name: str, size: int, after: Sequence[str] = ()) -> Edits:
    """`kernel_size`, `stride` or `pad` becomes `size` on both axes, however it is written."""
    short = name.removesuffix("_size")
    pair = [axis for axis in (f"{short}_h", f"{short}_w") if block.has(axis)]
    if len(pair) == 1:
        return ()
    fields = pair or [name]
    return tuple(edit for field in fields for edit in set_value(block, field, str(size), after))


def add_field(block: Message, text: str, after: Sequence[str] = ()) -> Edit:
    """A new field: on a line of its own where the field before it has one, else beside it."""
    source = block.source
    anchor = next((f for name in after for f in reversed(block.fields) if f.name == name), None)
    if anchor is None and not block.fields:
        return replace_text(source, block.start + 1, block.start + 1, f" {text}")
    field = anchor or block.fields[-1]
    line_start = source.text.rfind("\n", 0, field.start) + 1
    line_end = _line_end(source.text, field.end)
    indent = source.text[line_start : field.start]
    rest = source.text[field.end : line_end].lstrip(" \t,;")
    if indent.strip() or (rest and not rest.startswith("#")):
        return replace_text(source, field.end, field.end, f" {text}")
    newline = "\r\n" if source.text[line_end : line_end + 2] == "\r\n" else "\n"
    return replace_text(source, line_end, line_end, newline + indent + text)


def _line_end(text: str, at: int) -> int:
    """Where the line's end, LF or CRLF, begins."""
    end = text.find("\n", at)
    end = len(text) if end < 0 else end
    return end - 1 if text[at:end].endswith("\r") else end


def offsets_of(edits: Sequence[Edit], source: Source) -> Iterator[tuple[int, int, str]]:
    """(start, end, text) of edits, as offsets into the text."""
    for edit in edits:
        start = source.line_starts[edit.start_line - 1] + edit.start_column - 1
        end = source.line_starts[edit.end_line - 1] + edit.end_column - 1
        yield start, end, edit.text


def fix_of(edits: Sequence[Edits], safety: Safety = "unsafe") -> Fix | None:
    """One fix of all edits; None where there is nothing to edit."""
    flat = tuple(edit for group in edits for edit in group)
    return Fix(safety, flat) if flat else None
