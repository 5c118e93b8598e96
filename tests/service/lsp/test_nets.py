"""What an editor shows of a net besides findings: sizes, meanings, names, outline, layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types

from tests.service.lsp.editor import Editor, changed, edits_of, offset
from tests.support import ROOT
from upconv.converters.ir.inference import infer
from upconv.converters.ir.table import shape_text
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions

FCN = ROOT / "fixtures" / "fcn8s" / "fcn8s.prototxt"
TEXT = FCN.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def net(session: Editor, folder: Path) -> str:
    """FCN-8s with Windows' line ends and a wide character before its layers."""
    return session.open(folder / "fcn8s.prototxt", WIDE)


WIDE = "# \U0001f600\r\n" + TEXT.replace("\r\n", "\n").replace("\n", "\r\n")


def place(text: str, words: str, into: int = 0) -> types.Position:
    """Where words stand, in UTF-16."""
    at = text.index(words) + into
    start = text.rfind("\n", 0, at) + 1
    return types.Position(text.count("\n", 0, at), len(text[start:at].encode("utf-16-le")) // 2)


def at(uri: str, text: str, words: str, into: int = 0) -> dict[str, Any]:
    where = place(text, words, into)
    return {"text_document": types.TextDocumentIdentifier(uri), "position": where}


def hints(session: Editor, uri: str, lines: int = 10_000) -> list[types.InlayHint]:
    whole = types.Range(types.Position(0, 0), types.Position(lines, 0))
    params = types.InlayHintParams(types.TextDocumentIdentifier(uri), whole)
    return list(session.ask(types.TEXT_DOCUMENT_INLAY_HINT, params))


def test_every_layer_has_its_size_beside_it(session: Editor, net: str) -> None:
    model = open_model(str(FCN), ReadOptions())
    shapes = infer(model).shapes
    shown = {one.position.line: str(one.label) for one in hints(session, net)}
    for layer in model.layers:
        assert layer.origin.span is not None
        line = layer.origin.span.line  # one more than in the file, from 0
        assert shown[line].startswith(shape_text(shapes[layer.outputs[0]])), layer.name
    lines = WIDE.split("\r\n")
    for one in hints(session, net):
        assert one.position.character == len(lines[one.position.line]), "behind the line"
    merges = [label for label in shown.values() if label.endswith(", aligned")]
    assert len(merges) == 2, "FCN-8s has two sums"
    assert len(hints(session, net, 40)) < len(shown)


def test_a_name_that_nothing_writes_has_no_size(session: Editor, folder: Path) -> None:
    text = 'layer {\n  name: "r"\n  type: "ReLU"\n  bottom: "none"\n  top: "r"\n}\n'
    uri = session.open(folder / "dangling.prototxt", text)
    assert [one.position.line for one in hints(session, uri)] == [0]


def test_a_shifted_merge_says_by_how_much(session: Editor, folder: Path) -> None:
    text = TEXT.replace("offset: 9", "offset: 7")
    assert text != TEXT
    uri = session.open(folder / "shifted.prototxt", text)
    off = [one for one in hints(session, uri) if "shifted by" in str(one.label)]
    crop = [one for one in session.findings(uri) if one.code in ("UP105", "UP106")]
    assert off or crop
    session.close(uri)


def test_sizes_are_shown_at_the_input_that_is_asked_for(session: Editor, net: str) -> None:
    def run(*arguments: object) -> Any:
        params = types.ExecuteCommandParams("upconv.setInputSize", list(arguments))
        return session.ask(types.WORKSPACE_EXECUTE_COMMAND, params)

    before = [str(one.label) for one in hints(session, net)]
    findings = session.findings(net)
    assert run(net, "480x640") == "data 1x3x480x640"
    model = open_model(str(FCN), ReadOptions(inputs={"data": (1, 3, 480, 640)}))
    shown = [str(one.label).partition(",")[0] for one in hints(session, net)]
    assert shape_text(infer(model).shapes[model.outputs[0]]) in shown
    assert session.findings(net) == findings, "findings are of the file as it is"
    assert run(net, "data=1x3xHxW") == "data 1x3xHxW"
    assert any("H" in str(one.label) for one in hints(session, net))
    with pytest.raises(Exception, match="neither a number nor a letter"):
        run(net, "480*640")
    run(net, "")
    assert [str(one.label) for one in hints(session, net)] == before


def test_the_lens_says_which_sizes_are_valid_and_opens_the_audit(session: Editor, net: str) -> None:
    params = types.CodeLensParams(types.TextDocumentIdentifier(net))
    audit, sizes = (
        session.ask(types.CODE_LENS_RESOLVE, one).command
        for one in session.ask(types.TEXT_DOCUMENT_CODE_LENS, params)
    )
    assert audit.title.startswith("valid sizes: ")
    assert "H" in audit.title
    assert sizes.title.startswith("shown at data 1x3x")
    run = types.ExecuteCommandParams(audit.command, audit.arguments)
    report = session.ask(types.WORKSPACE_EXECUTE_COMMAND, run)
    told = session.heard(lambda method, _: method == types.WINDOW_SHOW_DOCUMENT)
    assert told.uri == report
    page = Path(report.removeprefix("file://")).read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "fcn8s" in page


def told(session: Editor, uri: str, text: str, words: str, into: int = 0) -> str:
    found = session.ask(types.TEXT_DOCUMENT_HOVER, types.HoverParams(**at(uri, text, words, into)))
    return str(found.contents.value) if found is not None else ""


def test_a_layer_is_explained_with_its_numbers(session: Editor, net: str) -> None:
    layer = told(session, net, WIDE, 'name: "upscore2"', -4)
    model = open_model(str(FCN), ReadOptions())
    shapes = infer(model).shapes
    up = model.layer("upscore2")
    assert "**upscore2** (ConvTranspose)" in layer
    assert shape_text(shapes[up.inputs[0]]) in layer
    assert shape_text(shapes[up.outputs[0]]) in layer
    height = shapes[up.inputs[0]][2]  # type: ignore[index]
    assert f"2*({height}-1)+4" in layer
    assert "`pool5`: `2*i + 1/2`" in layer, "the chain of alignment"
    assert "of `data`" in layer


def test_words_are_explained(session: Editor, net: str) -> None:
    assert "Channels of the output" in told(session, net, WIDE, "num_output", 3)
    assert "Transposed convolution" in told(session, net, WIDE, '"Deconvolution"', 3)
    assert told(session, net, WIDE, "# \U0001f600", 1) == ""


def completed(session: Editor, uri: str, text: str, words: str) -> dict[str, Any]:
    """Label -> item, behind the first of some words."""
    params = types.CompletionParams(**at(uri, text, words, len(words)))
    found = session.ask(types.TEXT_DOCUMENT_COMPLETION, params)
    return {one.label: one for one in found.items} if found is not None else {}


def test_words_are_completed(session: Editor, folder: Path) -> None:
    text = (
        'input: "data"\nlayer { name: "a" type: "Con" bottom: "data" top: "a" }\n'
        'layer {\n  type: "Pooling" bottom: ""\n  pooling_param { pool:  }\n'
        '  convolution_param { weight_filler { type: "bil" } bias_term:  } # no\n'
        "  pooling_param {\n    ker\n  }\n}\n"
    )
    uri = session.open(folder / "words.prototxt", text)
    kinds = completed(session, uri, text, 'type: "Con')
    assert "Convolution" in kinds
    assert "floor" in kinds["Convolution"].documentation
    edit = kinds["Deconvolution"].text_edit
    after = changed(text, [types.TextEdit(edit.range, edit.new_text)])
    assert 'type: "Deconvolution" bottom' in after, "the quote behind it is taken along"
    assert list(completed(session, uri, text, 'bottom: "')) != []
    assert list(completed(session, uri, text, '"Pooling" bottom: "')) == ["a", "data"]
    assert list(completed(session, uri, text, "pool: ")) == ["MAX", "AVE", "STOCHASTIC"]
    windows = completed(session, uri, text, "ker")
    assert {"kernel_size", "pad_h"} <= windows.keys()
    assert "num_output" not in windows
    assert "window" in windows["kernel_size"].documentation
    assert "bilinear" in completed(session, uri, text, 'weight_filler { type: "bil')
    assert list(completed(session, uri, text, "bias_term: ")) == ["true", "false"]
    assert completed(session, uri, text, "# no") == {}
    session.close(uri)


def words_at(uri: str, text: str, found: Any) -> list[str]:
    """The words at some places, with the line each stands in."""
    spots = [(one.range.start, one.range.end) for one in found if one.uri == uri]
    return [text[offset(text, start) : offset(text, end)] for start, end in spots]


def test_blobs_are_found_and_renamed(session: Editor, net: str, folder: Path) -> None:
    where = at(net, WIDE, 'bottom: "pool4"', 10)
    (made,) = session.ask(types.TEXT_DOCUMENT_DEFINITION, types.DefinitionParams(**where))
    assert made.range.start.line == place(WIDE, 'top: "pool4"').line
    context = types.ReferenceContext(include_declaration=True)
    params = types.ReferenceParams(context=context, **where)
    found = session.ask(types.TEXT_DOCUMENT_REFERENCES, params)
    assert words_at(net, WIDE, found) == ["pool4"] * (WIDE.count('m: "pool4"') + 1)
    renamed = session.ask(types.TEXT_DOCUMENT_RENAME, types.RenameParams(new_name="p4", **where))
    after = changed(WIDE, edits_of(renamed))
    assert after == WIDE.replace('bottom: "pool4"', 'bottom: "p4"').replace(
        'top: "pool4"', 'top: "p4"'
    )
    for wrong in ("pool3", 'a"', ""):
        with pytest.raises(Exception, match="blob"):
            session.ask(types.TEXT_DOCUMENT_RENAME, types.RenameParams(new_name=wrong, **where))
    elsewhere = at(net, WIDE, "layer {")
    nothing = session.ask(types.TEXT_DOCUMENT_DEFINITION, types.DefinitionParams(**elsewhere))
    assert not nothing
    del folder


def test_a_blob_that_is_written_in_place_comes_from_the_layer_before(
    session: Editor, net: str
) -> None:
    relu = WIDE.index('name: "relu_conv1_1"')
    into = WIDE.index('bottom: "conv1_1"', relu)
    where = at(net, WIDE, WIDE[into : into + 200], 10)
    (made,) = session.ask(types.TEXT_DOCUMENT_DEFINITION, types.DefinitionParams(**where))
    assert made.range.start.line == place(WIDE, 'top: "conv1_1"').line


def test_the_outline_is_the_layers(session: Editor, net: str) -> None:
    params = types.DocumentSymbolParams(types.TextDocumentIdentifier(net))
    found = session.ask(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL, params)
    assert len(found) == WIDE.count("layer {")
    assert (found[1].name, found[1].detail) == ("conv1_1", "Convolution")


def test_blocks_fold(session: Editor, net: str) -> None:
    params = types.FoldingRangeParams(types.TextDocumentIdentifier(net))
    found = {
        one.start_line: one.end_line
        for one in session.ask(types.TEXT_DOCUMENT_FOLDING_RANGE, params)
    }
    lines = WIDE.split("\r\n")
    line = next(at for at, line in enumerate(lines) if line == "layer {")
    assert lines[found[line]] == "}"


def test_the_text_is_laid_out(session: Editor, folder: Path) -> None:
    from upconv.converters.ir.origin import Source
    from upconv.converters.readers.files.prototxt.layout import laid_out

    def edits(uri: str) -> Any:
        options = types.FormattingOptions(2, True)
        params = types.DocumentFormattingParams(types.TextDocumentIdentifier(uri), options)
        return session.ask(types.TEXT_DOCUMENT_FORMATTING, params)

    text = WIDE.replace("  ", "\t").replace("layer {", "layer{")
    uri = session.open(folder / "layout.prototxt", text)
    after = changed(text, edits(uri))
    assert after == laid_out(Source("a", WIDE))
    session.rewrite(uri, after)
    assert not edits(uri)
    session.rewrite(uri, "layer {")
    with pytest.raises(Exception, match="never closed"):
        edits(uri)
    session.close(uri)


def test_what_cannot_be_understood_yet_has_no_sizes(session: Editor, folder: Path) -> None:
    uri = session.open(folder / "begun.prototxt", "lay")
    assert hints(session, uri) == []
    assert told(session, uri, "lay", "lay", 1) == ""
    assert "layer" in completed(session, uri, "lay", "lay")
    session.rewrite(uri, TEXT[:3000])
    assert hints(session, uri), "what can be read has sizes"
