"""GitHub workflow commands, which become annotations of the changed lines.

GitHub shows the first ten errors and the first ten warnings of a step, so the worst come first,
and the text report is printed as well. Escaping follows actions/toolkit, core/src/command.ts.
"""

from __future__ import annotations

from typing import Final

from upconv.linter.finding import SEVERITIES, Finding, Report, Severity
from upconv.linter.reports.paths import repository_path
from upconv.linter.reports.text import text
from upconv.linter.reports.wording import told_with_help, writable

_COMMANDS: Final[dict[Severity, str]] = {"error": "error", "warning": "warning", "info": "notice"}
_DATA: Final = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY: Final = _DATA | str.maketrans({":": "%3A", ",": "%2C"})


def github(report: Report) -> str:
    """The text report, then a workflow command for every finding, the worst first."""
    ordered = sorted(report.findings, key=lambda entry: SEVERITIES.index(entry.severity))
    commands = "".join(f"{_command(finding, report.prefix)}\n" for finding in ordered)
    return _guarded(writable(text(report))) + writable(commands)


def _guarded(shown: str) -> str:
    """Text in which the runner obeys no command: a layer's name may hold anything.

    The word that ends the guard is the text's own hash, which no text can contain.
    """
    from hashlib import sha256

    word = f"upconv-{sha256(shown.encode('utf-8')).hexdigest()[:32]}"
    return f"::stop-commands::{word}\n{shown}::{word}::\n"


def _command(finding: Finding, prefix: str) -> str:
    properties = {"file": repository_path(finding.path, prefix), **_place(finding)}
    properties["title"] = f"{finding.code} {finding.name}"
    written = ",".join(f"{key}={value.translate(_PROPERTY)}" for key, value in properties.items())
    message = told_with_help(finding).translate(_DATA)
    return f"::{_COMMANDS[finding.severity]} {written}::{message}"


def _place(finding: Finding) -> dict[str, str]:
    """Lines, and columns where start and end are on one line: GitHub takes no others."""
    place = finding.place
    if place is None:
        return {}
    lines = {"line": str(place.line), "endLine": str(place.end_line)}
    if place.line != place.end_line:
        return lines
    return lines | {"col": str(place.column), "endColumn": str(place.end_column)}
