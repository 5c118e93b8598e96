"""SARIF 2.1.0, for code scanning pages and editors.

Lines and columns count from 1, columns in code points, as in every report. What could not be read,
and a rule that failed, is both a result and a notification of a run that was not successful.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from upconv.converters.ir.installed import installed_version
from upconv.linter.finding import FileReport, Finding, Report, Severity, Silenced, Silencer
from upconv.linter.page import DOCUMENTATION, FAMILIES, rule_page, rule_url
from upconv.linter.reports.paths import file_uri, is_absolute, relative_uri, repository_path
from upconv.linter.reports.wording import hides_unreadable, json_text, told_with_help

if TYPE_CHECKING:
    from upconv.linter.rule import Rule

SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
BASE: Final = "SRCROOT"

_LEVELS: Final[dict[Severity, str]] = {"error": "error", "warning": "warning", "info": "note"}
_PROBLEMS: Final[dict[Severity, str]] = {
    "error": "error",
    "warning": "warning",
    "info": "recommendation",
}
"""What GitHub calls a severity, in the property `problem.severity`."""

_SUPPRESSION: Final[dict[Silencer, str]] = {
    "comment": "inSource",
    "configuration": "external",
    "baseline": "external",
}
_SILENCED_BY: Final[dict[Silencer, str]] = {
    "comment": "a comment that gives no reason",
    "configuration": "an ignore of the configuration",
    "baseline": "known to the baseline",
}
"""The justification where nobody wrote one."""

_UNSUCCESSFUL: Final = {"UP001": "unreadable", "UP006": "rule-crashed"}
"""Codes that mean a check was not complete -> the notification's descriptor."""


def sarif(report: Report) -> str:
    """The whole report as one SARIF log with one run."""
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [_run(report)]}
    return json_text(log)


def _run(report: Report) -> dict[str, Any]:
    silenced = report.silenced if report.shows_silenced else ()
    everything = (*report.findings, *(one.finding for one in silenced))
    scribe = _Scribe(report.prefix, _rule_numbers(everything))
    return {
        "tool": {"driver": _driver(scribe.rules)},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {BASE: {"description": {"text": "The repository's root."}}},
        "invocations": [_invocation(report, scribe)],
        "artifacts": _artifacts(report.files, scribe),
        "results": [
            *(scribe.result(finding) for finding in report.findings),
            *(scribe.silenced(one) for one in silenced),
        ],
    }


def _rule_numbers(findings: Iterable[Finding]) -> dict[str, Rule | Finding]:
    """Code -> its rule, by code; where no such rule is loaded, a finding that speaks for it."""
    from upconv.linter.rules import RULES  # not above: the table of formats must be cheap to import

    found: dict[str, Rule | Finding] = {finding.code: finding for finding in findings}
    return dict(sorted((found | RULES).items()))


def _driver(rules: Mapping[str, Rule | Finding]) -> dict[str, Any]:
    return {
        "name": "upconv",
        "semanticVersion": installed_version(),
        "informationUri": DOCUMENTATION,
        "rules": [_descriptor(entry) for entry in rules.values()],
        "notifications": [{"id": name} for name in _UNSUCCESSFUL.values()],
    }


def _descriptor(entry: Rule | Finding) -> dict[str, Any]:
    family = FAMILIES.get(entry.code[:3])
    known = {
        "id": entry.code,
        "name": entry.name,
        "defaultConfiguration": {"level": _LEVELS[entry.severity]},
        "properties": {
            "tags": [family.tag if family else "plugin"],
            "problem.severity": _PROBLEMS[entry.severity],
        },
    }
    return known if isinstance(entry, Finding) else known | _page(entry)


@cache
def _page(rule: Rule) -> dict[str, Any]:
    """What a rule says of itself, which is half of the time that a small report takes."""
    url = rule_url(rule)
    return {
        **({"helpUri": url} if url else {}),
        "shortDescription": {"text": rule.summary},
        "fullDescription": {"text": " ".join(rule.sections["What it finds"].split())},
        "help": {"text": rule.page, "markdown": rule_page(rule)},
    }


def _invocation(report: Report, scribe: _Scribe) -> dict[str, Any]:
    notes = [scribe.notification(f) for f in report.findings if f.code in _UNSUCCESSFUL]
    notes += [scribe.unreadable(file) for file in report.files if hides_unreadable(file)]
    return {"executionSuccessful": not notes, "toolExecutionNotifications": notes}


