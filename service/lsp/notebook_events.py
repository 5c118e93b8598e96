"""What an editor tells of notebooks whose cells it keeps apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from upconv.service.lsp.documents import Document
from upconv.service.lsp.notebooks import Notebook

if TYPE_CHECKING:
    from upconv.service.lsp.session import Session


def did_open(session: Session, params: types.DidOpenNotebookDocumentParams) -> None:
    """A notebook is open."""
    book = params.notebook_document
    texts = {one.uri: one for one in params.cell_text_documents}
    made = Notebook(book.uri, book.version, session.encoding)
    made.cells = [_cell(session, texts[one.document]) for one in _code(book.cells, texts)]
    made.rebuilt(book.version)
    session.notebook_opened(made)


def did_change(session: Session, params: types.DidChangeNotebookDocumentParams) -> None:
    """Cells have been added, taken away or moved, or their texts have changed."""
    book = session.notebooks[params.notebook_document.uri]
    change = params.change.cells
    if change is not None and change.structure is not None:
        _restructured(session, book, change.structure)
    for text in (change.text_content or ()) if change is not None else ():
        which = text.document
        session.document(which.uri).change(which.version, text.changes)
    book.rebuilt(params.notebook_document.version)
    session.notebook_changed(book)


def did_close(session: Session, params: types.DidCloseNotebookDocumentParams) -> None:
    """A notebook is closed."""
    session.notebook_closed(params.notebook_document.uri)


def did_save(session: Session, params: types.DidSaveNotebookDocumentParams) -> None:
    """What is on disk is of no account: the cells are looked at as they are."""


def _restructured(
    session: Session, book: Notebook, change: types.NotebookDocumentCellChangeStructure
) -> None:
    """Cells come and go by their places among all cells that the editor tells of."""
    known = {one.shot.uri: one for one in book.cells}
    known |= {one.uri: _cell(session, one) for one in change.did_open or ()}
    at = change.array.start
    new = [known[one.document] for one in _code(change.array.cells or (), known)]
    book.cells[at : at + change.array.delete_count] = new
    for gone in change.did_close or ():
        session.cell_closed(gone.uri)


def _code(cells: Sequence[types.NotebookCell], known: Any) -> Iterator[types.NotebookCell]:
    return (one for one in cells if one.document in known)


def _cell(session: Session, item: types.TextDocumentItem) -> Document:
    """A cell as a text that is no file, and is not looked at by itself."""
    cell = Document(item.uri, item.version, item.text, session.encoding)
    cell.shot = replace(cell.shot, path="")
    session.cells[item.uri] = cell
    return cell
