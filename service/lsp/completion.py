"""What may come next in a net: fields, types, choices and blobs, each with what it means."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from lsprotocol import types

from upconv.converters.readers.caffe import vocabulary
from upconv.service.lsp.diagnostics import span_range
from upconv.service.lsp.nets import is_net, path_at, uses

if TYPE_CHECKING:
    from upconv.converters.readers.files.prototxt import Message
    from upconv.service.lsp.documents import Document
    from upconv.service.lsp.session import Session

TRIGGERS: Final = (":", '"', "'", " ")

_VALUE: Final = re.compile(r"(\w+)[ \t]*:[ \t]*(\"[^\"\n]*|'[^'\n]*|[\w.+-]*)$")
_NAME: Final = re.compile(r"(?:^|[\s{;,>}])([A-Za-z_]\w*)?$")


async def completion(
    session: Session, params: types.CompletionParams
) -> types.CompletionList | None:
    """What may stand at a place of a net."""
    document = session.document(params.text_document.uri)
    tree = await session.tree(document)
    if tree is None or (tree.fields and not is_net(tree) and not _may_become_net(tree)):
        return None
    offset = document.lines.offset((params.position.line, params.position.character))
    snippets = session.can("text_document.completion.completion_item.snippet_support")
    return types.CompletionList(False, list(_items(document, tree, offset, snippets)))


def _may_become_net(tree: Message) -> bool:
    """Whether nothing in it belongs to another kind of text."""
    known = {word.word for word in vocabulary.fields(vocabulary.ROOT)}
    return all(field.name in known or field.start == field.end for field in tree.fields)


def _items(
    document: Document, tree: Message, offset: int, snippets: bool
) -> Iterator[types.CompletionItem]:
    text = document.lines.text
    line = text[text.rfind("\n", 0, offset) + 1 : offset]
    if "#" in re.sub(r"\"[^\"]*\"|'[^']*'", "", line):
        return  # in a comment
    path = [block.name for block in path_at(tree, offset)]
    message = vocabulary.message_of(path) if path else vocabulary.ROOT
    value = _VALUE.search(line)
    if value is not None:
        yield from _values(document, tree, offset, message, value[1], value[2])
    elif (name := _NAME.search(line)) is not None and message:
        where = span_range(document.lines, offset - len(name[1] or ""), offset)
        yield from (_field(word, where, snippets) for word in vocabulary.fields(message))


def _field(word: vocabulary.Word, where: types.Range, snippets: bool) -> types.CompletionItem:
    new = f"{word.word} {{" if word.is_block else f"{word.word}: "
    if snippets:
        new += "\n  $0\n}" if word.is_block else '"$0"' if word.kind == "text" else ""
    formats = types.InsertTextFormat
    return types.CompletionItem(
        word.word,
        kind=types.CompletionItemKind.Module if word.is_block else types.CompletionItemKind.Field,
        detail=word.kind,
        documentation=word.meaning,
        insert_text_format=formats.Snippet if snippets else formats.PlainText,
        text_edit=types.TextEdit(where, new),
    )


def _values(
    document: Document, tree: Message, offset: int, message: str, field: str, begun: str
) -> Iterator[types.CompletionItem]:
    where = span_range(document.lines, offset - len(begun), offset)
    closed = document.lines.text[offset : offset + 1] in ("'", '"') and begun[:1] in ("'", '"')
    if closed:
        where = span_range(document.lines, offset - len(begun), offset + 1)
    for label, meaning, quoted in _choices(tree, offset, message, field):
        new = f'"{label}"' if quoted else label
        yield types.CompletionItem(
            label,
            kind=types.CompletionItemKind.Value,
            documentation=meaning or None,
            filter_text=new,
            text_edit=types.TextEdit(where, new),
        )


def _choices(
    tree: Message, offset: int, message: str, field: str
) -> Iterator[tuple[str, str, bool]]:
    """(word, what it means, whether it is written in quotes) of a field's values."""
    if message in vocabulary.LAYERS.values() and field == "type":
        yield from ((one.word, one.meaning, True) for one in vocabulary.layer_types())
    elif message in vocabulary.LAYERS.values() and field in ("bottom", "top"):
        before = [use for use in uses(tree) if use.end < offset and use.role != "bottom"]
        names = dict.fromkeys(use.name for use in reversed(before))
        yield from ((name, "", True) for name in names)
    else:
        quoted = (message, field) == ("FillerParameter", "type")
        yield from ((one, "", quoted) for one in vocabulary.values(message, field))
