"""One line a finding: `path:line:column: severity CODE [name] layer: message`."""

from __future__ import annotations

from upconv.linter.finding import Finding, Report
from upconv.linter.reports.wording import one_line, told


def concise(report: Report) -> str:
    """Every finding on a line of its own, without a summary; "" where there is none."""
    return "".join(f"{_line(finding)}\n" for finding in report.findings)


def _line(finding: Finding) -> str:
    place = f":{finding.place.line}:{finding.place.column}" if finding.place else ""
    head = f"{finding.path}{place}: {finding.severity} {finding.code} [{finding.name}]"
    return one_line(f"{head} {told(finding)}")
