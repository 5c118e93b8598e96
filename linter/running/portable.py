"""Reports as JSON and back, for a cache and between machines: data, never code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from upconv.linter.finding import (
    Edit,
    FileReport,
    Finding,
    Fix,
    NodeEdit,
    Place,
    Report,
    Silenced,
)


def reports_json(report: Report) -> str:
    """The reports of all files, and of each whether it has a text, which is not sent along."""
    files = [[report_words(file), file.source is not None] for file in report.files]
    return json.dumps({"files": files})


def reports_from(words: Mapping[str, Any]) -> tuple[tuple[FileReport, bool], ...]:
    """What `reports_json` wrote. Raises ValueError, and as `report_from`."""
    return tuple((report_from(file), text) for file, text in words["files"])


def report_words(report: FileReport) -> dict[str, Any]:
    """A file's report as JSON has it, without the text that it shows."""
    return asdict(replace(report, source=None))


def report_from(record: dict[str, Any]) -> FileReport:
    """The report that `report_words` told of. Raises KeyError, TypeError and AttributeError for
    anything else."""
    findings = tuple(_finding(entry) for entry in record.pop("findings"))
    silenced = tuple(
        Silenced(_finding(entry.pop("finding")), **entry) for entry in record.pop("silenced")
    )
    used = tuple(record.pop("used"))
    traces = tuple(record.pop("traces"))
    return FileReport(findings=findings, silenced=silenced, used=used, traces=traces, **record)


def _finding(record: dict[str, Any]) -> Finding:
    place, fix = record.pop("place"), record.pop("fix")
    return Finding(
        place=Place(**place) if place else None,
        fix=_fix(fix) if fix else None,
        **record,
    )


def _fix(record: dict[str, Any]) -> Fix:
    nodes = (
        NodeEdit(
            edit["output"],
            tuple(edit["dropped"]),
            tuple((name, tuple(numbers)) for name, numbers in edit["written"]),
        )
        for edit in record["nodes"]
    )
    return Fix(record["safety"], tuple(Edit(**edit) for edit in record["edits"]), tuple(nodes))