def _artifacts(files: Iterable[FileReport], scribe: _Scribe) -> list[dict[str, Any]]:
    """The checked files, each once, as SARIF asks. An encoding is for reading regions, so only a
    file with a place has one: a cached report keeps no text of a file without."""
    checked = {file.path: file for file in files if file.status != "skipped"}
    return [
        {
            "location": scribe.artifact(file.path),
            "roles": ["analysisTarget"],
            **({"encoding": "utf-8"} if _has_regions(file) else {}),
        }
        for file in checked.values()
    ]


def _has_regions(file: FileReport) -> bool:
    return file.source is not None and any(finding.place for finding in file.findings)


@dataclass(frozen=True, slots=True)
class _Scribe:
    """Writes findings, given the way to the repository's root and the rules of the run."""

    prefix: str
    rules: Mapping[str, Rule | Finding]

    def result(self, finding: Finding) -> dict[str, Any]:
        record = {
            "ruleId": finding.code,
            "ruleIndex": self._index(finding.code),
            "level": _LEVELS[finding.severity],
            "message": {"text": told_with_help(finding)},
            "locations": [self._location(finding)],
            # Not under GitHub's own key "primaryLocationLineHash": its upload action computes
            # that one, and warns of every finding where ours differs.
            "partialFingerprints": {"upconv/v1": finding.fingerprint},
        }
        fixes = self._fixes(finding)
        return record | ({"fixes": fixes} if fixes else {})

    def silenced(self, entry: Silenced) -> dict[str, Any]:
        """A result that viewers may hide."""
        suppression = {"kind": _SUPPRESSION[entry.by], "status": "accepted"}
        reason = entry.reason or _SILENCED_BY[entry.by]
        return self.result(entry.finding) | {
            "suppressions": [{**suppression, "justification": reason}]
        }

    def notification(self, finding: Finding) -> dict[str, Any]:
        return {
            "level": "error",
            "descriptor": {"id": _UNSUCCESSFUL[finding.code]},
            "associatedRule": {"id": finding.code, "index": self._index(finding.code)},
            "message": {"text": told_with_help(finding)},
            "locations": [self._location(finding)],
        }

    def unreadable(self, file: FileReport) -> dict[str, Any]:
        """A file that cannot be read, where the finding that says so is not reported."""
        return {
            "level": "error",
            "descriptor": {"id": _UNSUCCESSFUL["UP001"]},
            "message": {"text": file.reason},
            "locations": [{"physicalLocation": {"artifactLocation": self.artifact(file.path)}}],
        }

    def artifact(self, path: str) -> dict[str, str]:
        """Where a file is: below the repository's root, or anywhere as an absolute URI."""
        seen = repository_path(path, self.prefix)
        if is_absolute(seen):
            return {"uri": file_uri(seen)}
        return {"uri": relative_uri(seen), "uriBaseId": BASE}

    def _index(self, code: str) -> int:
        return list(self.rules).index(code)

    def _location(self, finding: Finding) -> dict[str, Any]:
        physical: dict[str, Any] = {"artifactLocation": self.artifact(finding.path)}
        if finding.place is not None:
            place = finding.place
            physical["region"] = _region(place.line, place.column, place.end_line, place.end_column)
        location: dict[str, Any] = {"physicalLocation": physical}
        if finding.layer:
            location["logicalLocations"] = [
                {
                    "name": finding.layer,
                    "fullyQualifiedName": f"{finding.path}/{finding.layer}",
                    "kind": "layer",
                }
            ]
        return location

    def _fixes(self, finding: Finding) -> list[dict[str, Any]]:
        """The finding's fix; viewers apply what they are given, so "display" ones stay out."""
        fix = finding.fix
        if fix is None or fix.safety == "display" or not fix.edits:
            return []
        words = {"safe": "Safe fix", "unsafe": "Unsafe fix, which may change results"}
        return [
            {
                "description": {"text": f"{words[fix.safety]}: {finding.help}".removesuffix(": ")},
                "artifactChanges": [
                    {
                        "artifactLocation": self.artifact(finding.path),
                        "replacements": [_replacement(asdict(edit)) for edit in fix.edits],
                    }
                ],
                "properties": {"safety": fix.safety},
            }
        ]


def _replacement(edit: Mapping[str, Any]) -> dict[str, Any]:
    places = (edit[name] for name in ("start_line", "start_column", "end_line", "end_column"))
    return {"deletedRegion": _region(*places), "insertedContent": {"text": edit["text"]}}


def _region(line: int, column: int, end_line: int, end_column: int) -> dict[str, int]:
    """A region; SARIF's endColumn, too, is the column after the last character."""
    return {
        "startLine": line,
        "startColumn": column,
        "endLine": end_line,
        "endColumn": end_column,
    }
