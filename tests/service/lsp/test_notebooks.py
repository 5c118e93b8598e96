"""What can be done about findings in the cells of a notebook that the editor keeps apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lsprotocol import types

from tests.service.lsp.editor import Editor, changed, editor
from tests.support import ROOT
from upconv.service.lsp.actions import FIX_ALL, FIX_BOOK

CASE = ROOT / "fixtures" / "rules" / "UP322"


def opened(one: Editor, folder: Path, code: Sequence[str]) -> tuple[str, list[str]]:
    """A notebook of cells of code; its address and theirs."""
    book = (folder / "net.ipynb").as_uri()
    uris = [f"vscode-notebook-cell:/net.ipynb#{at}" for at in range(len(code))]
    cells = [types.NotebookCell(types.NotebookCellKind.Code, uri) for uri in uris]
    pairs = zip(uris, code, strict=True)
    texts = [types.TextDocumentItem(uri, "python", 1, text) for uri, text in pairs]
    notebook = types.NotebookDocument(book, "jupyter-notebook", 1, cells)
    one.tell(types.NOTEBOOK_DOCUMENT_DID_OPEN, types.DidOpenNotebookDocumentParams(notebook, texts))
    return book, uris


def edits(action: Any) -> dict[str, list[types.TextEdit]]:
    """Cell -> its edits, which are for the version that it has."""
    found = {}
    for part in action.edit.document_changes:
        assert part.text_document.version == 1
        found[part.text_document.uri] = part.edits
    return found


def line_of(found: list[types.Diagnostic], code: str) -> int:
    return next(one.range.start.line for one in found if one.code == code)


def test_fixes_and_comments_go_into_the_cell(tmp_path: Path) -> None:
    bad = (CASE / "bad.py").read_text(encoding="utf-8").rstrip("\n")
    code = ["import os  # \U0001f600 'a\\n'", f"'\U0001f600\"' ; {bad}", "y = 1\r\n"]
    with editor(tmp_path.resolve()) as one:
        _, uris = opened(one, tmp_path.resolve(), code)
        found = one.pushed(uris[1], 1)
        line = line_of(found, "UP322")
        offered = one.actions(uris[1], line)
        (fix,) = (title for title in offered if title.startswith("UP322:"))
        (shown,) = offered[fix].diagnostics
        assert shown.range in [where.range for where in found]
        made = edits(one.ask(types.CODE_ACTION_RESOLVE, offered[fix]))
        assert set(made) == {uris[1]}
        new = 'nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)'
        mended = code[1].replace("nn.UpsamplingBilinear2d(scale_factor=2)", new)
        assert changed(code[1], made[uris[1]]) == mended
        ignore = one.ask(types.CODE_ACTION_RESOLVE, offered["Ignore UP322 here, with a reason"])
        (mine,) = edits(ignore).items()
        assert mine[0] == uris[1]
        assert "# upconv: ignore[UP322] say why\n" in changed(code[1], mine[1])


def test_all_cells_are_mended_at_once(tmp_path: Path) -> None:
    bad, good = ((CASE / f"{name}.py").read_text(encoding="utf-8") for name in ("bad", "fixed"))
    with editor(tmp_path.resolve()) as one:
        _, uris = opened(one, tmp_path.resolve(), [bad, "x = 1", bad])
        offered = one.actions(uris[0], line_of(one.pushed(uris[0], 1), "UP322"), [FIX_BOOK])
        (whole,) = offered.values()
        made = edits(one.ask(types.CODE_ACTION_RESOLVE, whole))
        assert {uri: changed(bad, made[uri]) for uri in made} == {uris[0]: good, uris[2]: good}
        assert one.actions(uris[1], 0, ["quickfix"]) == {}
        assert one.actions(uris[1], 0, [FIX_ALL]) == {}


def test_what_was_offered_is_of_no_use_once_a_cell_has_changed(tmp_path: Path) -> None:
    bad = (CASE / "bad.py").read_text(encoding="utf-8")
    with editor(tmp_path.resolve()) as one:
        book, uris = opened(one, tmp_path.resolve(), [bad, "x = 1"])
        offered = one.actions(uris[0], line_of(one.pushed(uris[0], 1), "UP322"))
        text = types.NotebookDocumentCellContentChanges(
            types.VersionedTextDocumentIdentifier(2, uris[1]),
            [types.TextDocumentContentChangeWholeDocument("x = 2")],
        )
        cells = types.NotebookDocumentCellChanges(text_content=[text])
        version = types.VersionedNotebookDocumentIdentifier(2, book)
        event = types.NotebookDocumentChangeEvent(cells=cells)
        told = types.DidChangeNotebookDocumentParams(version, event)
        one.tell(types.NOTEBOOK_DOCUMENT_DID_CHANGE, told)
        try:
            one.ask(types.CODE_ACTION_RESOLVE, next(iter(offered.values())))
        except Exception as error:
            assert "the text has changed" in str(error)
        else:
            raise AssertionError("it would have been applied to another text")


def test_who_asks_for_findings_of_texts_is_told_those_of_cells(tmp_path: Path) -> None:
    """VS Code does not ask for cells; an editor that does is not told twice."""
    bad = (CASE / "bad.py").read_text(encoding="utf-8")
    asking = types.TextDocumentClientCapabilities(diagnostic=types.DiagnosticClientCapabilities())
    with editor(tmp_path.resolve(), types.ClientCapabilities(text_document=asking)) as one:
        _, uris = opened(one, tmp_path.resolve(), ["x = 1", bad])
        assert "UP322" in [found.code for found in one.pushed(uris[1], 1)]
        assert one.findings(uris[1]) == []
