"""Notebooks whose cells the editor keeps apart: looked at as the file that they would be saved as.

Every line of code is a line of that file, so that a finding's place leads back to its cell.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from lsprotocol import types

from upconv.service.lsp.diagnostics import as_range, diagnostics
from upconv.service.lsp.documents import Document
from upconv.service.lsp.edits import text_edits

if TYPE_CHECKING:
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
        for uri, one in self.placed(look):
            if uri:
                found[uri].append(one)
        return found

    def placed(self, look: Look) -> Iterator[tuple[str, types.Diagnostic]]:
        """Each finding of a look, in its order, where a cell shows it, "" where there is none."""
        for one in diagnostics(look, self.whole.lines):
            cell, line = self._place(one.range.start.line)
            if cell >= 0:
                start, end = (
                    self._units(p.line, p.character) for p in (one.range.start, one.range.end)
                )
                one.range = as_range((line, start), (line, end))
            elif self.cells:
                cell, one.range = 0, as_range((0, 0), (0, 0))
            yield self.cells[cell].shot.uri if cell >= 0 else "", one

    def lines_of(self, uri: str, where: types.Range) -> types.Range:
        """The lines of the file that some lines of a cell are; none where that is no cell."""
        wanted = range(where.start.line, where.end.line + 1)
        shown = [cell.shot.uri for cell in self.cells]
        lines = [
            number
            for number, (cell, line) in enumerate(self._places)
            if cell >= 0 and shown[cell] == uri and line in wanted
        ]
        return as_range((min(lines, default=-1), 0), (max(lines, default=-2), 0))

    def changes(self, after: str) -> list[tuple[Document, list[types.TextEdit]]]:
        """The edits of the cells that make the file another one; none where it is no notebook with
        these cells."""
        try:
            sources = ["".join(cell["source"]) for cell in json.loads(after)["cells"]]
        except (ValueError, LookupError, TypeError):
            return []
        if len(sources) != len(self.cells):
            return []
        edits = [text_edits(cell.lines, new) for cell, new in zip(self.cells, sources, strict=True)]
        return [(cell, mine) for cell, mine in zip(self.cells, edits, strict=True) if mine]

    def _place(self, line: int) -> tuple[int, int]:
        return self._places[line] if line < len(self._places) else (-1, 0)

    def _units(self, line: int, units: int) -> int:
        """A place in a line of the file as one in the line of code that it spells."""
        lines = self.whole.lines
        raw = lines.text[lines.starts[line] + 1 : lines.offset((line, units))]
        return lines.units("".join(json.loads(f'"{one}"') for one in _CHARACTER.findall(raw)))
