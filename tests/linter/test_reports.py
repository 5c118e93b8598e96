from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from tests.linter.reports.made import awkward
from tests.linter.rule_cases import check_case
from tests.support import ROOT
from upconv.converters.ir.origin import Source
from upconv.linter.finding import Edit, FileReport, Finding, Fix, Place, Report, Silenced
from upconv.linter.reports import FORMATS, Reporter
from upconv.linter.reports.colour import wants_colour
from upconv.linter.reports.concise import concise
from upconv.linter.reports.json_report import SCHEMA_PATH, json_report
from upconv.linter.reports.text import text
from upconv.linter.running.engine import check_source

FOLDER = ROOT / "fixtures" / "rules"


def made(line: str, place: Place, **changes: str) -> Report:
    finding = Finding(
        "UP201", "bilinear-kernel-size", "error", "a.prototxt", place, "up", "wrong", "mend it"
    )
    source = Source("a.prototxt", line)
    return Report((FileReport("a.prototxt", "caffe", "ok", "", (finding,), source),))


@pytest.fixture(scope="module")
def schema() -> dict[str, object]:
    loaded: dict[str, object] = json.loads(SCHEMA_PATH.read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(loaded)
    return loaded


@pytest.mark.parametrize("code", sorted(path.name for path in FOLDER.iterdir()))
def test_json_fits_its_schema(code: str, tmp_path: Path, schema: dict[str, object]) -> None:
    report = Report(tuple(check_case(FOLDER / code, which, tmp_path) for which in ("bad", "good")))
    record = json.loads(json_report(report))
    jsonschema.validate(record, schema)
    summary = record["summary"]
    total = summary["errors"] + summary["warnings"] + summary["infos"]
    assert total == len(record["findings"]) >= 1
    assert summary["files"] == len(record["files"]) == 2


def test_json_with_a_fix_and_without_a_place(schema: dict[str, object]) -> None:
    fix = Fix("safe", (Edit(1, 2, 1, 3, "x"),))
    finding = Finding(
        "UP205", "bilinear-bias", "warning", "a.onnx", None, "up", "has a bias", "", fix, "0" * 32
    )
    record = json.loads(json_report(Report((FileReport("a.onnx", "onnx", "ok", "", (finding,)),))))
    jsonschema.validate(record, schema)
    (entry,) = record["findings"]
    assert entry["line"] is entry["end_column"] is None
    assert entry["fix"]["edits"][0]["text"] == "x"


def test_schema_refuses_what_is_not_said(schema: dict[str, object]) -> None:
    record = json.loads(json_report(Report(())))
    jsonschema.validate(record, schema)
    record["summary"]["extra"] = 1
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(record, schema)


def test_text_shows_line_caret_and_help() -> None:
    shown = text(made("layer {\n\tpad: 1 kernel_size: 2\n}\n", Place(2, 9, 2, 23)))
    assert shown == (
        "a.prototxt:2:9: error[UP201] bilinear-kernel-size: layer 'up': wrong\n"
        "  1 | layer {\n"
        "  2 |     pad: 1 kernel_size: 2\n"
        "    |            ^^^^^^^^^^^^^^\n"
        "  help: mend it\n"
        "\n"
        "1 error; 1 file checked\n"
    )


def test_text_of_a_layer_shows_the_line_after_its_brace() -> None:
    shown = text(made('}\nlayer {\n  name: "up"\n}\n', Place(2, 1, 2, 8)))
    assert '  2 | layer {\n    | ^^^^^^^\n  3 |   name: "up"\n' in shown
    assert "1 | }" not in shown


def test_long_lines_are_cut_around_the_caret() -> None:
    line = "x" * 500 + "HERE" + "y" * 500
    shown = text(made(line, Place(1, 501, 1, 505))).splitlines()
    frame, caret = shown[1], shown[2]
    assert len(frame) < 140
    assert frame[caret.index("^") : caret.rindex("^") + 1] == "HERE"


NASTY = "\x1b[31m\n::error::\r\u2028\ud800"


@pytest.mark.parametrize("show", [text, concise])
def test_nothing_in_a_file_reaches_the_terminal_as_a_command(show: Reporter) -> None:
    (file,) = made(f"a {NASTY} b", Place(1, 1, 1, 2)).files
    plain = show(Report((file,)))
    found = replace(file.findings[0], path=NASTY, layer=NASTY, message=NASTY, help=NASTY)
    shown = show(Report((replace(file, findings=(found,)),)))
    assert "::error::" in shown
    assert all(character.isprintable() or character == "\n" for character in shown)
    assert shown.count("\n") == plain.count("\n")


def test_colour_is_asked_for() -> None:
    report = made("layer {", Place(1, 1, 1, 8))
    assert "\x1b[" not in text(report)
    assert "\x1b[1;31m" in text(report, colour=True)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environment", "expected"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"NO_COLOR": ""}, True),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
        (io.StringIO(), {"FORCE_COLOR": "1"}, True),
        (io.StringIO(), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_when_colour_is_wanted(
    stream: io.StringIO, environment: dict[str, str], expected: bool
) -> None:
    assert wants_colour(stream, environment) is expected


def test_concise_is_one_line_a_finding() -> None:
    report = made("layer {", Place(1, 1, 1, 8))
    expected = "a.prototxt:1:1: error UP201 [bilinear-kernel-size] layer 'up': wrong\n"
    assert concise(report) == expected


def test_every_format_takes_an_empty_report() -> None:
    assert {name for name, form in FORMATS.items() if not form(Report(()))} == {"concise"}


def test_summary_counts_what_is_silenced_skipped_and_unreadable() -> None:
    unreadable = check_source(Source("b.prototxt", "layer {"))
    skipped = FileReport("c.prototxt", "", "skipped", "no Caffe net, but solver")
    by_comment = Silenced(unreadable.findings[0], "comment")
    known = Silenced(unreadable.findings[0], "baseline")
    marked = (by_comment, known, by_comment)
    silenced = FileReport("d.prototxt", "caffe", "ok", silenced=marked)
    last = text(Report((unreadable, skipped, silenced))).splitlines()[-1]
    errors = len(unreadable.findings)
    assert last.endswith(
        "2 files checked, 1 unreadable, 1 skipped (no model) (2 silenced by comments)"
    )
    assert last.startswith(f"{errors} error")


@pytest.mark.parametrize(
    ("severity", "threshold", "fails"),
    [
        ("error", "error", True),
        ("warning", "error", False),
        ("warning", "warning", True),
        ("info", "warning", False),
        ("info", "info", True),
    ],
)
def test_threshold(severity: str, threshold: str, fails: bool) -> None:
    finding = Finding("UP007", "n", severity, "a", None, "", "m")  # type: ignore[arg-type]
    report = Report((FileReport("a", "caffe", "ok", "", (finding,)),))
    assert report.fails(threshold) is fails  # type: ignore[arg-type]


@pytest.mark.parametrize("name", FORMATS)
def test_half_characters_break_no_format(name: str) -> None:
    """A file name that is no UTF-8, and names in a file with halves of pairs."""
    shown = FORMATS[name](awkward())
    shown.encode("utf-8")
    if name in ("json", "sarif", "gitlab"):
        json.dumps(json.loads(shown), ensure_ascii=False).encode("utf-8")
    if name == "sarif":
        assert "models/b%E9.prototxt" in shown
