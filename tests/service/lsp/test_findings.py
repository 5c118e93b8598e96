"""Findings over a real session: told and asked for, where they stand, what follows from them."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from lsprotocol import types

from tests.service.commands import upconv
from tests.service.lsp.editor import SERVER, Editor, changed, editor, edits_of, offset
from tests.support import ROOT
from upconv.converters.ir.origin import Source
from upconv.linter.running.engine import CheckOptions, check_source

RULES = ROOT / "fixtures" / "rules"
BAD = (RULES / "UP201" / "bad.prototxt").read_text(encoding="utf-8")
LAYER = 'layer { name: "n" type: "Deconvolution" bottom: "x" top: "y"\n'


def codes(found: list[types.Diagnostic]) -> list[object]:
    return [one.code for one in found]


def fresh(path: Path, text: str) -> list[tuple[str, str]]:
    """Code and the words it stands at, of a check that has never seen an editor."""
    report = check_source(Source(str(path), text), CheckOptions(root=path.parent), named=False)
    found = []
    for one in report.findings:
        shown = ""
        if one.place is not None and report.source is not None:
            line = report.source.line(one.place.line)
            shown = line[one.place.column - 1 : one.place.end_column - 1]
        found.append((one.code, shown))
    return found


def shown(text: str, found: list[types.Diagnostic]) -> list[tuple[object, str]]:
    """Code and the words it stands at, as an editor marks them."""
    spots = [(offset(text, one.range.start), offset(text, one.range.end)) for one in found]
    return [(one.code, text[a:b]) for one, (a, b) in zip(found, spots, strict=True)]


NOTEBOOK = json.dumps(
    {
        "cells": [
            {
                "cell_type": "code",
                "source": [
                    "import torch.nn as nn\n",
                    "up = nn.ConvTranspose2d(8, 8, 3, stride=2)",
                ],
            }
        ],
        "nbformat": 4,
        "nbformat_minor": 5,
    },
    indent=1,
)
GRAPH = (
    'node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } } }\n'
    'node { name: "y" op: "ResizeBilinear" input: "x" }\n'
    'node { name: "z" op: "NoSuchOperation" input: "y" }\n'
)
FORMATS = {
    "net.prototxt": BAD,
    "net.py": (RULES / "UP330" / "bad.py").read_text(encoding="utf-8"),
    "net.ipynb": NOTEBOOK,
    "net-symbol.json": (RULES / "UP340" / "bad.json").read_text(encoding="utf-8"),
    "net.json": (ROOT / "fixtures/keras2/autoencoder.json").read_text(encoding="utf-8"),
    "graph.pbtxt": GRAPH,
}


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_has_the_findings_of_a_check(session: Editor, folder: Path, name: str) -> None:
    path, text = folder / name, FORMATS[name]
    uri = session.open(path, text)
    found = session.pushed(uri, 1)
    assert shown(text, found) == fresh(path, text)
    assert found or name == "net.json", "the case shows nothing"
    session.close(uri)
    assert session.heard(lambda m, p: getattr(p, "uri", "") == uri and p.version is None)


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.py", "print('no model'\n"), ("a.json", '{"a": 1}'), ("b.prototxt", "base_lr: 0.1\n")],
)
def test_what_is_no_model_is_left_alone(
    session: Editor, folder: Path, name: str, text: str
) -> None:
    assert session.findings(session.open(folder / name, text)) == []


def test_a_finding_has_all_that_an_editor_can_show(session: Editor, folder: Path) -> None:
    text = "# upconv: ignore[UP202] nothing there\n" + BAD
    uri = session.open(folder / "all.prototxt", text)
    pushed = session.pushed(uri, 1)
    assert pushed == session.findings(uri)
    wrong = next(one for one in pushed if one.code == "UP201")
    assert (wrong.source, wrong.severity) == ("upconv", types.DiagnosticSeverity.Error)
    assert wrong.code_description is not None
    assert wrong.code_description.href.endswith("rules/UP201/")
    idle = next(one for one in pushed if one.code == "UP005")
    assert list(idle.tags or ()) == [types.DiagnosticTag.Unnecessary]


def test_an_editor_that_asks_is_not_told_as_well(folder: Path) -> None:
    asking = types.TextDocumentClientCapabilities(diagnostic=types.DiagnosticClientCapabilities())
    with editor(folder, types.ClientCapabilities(text_document=asking)) as one:
        uri = one.open(folder / "pull.prototxt", BAD)
        which = types.TextDocumentIdentifier(uri)
        first = one.ask(types.TEXT_DOCUMENT_DIAGNOSTIC, types.DocumentDiagnosticParams(which))
        again = types.DocumentDiagnosticParams(which, previous_result_id=first.result_id)
        assert one.ask(types.TEXT_DOCUMENT_DIAGNOSTIC, again).kind == "unchanged"
        one.rewrite(uri, BAD.replace("kernel_size: 2", "kernel_size: 4"))
        assert one.ask(types.TEXT_DOCUMENT_DIAGNOSTIC, again).kind == "full"
        assert not [m for m, _ in one.told if m == types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS]


def test_the_configuration_counts_from_when_it_is_saved(session: Editor, folder: Path) -> None:
    inner = folder / "inner"
    inner.mkdir()
    uri = session.open(inner / "net.prototxt", BAD)
    assert "UP201" in codes(session.findings(uri))
    (inner / "upconv.toml").write_text('ignore = ["UP201"]\n')
    files = types.DidChangeWatchedFilesParams([])
    session.tell(types.WORKSPACE_DID_CHANGE_WATCHED_FILES, files)
    assert "UP201" not in codes(session.findings(uri))
    (inner / "upconv.toml").write_text('severity = { UP116 = "error" }\n')
    session.tell(types.WORKSPACE_DID_CHANGE_WATCHED_FILES, files)
    found = session.findings(uri)
    assert {one.severity for one in found if one.code == "UP116"} == {
        types.DiagnosticSeverity.Error
    }
    (inner / "upconv.toml").write_text("ignore = 3\n")
    session.tell(types.WORKSPACE_DID_CHANGE_WATCHED_FILES, files)
    assert session.findings(uri) == found, "what held before goes on holding"
    told = session.heard(lambda m, p: m == types.WINDOW_SHOW_MESSAGE)
    assert "upconv.toml" in told.message
    (inner / "upconv.toml").unlink()


def test_places_are_counted_in_utf_16_and_wrong_ones_are_moved(
    session: Editor, folder: Path
) -> None:
    text = (
        '# \U0001f600\r\nlayer { name: "\U0001f600" type: "Deconvoluton" bottom: "x" top: "y" }\r\n'
    )
    path = folder / "wide.prototxt"
    uri = session.open(path, text)
    assert shown(text, session.findings(uri)) == fresh(path, text)
    edits = [  # behind a line's end; in the middle of a pair; behind the last line
        ((0, 99), (0, 99), "!", text.index("\r\n")),
        ((0, 3), (0, 3), "?", 2),
        ((9, 0), (9, 9), "# end", None),
    ]
    for start, end, new, at in edits:
        where = types.Range(types.Position(*start), types.Position(*end))
        session.change(uri, [types.TextDocumentContentChangePartial(where, new)])
        text = text + new if at is None else text[:at] + new + text[at:]
        assert shown(text, session.findings(uri)) == fresh(path, text)


def test_an_older_version_changes_nothing(session: Editor, folder: Path) -> None:
    uri = session.open(folder / "old.prototxt", BAD)
    session.rewrite(uri, BAD)
    before = session.findings(uri)
    session.change(uri, [types.TextDocumentContentChangeWholeDocument("")], version=1)
    assert session.findings(uri) == before


CRASHING = """
import upconv.linter.rules
from upconv.linter.rule import rule
from dataclasses import replace
from upconv.linter.rule import RULES
def check(context):
    raise ZeroDivisionError("a defect of ours")
    yield
