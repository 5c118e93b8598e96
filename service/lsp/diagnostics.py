"""Findings as an editor shows them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from lsprotocol import types

from upconv.linter.page import rule_url
from upconv.linter.reports.wording import told_with_help, writable

if TYPE_CHECKING:
    from upconv.linter.finding import Finding, Severity
    from upconv.service.lsp.positions import Lines, Point
    from upconv.service.work.looking import Look

SOURCE: Final = "upconv"

_SEVERITIES: Final[dict[Severity, types.DiagnosticSeverity]] = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
    "info": types.DiagnosticSeverity.Information,
}
_TAGS: Final = {
    "UP005": types.DiagnosticTag.Unnecessary,  # a comment that silences nothing
    "UP007": types.DiagnosticTag.Deprecated,  # an obsolete format
    "UP010": types.DiagnosticTag.Unnecessary,  # what nothing reads
    "UP403": types.DiagnosticTag.Deprecated,  # an operator that is no longer there
    "UP406": types.DiagnosticTag.Deprecated,  # a word that has changed
}
"""Codes that speak of what does nothing, shown faded, or of what has had its day, struck out."""


def diagnostics(look: Look, lines: Lines) -> list[types.Diagnostic]:
    """What is found in a text, in the order of the check."""
    return [_diagnostic(one, look, lines) for one in look.findings]


def _diagnostic(finding: Finding, look: Look, lines: Lines) -> types.Diagnostic:
    from upconv.linter.rules import RULES

    rule = RULES.get(finding.code)
    url = rule_url(rule) if rule else ""
    tag = _TAGS.get(finding.code)
    return types.Diagnostic(
        range_of(finding, look, lines),
        writable(told_with_help(finding)),
        _SEVERITIES[finding.severity],
        finding.code,
        types.CodeDescription(url) if url else None,
        SOURCE,
        [tag] if tag else None,
        data={"fingerprint": finding.fingerprint, "name": finding.name},
    )


def range_of(finding: Finding, look: Look, lines: Lines) -> types.Range:
    """Where a finding is shown; what has no place, at the beginning."""
    source = look.report.source
    if finding.place is None or source is None:
        return as_range((0, 0), (0, 0))
    return as_range(*lines.of_place(finding.place, source))


def as_range(start: Point, end: Point) -> types.Range:
    """Two places as a range."""
    return types.Range(types.Position(*start), types.Position(*end))


def span_range(lines: Lines, start: int, end: int) -> types.Range:
    """The characters start..end."""
    return as_range(lines.point(start), lines.point(end))


def overlapping(look: Look, lines: Lines, where: types.Range) -> Iterator[Finding]:
    """The findings that are shown on a line of a range."""
    for finding in look.findings:
        shown = range_of(finding, look, lines)
        if shown.start.line <= where.end.line and where.start.line <= shown.end.line:
            yield finding
