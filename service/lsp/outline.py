"""A net's layers as an outline, its blocks as folds, and the layout of its text."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.ir.origin import Source
from upconv.converters.readers.files.prototxt import Message, source_comments
from upconv.converters.readers.formats import laid_out
from upconv.service.lsp.diagnostics import span_range
from upconv.service.lsp.edits import text_edits
from upconv.service.lsp.nets import ENDINGS, blocks_of, is_net, layers

if TYPE_CHECKING:
    from upconv.service.lsp.positions import Lines
    from upconv.service.lsp.session import Session


async def symbols(
    session: Session, params: types.DocumentSymbolParams
) -> list[types.DocumentSymbol]:
    """The layers of a net, each with its type."""
    document = session.document(params.text_document.uri)
    tree = await session.tree(document)
    if tree is None or not is_net(tree):
        return []
    return [_symbol(block, document.lines) for block in layers(tree)]


def _symbol(block: Message, lines: Lines) -> types.DocumentSymbol:
    name = "".join(block.texts("name")[-1:]).strip()
    kind = "".join(block.texts("type")[-1:])
    whole = span_range(lines, block.start, block.end)
    spans = block.spans("name")
    shown = span_range(lines, spans[-1].start, spans[-1].end) if spans else whole
    return types.DocumentSymbol(name or kind or "?", types.SymbolKind.Class, whole, shown, kind)


async def folds(session: Session, params: types.FoldingRangeParams) -> list[types.FoldingRange]:
    """Blocks of several lines, and runs of comments."""
    document = session.document(params.text_document.uri)
    tree = await session.tree(document)
    if tree is None:
        return []
    return [*_blocks(tree, document.lines), *_comments(tree.source, document.lines)]


def _blocks(tree: Message, lines: Lines) -> Iterator[types.FoldingRange]:
    for block in blocks_of(tree):
        first, last = lines.point(block.start)[0], lines.point(max(block.end - 1, 0))[0]
        if last > first:
            yield types.FoldingRange(first, last, kind=types.FoldingRangeKind.Region)


def _comments(source: Source, lines: Lines) -> Iterator[types.FoldingRange]:
    own = [
        lines.point(span.start)[0]
        for span, _ in source_comments(source)
        if not source.text[lines.starts[lines.point(span.start)[0]] : span.start].strip()
    ]
    for _, run in groupby(enumerate(own), lambda pair: pair[1] - pair[0]):
        numbers = [line for _, line in run]
        if len(numbers) > 1:
            kind = types.FoldingRangeKind.Comment
            yield types.FoldingRange(numbers[0], numbers[-1], kind=kind)


async def layout(
    session: Session, params: types.DocumentFormattingParams
) -> list[types.TextEdit] | None:
    """The edits that lay a text out as `upconv format` does. Raises JsonRpcInvalidParams where it
    cannot be read as a whole, and stays as it is."""
    document = session.document(params.text_document.uri)
    shot = document.shot
    if not shot.path.endswith(ENDINGS):
        return None
    try:
        after = await asyncio.to_thread(laid_out, Source(shot.path, shot.text))
    except UnreadableError as error:
        raise JsonRpcInvalidParams(str(error)) from None
    return text_edits(document.lines, after) if document.shot is shot else None