RULES["UP201"] = replace(RULES["UP201"], check=check)
from upconv.service.lsp.server import serve_stdio
serve_stdio()
"""


def test_a_rule_that_fails_is_a_line_in_the_log_and_the_rest_goes_on(tmp_path: Path) -> None:
    with editor(tmp_path, command=(sys.executable, "-c", CRASHING)) as one:
        uri = one.open(tmp_path / "net.prototxt", BAD)
        found = codes(one.pushed(uri, 1))
        assert "UP006" in found
        assert "UP116" in found
        logged = one.heard(lambda m, p: m == types.WINDOW_LOG_MESSAGE)
        assert "a defect of ours" in logged.message
        one.rewrite(uri, BAD + "\n")
        assert codes(one.pushed(uri, 2)) == found
        assert sum(m == types.WINDOW_LOG_MESSAGE for m, _ in one.told) == 1, "each defect once"


def test_a_session_over_a_socket(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen([*SERVER, "--tcp", f"127.0.0.1:{port}"]) as server:
        with editor(tmp_path, port=port) as one:
            assert "UP201" in codes(one.findings(one.open(tmp_path / "net.prototxt", BAD)))
        assert server.wait(20) == 0


@pytest.mark.parametrize("port", ["", "65536", "\u00b2", "9" * 5000])
def test_what_is_no_port_is_one_line(port: str) -> None:
    done = upconv("lsp", "--tcp", f"127.0.0.1:{port}")
    assert done.code == 2
    assert "no HOST:PORT (as in --tcp 127.0.0.1:2087)" in done.err
    assert done.err.count("\n") == 1


# What can be done about a finding.


def line_of(found: list[types.Diagnostic], code: str) -> int:
    return next(one.range.start.line for one in found if one.code == code)


def resolved(session: Editor, action: types.CodeAction) -> types.CodeAction:
    assert action.edit is None, "it is worked out once it is chosen"
    found = session.ask(types.CODE_ACTION_RESOLVE, action)
    assert isinstance(found, types.CodeAction)
    return found


def test_fixes_one_by_one_all_of_a_kind_and_all_that_is_safe(session: Editor, folder: Path) -> None:
    path, text = folder / "fix.prototxt", BAD.replace("\n", "\r\n")
    uri = session.open(path, text)
    found = session.findings(uri)
    offered = session.actions(uri, line_of(found, "UP201"))
    one = next(title for title in offered if title.startswith("UP201: "))
    diagnostics = offered[one].diagnostics
    assert [d.code for d in diagnostics] == ["UP201"]
    mended = changed(text, edits_of(resolved(session, offered[one]).edit))
    before, after = (sum(c == "UP201" for c, _ in fresh(path, t)) for t in (text, mended))
    assert after == before - 1
    assert "\n" not in mended.replace("\r\n", "")
    every = resolved(session, offered["Fix all UP201 in this file"])
    rest = changed(text, edits_of(every.edit))
    left = [code for code, _ in fresh(path, rest)].count("UP201")
    assert left == 1, "stride 3 has no kernel that is certainly meant"
    session.close(uri)


def test_what_is_mended_on_saving_is_safe(session: Editor, folder: Path) -> None:
    case = RULES / "UP002" / "bad.prototxt"
    text = case.read_text(encoding="utf-8")
    uri = session.open(folder / "save.prototxt", text)
    offered = session.actions(uri, 0, ["source.fixAll"])
    assert [one.kind for one in offered.values()] == ["source.fixAll.upconv"]
    fixed = (case.parent / "fixed.prototxt").read_text(encoding="utf-8")
    (action,) = offered.values()
    assert changed(text, edits_of(resolved(session, action).edit)) == fixed
    assert session.actions(uri, 0, ["refactor"]) == {}
    action.data["version"] = 7
    with pytest.raises(Exception, match="changed"):
        session.ask(types.CODE_ACTION_RESOLVE, action)


def test_ignored_here_with_a_reason(session: Editor, folder: Path) -> None:
    path = folder / "ignore.prototxt"
    uri = session.open(path, BAD)
    line = line_of(session.findings(uri), "UP201")
    action = session.actions(uri, line)["Ignore UP201 here, with a reason"]
    action.data["reason"] = "the paper has it"
    after = changed(BAD, edits_of(resolved(session, action).edit))
    assert re.search(r"# upconv: ignore\[UP201\] the paper has it\n", after)
    count = sum(code == "UP201" for code, _ in fresh(path, BAD))
    assert sum(code == "UP201" for code, _ in fresh(path, after)) == count - 1


def test_taken_into_the_baseline_that_is_configured(session: Editor, folder: Path) -> None:
    inner = folder / "known"
    inner.mkdir()
    (inner / "upconv.toml").write_text('baseline = "known.json"\n')
    uri = session.open(inner / "net.prototxt", BAD)
    found = session.findings(uri)
    assert "Add UP201 to the baseline" in session.actions(uri, line_of(found, "UP201"))
    data = next(one.data for one in found if one.code == "UP201")
    assert data is not None
    arguments = [uri, data["fingerprint"]]
    command = types.ExecuteCommandParams("upconv.addToBaseline", arguments)
    assert session.ask(types.WORKSPACE_EXECUTE_COMMAND, command) is True
    assert len(session.findings(uri)) == len(found) - 1
    entries = json.loads((inner / "known.json").read_text())["findings"]
    assert [(one["code"], one["path"]) for one in entries] == [("UP201", "net.prototxt")]


def test_an_editor_that_cannot_ask_later_gets_the_edit_at_once(tmp_path: Path) -> None:
    with editor(tmp_path, types.ClientCapabilities()) as one:
        uri = one.open(tmp_path / "net.prototxt", BAD)
        offered = one.actions(uri, line_of(one.findings(uri), "UP201"))
        assert all(action.edit.changes[uri] for action in offered.values())


def test_capabilities_are_those_that_are_there(session: Editor) -> None:
    told = session.capabilities
    assert told.position_encoding == "utf-16"
    assert isinstance(told.text_document_sync, types.TextDocumentSyncOptions)
    assert told.text_document_sync.change == types.TextDocumentSyncKind.Incremental
    assert isinstance(told.code_action_provider, types.CodeActionOptions)
    assert told.code_action_provider.resolve_provider


# Cells that the editor keeps apart.


def test_the_cells_of_a_notebook_are_looked_at_together(tmp_path: Path) -> None:
    code = [
        "import torch.nn as nn\n'\U0001f600 \"\\\\'",
        '# \U0001f600 "\nup = nn.ConvTranspose2d(8, 8, 3, stride=2)',
    ]
    book = tmp_path.as_uri() + "/net.ipynb"
    uris = [f"vscode-notebook-cell:/net.ipynb#{at}" for at in range(3)]
    cells = [types.NotebookCell(types.NotebookCellKind.Code, uri) for uri in uris]
    texts = [
        types.TextDocumentItem(uri, "python", 1, text)
        for uri, text in zip(uris, code, strict=False)
    ]
    with editor(tmp_path) as one:
        notebook = types.NotebookDocument(book, "jupyter-notebook", 1, cells[:2])
        opened = types.DidOpenNotebookDocumentParams(notebook, texts)
        one.tell(types.NOTEBOOK_DOCUMENT_DID_OPEN, opened)
        assert one.pushed(uris[0], 1) == []
        found = one.pushed(uris[1], 1)
        assert found
        assert {word for _, word in shown(code[1], found)} & {"3", "nn.ConvTranspose2d"}
        assert one.findings(uris[1]) == found
        start = types.Position(1, 30)
        change = types.TextDocumentContentChangePartial(types.Range(start, start), "4, 4, 2) # ")
        which = types.VersionedTextDocumentIdentifier(2, uris[1])
        changed_text = types.NotebookDocumentCellContentChanges(which, [change])
        array = types.NotebookCellArrayChange(0, 0, [cells[2]])
        item = types.TextDocumentItem(uris[2], "python", 1, "import torch")
        structure = types.NotebookDocumentCellChangeStructure(array, [item])
        event = types.NotebookDocumentChangeEvent(
            cells=types.NotebookDocumentCellChanges(structure, text_content=[changed_text])
        )
        version = types.VersionedNotebookDocumentIdentifier(2, book)
        one.tell(
            types.NOTEBOOK_DOCUMENT_DID_CHANGE,
            types.DidChangeNotebookDocumentParams(version, event),
        )
        after = code[1].replace("nn.ConvTranspose2d(", "nn.ConvTranspose2d(4, 4, 2) # ", 1)
        again = one.pushed(uris[1], 2)
        assert all(word for _, word in shown(after, again))
        assert again != found
        assert one.pushed(uris[2], 1) == []
