"""GitLab code quality reports: a list of findings, by the schema in `schema/gitlab.schema.json`.

GitLab compares the reports of two branches by fingerprint alone, so it must not hold a line
number, and must be unique, or the second of two findings disappears.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from upconv.linter.finding import Finding, Report, Severity
from upconv.linter.reports.paths import repository_path
from upconv.linter.reports.wording import json_text, told

SCHEMA_PATH: Final = Path(__file__).parent / "schema" / "gitlab.schema.json"

_SEVERITIES: Final[dict[Severity, str]] = {"error": "critical", "warning": "major", "info": "info"}


def gitlab(report: Report) -> str:
    """Every finding as one entry of a JSON list."""
    return json_text([_entry(finding, report.prefix) for finding in report.findings])


def _entry(finding: Finding, prefix: str) -> dict[str, Any]:
    help_ = f" ({finding.help})" if finding.help else ""
    place = finding.place
    return {
        "description": f"{finding.name}: {told(finding)}{help_}",
        "check_name": finding.code,
        "fingerprint": finding.fingerprint,
        "severity": _SEVERITIES[finding.severity],
        "location": {
            "path": repository_path(finding.path, prefix),
            # A binary file has no lines, but GitLab drops entries without one.
            "lines": {"begin": place.line if place else 1, "end": place.end_line if place else 1},
        },
    }
