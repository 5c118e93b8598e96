"""Notebooks whose cells the editor keeps apart: looked at as the file that they would be saved as.

Every line of code is a line of that file, so that a finding's place leads back to its cell.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from lsprotocol import types

from upconv.service.lsp.diagnostics import as_range, diagnostics
from upconv.service.lsp.documents import Document

if TYPE_CHECKING:
    from upconv.service.lsp.session import Session
    from upconv.service.work.looking import Look

SYNC: Final = types.NotebookDocumentSyncOptions(
    [
        types.NotebookDocumentFilterWithCells(
            [types.NotebookCellLanguage("python")],
            types.NotebookDocumentFilterNotebookType("jupyter-notebook"),
        )
    ],
    save=True,
)
_CHARACTER: Final = re.compile(r"\\u[0-9a-f]{4}|\\.|[^\\]")
_LINE: Final = re.compile(r"[^\n]*\n|[^\n]+")


class Notebook:
    """A notebook: its cells in their order, each a text of its own, and the file they make."""

    def __init__(self, uri: str, version: int, encoding: str) -> None:
        self.cells: list[Document] = []
        self.whole = Document(uri, version, "", encoding)
        self._places: list[tuple[int, int]] = []

    def rebuilt(self, version: int) -> None:
        """Make the file anew of its cells."""
        lines, self._places = ['{"cells": [\n'], []
        for number, cell in enumerate(self.cells):
            code = _LINE.findall(cell.shot.text)
            lines.append('{"cell_type": "code", "source": [\n')
            for at, line in enumerate(code):
                self._places += [(-1, 0)] * (len(lines) - len(self._places)) + [(number, at)]
                comma = "," if at + 1 < len(code) else ""
                lines.append(f"{json.dumps(line, ensure_ascii=False)}{comma}\n")
            lines.append("]}" + ("," if number + 1 < len(self.cells) else "") + "\n")
        lines.append('], "nbformat": 4, "nbformat_minor": 5}\n')
        text = types.TextDocumentContentChangeWholeDocument("".join(lines))
        self.whole.change(version, [text])

    def findings(self, look: Look) -> dict[str, list[types.Diagnostic]]:
        """Cell -> what is found in it; what has no cell is told in the first one."""
        found: dict[str, list[types.Diagnostic]] = {one.shot.uri: [] for one in self.cells}
        for one in diagnostics(look, self.whole.lines):
            cell, line = self._place(one.range.start.line)
            if cell >= 0:
                start, end = (
                    self._units(p.line, p.character) for p in (one.range.start, one.range.end)
                )
                one.range = as_range((line, start), (line, end))
            elif self.cells:
                cell, one.range = 0, as_range((0, 0), (0, 0))
            if cell >= 0:
                found[self.cells[cell].shot.uri].append(one)
        return found

    def _place(self, line: int) -> tuple[int, int]:
        return self._places[line] if line < len(self._places) else (-1, 0)

    def _units(self, line: int, units: int) -> int:
        """A place in a line of the file as one in the line of code that it spells."""
        lines = self.whole.lines
        raw = lines.text[lines.starts[line] + 1 : lines.offset((line, units))]
        return lines.units("".join(json.loads(f'"{one}"') for one in _CHARACTER.findall(raw)))


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
