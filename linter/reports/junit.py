"""JUnit XML: a suite for every file, a test case for every finding.

A finding at or above `fail_on` is a failure, one that says a file could not be checked an error,
and a milder one a test that passed and has something to say: the verdict is that of the exit code.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from upconv.linter.finding import FileReport, Finding, Report, Severity, at_least
from upconv.linter.reports.paths import repository_path
from upconv.linter.reports.wording import hides_unreadable, told_with_help

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_FORBIDDEN: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, not even escaped (its production 2, Char)."""

_UNCHECKED: Final = frozenset({"UP001", "UP006"})


def junit(report: Report) -> str:
    """One <testsuites> with a <testsuite> for every file that was checked."""
    from xml.etree import ElementTree

    suites = ElementTree.Element("testsuites", {"name": "upconv"})
    for file in report.files:
        if file.status != "skipped":
            suites.append(_suite(file, report))
    for name in _COUNTS:
        suites.set(name, str(sum(int(suite.get(name, "0")) for suite in suites)))
    ElementTree.indent(suites)
    body = ElementTree.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


_COUNTS: Final = {"tests": "testcase", "failures": "failure", "errors": "error"}
"""Attribute of a suite -> the elements in it that it counts."""


def _suite(file: FileReport, report: Report) -> Element:
    from xml.etree.ElementTree import Element, SubElement

    path = _clean(repository_path(file.path, report.prefix))
    suite = Element("testsuite", {"name": path})
    for name, finding in _named(file.findings):
        case = SubElement(suite, "testcase", {"name": name, "classname": path, "file": path})
        _describe(case, finding, report.fail_on)
    if hides_unreadable(file):
        case = SubElement(suite, "testcase", {"name": "read", "classname": path, "file": path})
        SubElement(case, "error", {"message": _clean(file.reason), "type": "error"})
    elif not file.findings:
        SubElement(suite, "testcase", {"name": "no findings", "classname": path, "file": path})
    for name, tag in _COUNTS.items():
        suite.set(name, str(len(list(suite.iter(tag)))))
    suite.set("skipped", "0")
    return suite


def _named(findings: tuple[Finding, ...]) -> Iterator[tuple[str, Finding]]:
    """Findings with names that are unique in the file and free of line numbers.

    A CI system follows a test through its history by this name.
    """
    seen: Counter[str] = Counter()
    for finding in findings:
        layer = f" layer '{finding.layer}'" if finding.layer else ""
        name = _clean(f"{finding.code} {finding.name}{layer}")
        seen[name] += 1
        yield (name if seen[name] == 1 else f"{name} ({seen[name]})"), finding


def _describe(case: Element, finding: Finding, threshold: Severity) -> None:
    """Put what a finding says into its test case."""
    from xml.etree.ElementTree import SubElement

    place = finding.place
    if place is not None:
        case.set("line", str(place.line))
    where = f"{finding.path}:{place.line}:{place.column}" if place else finding.path
    words = _clean(f"{where}: {finding.severity} {finding.code}: {told_with_help(finding)}")
    if not at_least(finding.severity, threshold):
        SubElement(case, "system-out").text = words
        return
    tag = "error" if finding.code in _UNCHECKED else "failure"
    attributes = {"message": _clean(finding.message), "type": finding.severity}
    SubElement(case, tag, attributes).text = words


def _clean(words: str) -> str:
    """Words with the replacement character for what XML cannot hold."""
    return _FORBIDDEN.sub("\ufffd", words)
