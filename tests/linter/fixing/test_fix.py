"""Fixes: what they make of each rule's bad fixture, and how files are written."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.linter.rule_cases import case_options
from tests.support import ROOT, Golden
from upconv.converters.ir.errors import UpconvError
from upconv.converters.ir.files import write_whole
from upconv.converters.ir.origin import Source
from upconv.linter.finding import FileReport, Finding, Fix, Safety
from upconv.linter.fixing.edits import add_field, replace_text
from upconv.linter.fixing.fix import Fixed, apply_fixes, decoded, fix_text, unified_diff
from upconv.linter.running.engine import CheckOptions, check_source

FOLDER = ROOT / "fixtures" / "rules"
ALL: tuple[Safety, ...] = ("safe", "unsafe")
SAFE: tuple[Safety, ...] = ("safe",)
FIXABLE = sorted(path.parent.name for path in FOLDER.glob("*/fixed.prototxt"))
CODES = sorted(path.parent.name for path in FOLDER.glob("*/bad.prototxt"))


def fixed(path: Path | str, text: str, options: CheckOptions, levels: tuple[Safety, ...]) -> Fixed:
    source = Source(str(path), text)
    return fix_text(
        decoded(str(path), text.encode()),
        check_source(source, options),
        levels,
        lambda source: check_source(source, options),
    )


def fixed_for(code: str, text: str, scratch: Path) -> Fixed:
    """The bad fixture's text with the fixes of one rule; others run, and are not heard."""
    path = FOLDER / code / "bad.prototxt"
    options = case_options(path.parent, "bad", scratch)

    def check(source: Source) -> FileReport:
        report = check_source(source, options)
        return replace(report, findings=tuple(f for f in report.findings if f.code == code))

    decoded_text = decoded(str(path), text.encode())
    return fix_text(decoded_text, check(decoded_text.source), ALL, check)


def left_to_fix(report: FileReport) -> list[Finding]:
    return [f for f in report.findings if f.fix is not None and f.fix.safety != "display"]


@pytest.mark.golden
@pytest.mark.parametrize("code", CODES)
def test_fixed_fixture(code: str, tmp_path: Path, golden: Golden) -> None:
    """A rule with a fix has a fixed.prototxt, and only such a rule."""
    folder = FOLDER / code
    text = (folder / "bad.prototxt").read_text("utf-8")
    result = fixed_for(code, text, tmp_path)
    if not result.count:
        assert not (folder / "fixed.prototxt").exists()
        return
    golden(folder / "fixed.prototxt", result.text.source.text)
    assert left_to_fix(result.report) == []


@pytest.mark.parametrize("code", FIXABLE)
def test_fixed_file_is_clean_and_stays_as_it_is(code: str, tmp_path: Path) -> None:
    """What is still found has no fix, or one that is only shown."""
    text = (FOLDER / code / "fixed.prototxt").read_text("utf-8")
    before = fixed_for(code, (FOLDER / code / "bad.prototxt").read_text("utf-8"), tmp_path)
    again = fixed_for(code, text, tmp_path)
    assert (again.count, again.text.source.text) == (0, text)
    assert left_to_fix(again.report) == []
    assert before.count > 0


UP = """\
name: "n"  # a net
layer { name: "data" type: "Input" top: "data" input_param {
    shape { dim: 1 dim: 4 dim: 8 dim: 8 } } }
layer {
  name: "up" # it enlarges
  type: "Deconvolution" bottom: "data" top: "up"
  param { lr_mult: 0 }
  convolution_param {
    num_output: 4 group: 4
    kernel_size: 4 stride: 2   # no pad yet
    weight_filler { type: "bilinear" }
  }
}
"""


def test_comments_and_formatting_stay() -> None:
    result = fixed("n.prototxt", UP, CheckOptions(), ALL)
    assert result.text.source.text == UP.replace(
        "    kernel_size: 4 stride: 2   # no pad yet\n",
        "    kernel_size: 4 stride: 2 pad: 1   # no pad yet\n",
    ).replace("num_output: 4 group: 4\n", "num_output: 4 group: 4 bias_term: false\n")


def test_safe_fixes_leave_unsafe_ones_alone() -> None:
    text = UP.replace("num_output", "num_ouput")
    result = fixed("n.prototxt", text, CheckOptions(), SAFE)
    assert result.text.source.text == UP
    assert {f.code for f in left_to_fix(result.report)} == {"UP202", "UP205"}


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_added_lines_end_as_the_others_do(newline: str) -> None:
    text = UP.replace(" stride: 2", "\n    stride: 2").replace("\n", newline)
    result = fixed("n.prototxt", text, CheckOptions(select=("UP202",)), ALL).text.source.text
    assert f"stride: 2   # no pad yet{newline}    pad: 1{newline}" in result
    assert result.count("\r") == (result.count("\n") if newline == "\r\n" else 0)


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + UP.encode(),
        UP.replace("a net", "réseau").encode("utf-8"),
        UP.replace("a net", "réseau").encode("latin-1"),
        UP.rstrip("\n").encode(),
    ],
    ids=["BOM", "UTF-8", "Latin-1", "no final newline"],
)
def test_bytes_that_are_not_fixed_stay(data: bytes) -> None:
    text = decoded("n.prototxt", data)
    assert text.encoded() == data
    report = check_source(text.source, CheckOptions(select=("UP202",)))
    result = fix_text(text, report, ALL, lambda s: check_source(s, CheckOptions(select=("UP202",))))
    assert result.text.encoded() == data.replace(b"stride: 2", b"stride: 2 pad: 1")


