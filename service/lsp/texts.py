"""Messages about texts: opened, changed, closed, and what is found in them."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from lsprotocol import types

from upconv.service.lsp.diagnostics import diagnostics

if TYPE_CHECKING:
    from upconv.service.lsp.session import Session


def initialized(session: Session, params: types.InitializedParams) -> None:
    """The editor is ready."""
    session.started()


def did_open(session: Session, params: types.DidOpenTextDocumentParams) -> None:
    """A text is open."""
    text = params.text_document
    language = str(getattr(text.language_id, "value", text.language_id))
    session.opened(text.uri, text.version, text.text, language)


def did_change(session: Session, params: types.DidChangeTextDocumentParams) -> None:
    """A text has changed."""
    session.changed(params.text_document.uri, params.text_document.version, params.content_changes)


def did_save(session: Session, params: types.DidSaveTextDocumentParams) -> None:
    """What was saved may be the configuration of others."""
    if params.text_document.uri not in session.documents:
        session.again()


def did_close(session: Session, params: types.DidCloseTextDocumentParams) -> None:
    """A text is closed."""
    session.closed(params.text_document.uri)


def did_change_files(session: Session, params: types.DidChangeWatchedFilesParams) -> None:
    """Files have changed on disk."""
    session.again()


async def diagnostic(
    session: Session, params: types.DocumentDiagnosticParams
) -> types.RelatedFullDocumentDiagnosticReport | types.RelatedUnchangedDocumentDiagnosticReport:
    """What is found in a text now, or that it is what the editor knows."""
    uri = params.text_document.uri
    book = session.notebook_of(uri)
    document, look = await session.told(book.whole.shot.uri if book is not None else uri)
    if book is None:
        items = diagnostics(look, document.lines)
    else:  # who asks for texts is told of cells all the same, and is not told twice
        items = [] if session.pulls else book.findings(look)[uri]
    known = blake2b(repr(items).encode("utf-8", "backslashreplace"), digest_size=16).hexdigest()
    if known == params.previous_result_id:
        return types.RelatedUnchangedDocumentDiagnosticReport(known)
    return types.RelatedFullDocumentDiagnosticReport(items, result_id=known)


STATE: Final = "upconv.state"


async def state(session: Session, uri: str) -> dict[str, str | int]:
    """What the server has of a text, for a report of a defect: its version and a digest."""
    shot = session.document(uri).shot
    digest = blake2b(shot.text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return {"version": shot.version, "characters": len(shot.text), "digest": digest}
