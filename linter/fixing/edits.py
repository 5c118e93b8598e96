"""Edits of a prototxt: values replaced, fields added, comments and formatting left alone.

Functions look at the file's own blocks, never at those the reader made of older words, so that a
layer that is written in another way than expected gets no edit rather than a wrong one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from upconv.converters.ir.model import Layer
from upconv.converters.ir.origin import Source, Span
from upconv.converters.ir.written import Block
from upconv.linter.finding import Edit, Fix, Safety

if TYPE_CHECKING:
    from upconv.linter.context import Context

Edits = tuple[Edit, ...]


def replace_text(source: Source, start: int, end: int, text: str) -> Edit:
    """The characters start..end become `text`."""
    return Edit(*source.position(start), *source.position(end), text)


def replace_span(span: Span, text: str) -> Edit:
    """What is written there becomes `text`."""
    return replace_text(span.source, span.start, span.end, text)


def layer_block(context: Context, layer: Layer) -> Block | None:
    """The layer's block as the file has it; None where there is none."""
    span = layer.origin.span
    if span is None:
        return None
    starts, blocks = context.blocks_in_order
    at = bisect_left(starts, span.start)
    return blocks[at] if at < len(starts) and starts[at] < span.end else None


def params_block(context: Context, layer: Layer, name: str) -> Block | None:
    """A block of a layer's parameters; None where it is absent or written twice."""
    block = layer_block(context, layer)
    found = block.blocks(name) if block else ()
    return found[0] if len(found) == 1 else None


def set_value(block: Block, name: str, text: str, after: Sequence[str] = ()) -> Edits:
    """Every value of the field becomes `text`; where it is absent, it is added behind the first
    of the fields `after` that is there, else at the end."""
    written = block.spans(name)
    if not written:
        return (add_field(block, f"{name}: {text}", after),)
    return tuple(replace_span(span, text) for span in written if span.text != text)


def set_size(block: Block, name: str, size: int, after: Sequence[str] = ()) -> Edits:
    """`kernel_size`, `stride` or `pad` becomes `size` on both axes, however it is written."""
    short = name.removesuffix("_size")
    pair = [axis for axis in (f"{short}_h", f"{short}_w") if block.has(axis)]
    if len(pair) == 1:
        return ()
    fields = pair or [name]
    return tuple(edit for field in fields for edit in set_value(block, field, str(size), after))


def add_field(block: Block, text: str, after: Sequence[str] = ()) -> Edit:
    """A new field behind the first of the fields `after` that is there, else at the end."""
    span, before = block.room(after)
    return replace_span(span, before + text)


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
