"""Blobs by name: where one is written, where it is read, and another name for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams

from upconv.service.lsp.diagnostics import span_range
from upconv.service.lsp.edits import workspace_edit
from upconv.service.lsp.nets import Use, is_net, use_at, uses

if TYPE_CHECKING:
    from upconv.service.lsp.documents import Document
    from upconv.service.lsp.session import Session


class At(Protocol):
    """Parameters that name a place in a text."""

    @property
    def text_document(self) -> types.TextDocumentIdentifier: ...

    @property
    def position(self) -> types.Position: ...


async def definition(
    session: Session, params: types.DefinitionParams
) -> list[types.Location] | None:
    """Where the blob at a place is written: by the last layer before it, or all that there are
    where none is, as of layers that are there in another phase."""
    document, found, all_ = await _blob(session, params)
    if found is None:
        return None
    written = [use for use in all_ if use.role != "bottom"]
    before = [use for use in written if use.layer < found.layer]
    mine = [use for use in written if use.start == found.start]
    return [_location(document, use) for use in before[-1:] or mine or written]


async def references(
    session: Session, params: types.ReferenceParams
) -> list[types.Location] | None:
    """Every place that names the blob, those that write it among them where that is asked."""
    document, found, all_ = await _blob(session, params)
    if found is None:
        return None
    wanted = [u for u in all_ if u.role == "bottom" or params.context.include_declaration]
    return [_location(document, use) for use in wanted]


async def highlight(
    session: Session, params: types.DocumentHighlightParams
) -> list[types.DocumentHighlight] | None:
    """The same places, marked by whether they write or read."""
    document, found, all_ = await _blob(session, params)
    if found is None:
        return None
    kinds = types.DocumentHighlightKind
    return [
        types.DocumentHighlight(
            _inside(document, use), kinds.Read if use.role == "bottom" else kinds.Write
        )
        for use in all_
    ]


async def can_rename(session: Session, params: types.PrepareRenameParams) -> types.Range | None:
    """The name at a place, without its quotes; None where there is no blob."""
    document, found, _ = await _blob(session, params)
    return _inside(document, found) if found is not None else None


async def rename(session: Session, params: types.RenameParams) -> types.WorkspaceEdit | None:
    """Another name for a blob, everywhere. Raises JsonRpcInvalidParams for one that cannot be
    written, or that another blob has: the two would become one."""
    document, found, all_ = await _blob(session, params)
    if found is None:
        return None
    name = params.new_name
    if not name or not name.isprintable() or set(name) & set("\"'\\"):
        raise JsonRpcInvalidParams(f"{name!r} is no name of a blob")
    tree = await session.tree(document)
    if tree is not None and name != found.name and any(u.name == name for u in uses(tree)):
        raise JsonRpcInvalidParams(f"there is a blob '{name}' already")
    edits = [types.TextEdit(_inside(document, use), name) for use in all_]
    return workspace_edit(session, (document, edits))


async def _blob(session: Session, params: At) -> tuple[Document, Use | None, list[Use]]:
    """The blob at a place, and every place that names it."""
    document = session.document(params.text_document.uri)
    tree = await session.tree(document)
    offset = document.lines.offset((params.position.line, params.position.character))
    found = use_at(tree, offset) if tree is not None and is_net(tree) else None
    if tree is None or found is None:
        return document, None, []
    return document, found, [use for use in uses(tree) if use.name == found.name]


def _inside(document: Document, use: Use) -> types.Range:
    """The name without its quotes."""
    return span_range(document.lines, use.start + 1, use.end - 1)


def _location(document: Document, use: Use) -> types.Location:
    return types.Location(document.shot.uri, _inside(document, use))
