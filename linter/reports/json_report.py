"""JSON for machines, by the schema in `schema/findings.schema.json`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from upconv.linter.finding import FileReport, Finding, Report
from upconv.linter.reports.wording import json_text

SCHEMA_VERSION: Final = 1
SCHEMA_PATH: Final = Path(__file__).parent / "schema" / "findings.schema.json"


def json_report(report: Report) -> str:
    """The whole report as one JSON object."""
    return json_text(report_record(report))


def report_record(report: Report) -> dict[str, Any]:
    """The report as plain dicts and lists."""
    return {
        "schema_version": SCHEMA_VERSION,
        "findings": [finding_record(finding) for finding in report.findings],
        "files": [_file(file) for file in report.files],
        "summary": {
            "files": len(report.files),
            "errors": report.count("error"),
            "warnings": report.count("warning"),
            "infos": report.count("info"),
            "passed_over": dict(report.passed_over),
        },
    }


def finding_record(finding: Finding) -> dict[str, Any]:
    """A finding as plain dicts and lists."""
    place = finding.place
    return {
        "code": finding.code,
        "name": finding.name,
        "severity": finding.severity,
        "path": finding.path,
        "line": place.line if place else None,
        "column": place.column if place else None,
        "end_line": place.end_line if place else None,
        "end_column": place.end_column if place else None,
        "layer": finding.layer,
        "message": finding.message,
        "fingerprint": finding.fingerprint,
        "fix": _fix(finding),
    }


def _fix(finding: Finding) -> dict[str, Any] | None:
    fix = finding.fix
    if fix is None or not fix.edits:
        return None  # edits are of texts; in an ONNX file a fix changes nodes
    return {"safety": fix.safety, "edits": [asdict(edit) for edit in fix.edits]}


def _file(file: FileReport) -> dict[str, Any]:
    return {
        "path": file.path,
        "format": file.format,
        "status": file.status,
        "reason": file.reason,
    }
