"""JUnit XML has no official schema; these are the elements, the attributes and their order that
Jenkins' and Ant's schemas have in common, and that GitLab reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from tests.linter.reports.made import NASTY, awkward, file, finding, report
from tests.linter.rule_cases import check_case
from tests.support import ROOT
from upconv.linter.finding import FileReport, Report, Severity
from upconv.linter.reports.junit import junit

FOLDER = ROOT / "fixtures" / "rules"

# element -> (children it may have, attributes it must have, attributes it may have)
GRAMMAR: Final[dict[str, tuple[set[str], set[str], set[str]]]] = {
    "testsuites": ({"testsuite"}, set(), {"name", "tests", "failures", "errors"}),
    "testsuite": (
        {"testcase"},
        {"name", "tests"},
        {"name", "tests", "failures", "errors", "skipped"},
    ),
    "testcase": (
        {"failure", "error", "system-out"},
        {"name", "classname"},
        {"name", "classname", "file", "line"},
    ),
    "failure": (set(), {"message", "type"}, {"message", "type"}),
    "error": (set(), {"message", "type"}, {"message", "type"}),
    "system-out": (set(), set(), set()),
}


def parsed(checked: Report) -> Element:
    """The report as a parser sees it, after a look at its structure and its counts."""
    root = ElementTree.fromstring(junit(checked).encode("utf-8"))
    assert root.tag == "testsuites"
    for element in root.iter():
        children, needed, allowed = GRAMMAR[element.tag]
        assert {child.tag for child in element} <= children
        assert needed <= set(element.attrib) <= allowed
    for holder in (root, *root):
        cases = list(holder.iter("testcase"))
        assert int(holder.get("tests", "-1")) == len(cases)
        assert int(holder.get("failures", "-1")) == len(list(holder.iter("failure")))
        assert int(holder.get("errors", "-1")) == len(list(holder.iter("error")))
        assert all(len(case) <= 1 for case in cases)
    return root


@pytest.mark.parametrize("code", sorted(path.name for path in FOLDER.iterdir()))
def test_every_rule(code: str, tmp_path: Path) -> None:
    checked = Report(tuple(check_case(FOLDER / code, which, tmp_path) for which in ("bad", "good")))
    root = parsed(checked)
    assert len(root) == 2
    assert [len(suite) for suite in root] == [max(len(f.findings), 1) for f in checked.files]


def test_what_xml_cannot_hold_is_replaced_and_the_rest_is_kept() -> None:
    root = parsed(report(finding(message=NASTY, help="")))
    (failure,) = root.iter("failure")
    words = failure.text or ""
    assert "\ufffd[31m 50% of <b> & \"q\", 'x': a\n::set-output name=a::b\n\ufffd\ufffd" in words


def test_names_are_unique_and_free_of_lines() -> None:
    root = parsed(report(finding(), finding(), finding("UP205")))
    names = [case.get("name") for case in root.iter("testcase")]
    face = "layer '\N{GRINNING FACE}é'"
    assert names == [
        f"UP202 bilinear-pad {face}",
        f"UP202 bilinear-pad {face} (2)",
        f"UP205 bilinear-pad {face}",
    ]


@pytest.mark.parametrize(
    ("severity", "fail_on", "tag"),
    [
        ("error", "error", "failure"),
        ("warning", "error", "system-out"),
        ("warning", "warning", "failure"),
        ("info", "warning", "system-out"),
        ("info", "info", "failure"),
    ],
)
def test_verdict_is_that_of_the_exit_code(severity: str, fail_on: Severity, tag: str) -> None:
    checked = replace(report(finding(severity=severity)), fail_on=fail_on)
    root = parsed(checked)
    assert [child.tag for case in root.iter("testcase") for child in case] == [tag]
    assert (root.get("failures") != "0") is checked.fails()


def test_files_without_findings_pass_and_skipped_ones_are_no_tests() -> None:
    root = parsed(awkward())
    suites = {suite.get("name"): suite for suite in root}
    assert "models/solver.prototxt" not in suites
    (case,) = suites["models/clean.prototxt"]
    assert (case.get("name"), len(case)) == ("no findings", 0)
    (case,) = suites["models/b\ufffd.prototxt"]
    assert [child.tag for child in case] == ["error"]


def test_unreadable_file_whose_finding_is_ignored_does_not_pass() -> None:
    root = parsed(Report((FileReport("a", "", "unreadable", "cut short"),)))
    (error,) = root.iter("error")
    assert error.get("message") == "cut short"


def test_place_is_said() -> None:
    (case,) = parsed(Report((file(finding()),), "models/")).iter("testcase")
    assert (case.get("file"), case.get("line")) == ("models/a.prototxt", "2")
    assert (case[0].text or "").startswith("a.prototxt:2:14: error UP202: layer ")
