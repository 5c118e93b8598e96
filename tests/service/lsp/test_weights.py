"""Findings of trained weights beside a file, and the lens of a net too long to audit unasked."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from lsprotocol import types

from tests.linter.rule_cases import case_options
from tests.service.lsp.editor import Editor, editor
from tests.support import ROOT
from upconv.converters.ir.origin import Source
from upconv.linter.running.engine import check_source
from upconv.service.lsp.sizes import MOST_AUDITED
from upconv.service.work.looking import weights_beside

CASE = ROOT / "fixtures" / "rules" / "UP211"
TEXT = (CASE / "bad.prototxt").read_text(encoding="utf-8")


def prints(found: list[types.Diagnostic]) -> list[object]:
    return [(one.data or {})["fingerprint"] for one in found]


def test_weights_are_read_once_nobody_types(tmp_path: Path) -> None:
    folder = tmp_path.resolve()
    path = folder / "net.prototxt"
    options = replace(case_options(CASE, "bad", tmp_path), root=folder)
    shutil.copy(options.read.weights, folder / "net.caffemodel")
    assert weights_beside(str(path)) == str(folder / "net.caffemodel")
    with editor(folder) as session:
        uri = session.open(path, TEXT)
        assert "UP211" not in [one.code for one in session.findings(uri)], "nobody waits for them"
        deep = session.heard(lambda method, said: tells(method, said, uri, 1)).diagnostics
        text = f"# a line more\n{TEXT}"
        stays = session.pushed(uri, session.rewrite(uri, text))
        assert [one.range.start.line - 1 for one in stays] == [one.range.start.line for one in deep]
        assert prints(session.findings(uri)) == prints(stays) == prints(deep)
        moved = session.heard(lambda method, said: tells(method, said, uri, 2)).diagnostics
        fresh = check_source(Source(str(path), text), options, named=False)
        assert prints(moved) == prints(deep) == [one.fingerprint for one in fresh.findings]
        assert prints(session.findings(uri)) == prints(moved), "who asks hears of them, too"


def tells(method: str, said: object, uri: str, version: int) -> bool:
    """Whether the server tells what only weights can say of a version of a text."""
    return (
        method == types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS
        and isinstance(said, types.PublishDiagnosticsParams)
        and (said.uri, said.version) == (uri, version)
        and any(one.code == "UP211" for one in said.diagnostics)
    )


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("net-symbol.json", ["net-0001.params", "net-0010.params"]),
        ("net.json", ["net.weights.h5"]),
        ("[net].prototxt", ["[net].caffemodel"]),
    ],
)
def test_weights_beside_a_file(tmp_path: Path, name: str, weights: list[str]) -> None:
    assert weights_beside(str(tmp_path / name)) == ""
    for one in (*weights, "net-1.params", "n.caffemodel", "net.params"):
        (tmp_path / one).touch()
    assert weights_beside(str(tmp_path / name)) == str(tmp_path / weights[-1])


def test_a_long_net_is_audited_when_it_is_asked_for(session: Editor, folder: Path) -> None:
    relu = 'layer {{ name: "r{0}" type: "ReLU" bottom: "x{0}" top: "x{1}" }}\n'
    text = 'input: "x0"\ninput_shape { dim: 1 dim: 3 dim: 8 dim: 8 }\n'
    text += "".join(relu.format(at, at + 1) for at in range(MOST_AUDITED + 1))
    uri = session.open(folder / "long.prototxt", text)
    params = types.CodeLensParams(types.TextDocumentIdentifier(uri))
    audit, sizes = (
        session.ask(types.CODE_LENS_RESOLVE, one)
        for one in session.ask(types.TEXT_DOCUMENT_CODE_LENS, params)
    )
    assert audit.command.title == "valid sizes: audit"
    assert sizes.command.title == "shown at x0 1x3x8x8"
