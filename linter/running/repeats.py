"""A remark that repeats net after net, told once in a run with the number of files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from upconv.linter.finding import FileReport, Finding
from upconv.linter.rules import RULES

MANY: Final = 3
"""Files that say the same, from which on it is told once."""

_COUNT: Final = re.compile(r" \(and \d+ more, [^()]*\)$")
"""What tells how often a file has it (`fold.py`), which differs from net to net."""

_OWN: Final = re.compile(r"'[^']*'|\d+")
"""Names and numbers, which each net has its own of."""

_RUNS_CODE: Final = ("UP008", "warning")


def told_once(reports: Sequence[FileReport]) -> list[FileReport]:
    """The reports with each remark that many files have kept in the first of them only: the same
    words, or of a rule that folds the same first clause, whatever numbers and names it has.

    Infos are remarks on what a file is: what forty nets of one fork share is no forty things to
    do; the warning that a net of Caffe runs Python is another. Warnings and errors stay where they
    are otherwise, each of which somebody has to mend.
    """
    having: dict[tuple[str, str], list[str]] = {}
    for path, key in _remarks(reports):
        having.setdefault(key, []).append(path)
    files = {key: list(dict.fromkeys(paths)) for key, paths in having.items()}
    many = {key: paths for key, paths in files.items() if len(paths) >= MANY}
    return [_of_file(report, many) for report in reports] if many else list(reports)


def _remarks(reports: Iterable[FileReport]) -> Iterable[tuple[str, tuple[str, str]]]:
    for report in reports:
        for finding in report.findings:
            if _is_remark(report, finding):
                yield report.path, _key(finding)


def _is_remark(report: FileReport, finding: Finding) -> bool:
    return finding.severity == "info" or (
        report.format == "caffe" and (finding.code, finding.severity) == _RUNS_CODE
    )


def _key(finding: Finding) -> tuple[str, str]:
    words, rule = _COUNT.sub("", finding.message), RULES.get(finding.code)
    if rule is None or not rule.folds:
        return finding.code, words
    return finding.code, _OWN.sub("", words.partition(": ")[0])


def _of_file(report: FileReport, many: dict[tuple[str, str], list[str]]) -> FileReport:
    kept = []
    for finding in report.findings:
        paths = many.get(_key(finding), []) if _is_remark(report, finding) else []
        if not paths:
            kept.append(finding)
        elif paths[0] == report.path:
            more = f"; the like in {len(paths) - 1} more files, first {paths[1]}"
            kept.append(replace(finding, message=finding.message + more))
    return replace(report, findings=tuple(kept))