def finding(source: Source, *edits: tuple[int, int, str], safety: Safety = "safe") -> Finding:
    fix = Fix(safety, tuple(replace_text(source, *edit) for edit in edits))
    return Finding("UP999", "made-up", "error", source.path, None, "", "wrong", "", fix)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([(0, 1, "A")], [(2, 3, "C")], "AbC"),
        ([(0, 2, "X")], [(1, 3, "Y")], "Xc"),
        ([(1, 1, "-")], [(1, 1, "+")], "a-bc"),
        ([(0, 1, "A"), (2, 3, "C")], [(2, 3, "D")], "AbC"),
        ([(2, 3, "C")], [(0, 1, "A")], "AbC"),
    ],
)
def test_overlapping_fixes_wait(
    first: list[tuple[int, int, str]], second: list[tuple[int, int, str]], expected: str
) -> None:
    source = Source("a", "abc")
    findings = [finding(source, *first), finding(source, *second)]
    assert apply_fixes(source, findings, SAFE)[0] == expected


def test_only_the_levels_asked_for() -> None:
    source = Source("a", "abc")
    levels: tuple[Safety, ...] = ("unsafe", "display")
    findings = [finding(source, (0, 1, "X"), safety=level) for level in levels]
    assert apply_fixes(source, findings, SAFE) == ("abc", [])
    assert apply_fixes(source, findings[1:], ALL) == ("abc", [])
    assert apply_fixes(source, findings, ALL)[0] == "Xbc"


def test_fixes_without_an_end_are_our_defect_and_change_nothing() -> None:
    text = decoded("a", b"abc")

    def again(source: Source) -> FileReport:
        return FileReport("a", "caffe", "ok", "", (finding(source, (0, 0, "x")),))

    with pytest.raises(UpconvError, match="do not come to an end"):
        fix_text(text, again(text.source), SAFE, again)


def test_fix_that_breaks_the_file_is_refused() -> None:
    text = decoded("a", b"abc")
    report = FileReport("a", "caffe", "ok", "", (finding(text.source, (0, 1, "{")),))
    broken = FileReport("a", "", "unreadable", "a block")
    with pytest.raises(UpconvError, match="the fixes of UP999 made it unreadable: a block"):
        fix_text(text, report, SAFE, lambda source: broken)


def test_what_can_be_read_of_a_broken_file_is_fixed() -> None:
    text = UP.replace("group: 4", "grup: 4 group: 4 bias_term: no")
    result = fixed("n.prototxt", text, CheckOptions(), SAFE)
    assert result.text.source.text == text
    half = UP.replace("num_output: 4 ", "num_ouput: 4 ") + "layer { name: 'x' type: }\n"
    result = fixed("n.prototxt", half, CheckOptions(), SAFE)
    assert "num_output: 4 " in result.text.source.text
    assert result.text.source.text.endswith("layer { name: 'x' type: }\n")
    assert result.report.status == "unreadable"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("a {}", (), "a { x: 1}"),
        ("a { b: 1 }", ("b",), "a { b: 1 x: 1 }"),
        ("a { b: 1, c: 2 }", ("b",), "a { b: 1 x: 1, c: 2 }"),
        ("a {\n\tb: 1 # one\n}", (), "a {\n\tb: 1 # one\n\tx: 1\n}"),
        ("a {\n  b: 1;\n  c: 2\n}", ("b",), "a {\n  b: 1;\n  x: 1\n  c: 2\n}"),
        ("a {\n  b: 1 }", (), "a {\n  b: 1 x: 1 }"),
        ("a {\n  b {\n  }\n}", (), "a {\n  b {\n  }\n  x: 1\n}"),
        ("a {\r\n  b: 1\r\n}", (), "a {\r\n  b: 1\r\n  x: 1\r\n}"),
    ],
)
def test_added_field(before: str, after: tuple[str, ...], expected: str) -> None:
    from upconv.converters.readers.files.prototxt import parse

    source = Source("a", before)
    block = parse(source).root.messages("a")[0]
    edit = add_field(block, "x: 1", after)
    made = Finding("UP999", "made-up", "error", "a", None, "", "", "", Fix("safe", (edit,)))
    text, _ = apply_fixes(source, [made], SAFE)
    assert text == expected
    assert parse(Source("a", text)).errors == []


def test_mode_and_links_stay(tmp_path: Path) -> None:
    target = tmp_path / "net.prototxt"
    target.write_bytes(b"old")
    target.chmod(0o640)
    link = tmp_path / "link.prototxt"
    link.symlink_to(target)
    write_whole(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o640
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link.prototxt", "net.prototxt"]


def test_failed_write_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "net.prototxt"
    target.write_bytes(b"old")

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(target, b"new")
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["net.prototxt"]


def test_diff_says_where_no_newline_is() -> None:
    shown = unified_diff(Source("a", "x\r\ny"), Source("a", "x\r\nz"), "n/a.prototxt")
    assert shown == (
        "--- a/n/a.prototxt\n+++ b/n/a.prototxt\n@@ -1,2 +1,2 @@\n x\r\n"
        "-y\n\\ No newline at end of file\n+z\n\\ No newline at end of file\n"
    )
    assert unified_diff(Source("a", "x"), Source("a", "x"), "a") == ""
