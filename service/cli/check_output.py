"""What a check says: reports on standard output and in files, notes on standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from upconv.linter.finding import FileReport, Report
    from upconv.service.work.check_request import CheckRequest, Settings


def as_report(files: Sequence[FileReport], settings: Settings) -> Report:
    """The report of a run."""
    from upconv.linter.finding import Report

    fail_on = settings.run.fail_on or "error"
    return Report(tuple(files), _prefix(settings.root), fail_on, settings.shows_silenced)


def _prefix(root: Path) -> str:
    """What leads from the repository's root to the configuration's: "" or ending in "/"."""
    for folder in (root, *root.parents):
        if (folder / ".git").exists():
            inner = root.relative_to(folder).as_posix()
            return "" if inner == "." else f"{inner}/"
    return ""


def tell(report: Report, request: CheckRequest, settings: Settings) -> None:
    """Write the reports that were asked for. Raises UsageError and OSError for an --output that
    cannot be written."""
    from upconv.linter.reports import FORMATS

    for name, file in request.targets:
        from upconv.service.cli.output import write_text

        write_text(file, FORMATS[name](report))
    _say_idle_ignores(report, request, settings)
    if request.diff:
        return
    to_error = bool(request.levels) and "-" in request.paths
    format_ = settings.run.format or "text"
    click.echo(_shown(report, format_, request, to_error), nl=False, color=True, err=to_error)


def _shown(report: Report, format_: str, request: CheckRequest, to_error: bool) -> str:
    from upconv.linter.reports import FORMATS
    from upconv.linter.reports.colour import wants_colour
    from upconv.linter.reports.text import text

    if request.statistics:
        return _statistics(report, format_)
    if format_ != "text":
        return FORMATS[format_](report)
    stream = sys.stderr if to_error else sys.stdout
    return text(report, colour=wants_colour(stream, os.environ))


def _statistics(report: Report, format_: str) -> str:
    """Findings per code, most frequent first, and the summary; JSON where that is the format."""
    from collections import Counter

    counts = Counter((f.code, f.name, f.severity) for f in report.findings)
    rows = sorted(counts.items(), key=lambda row: (-row[1], row[0]))
    if format_ == "json":
        import json

        names = ("code", "name", "severity")
        return (
            json.dumps([{**dict(zip(names, row, strict=True)), "count": n} for row, n in rows])
            + "\n"
        )
    from upconv.linter.reports.colour import Paint
    from upconv.linter.reports.text import summary

    lines = [f"{n:6} {code} {severity:7} {name}" for (code, name, severity), n in rows]
    return "\n".join([*lines, *([""] if lines else []), summary(report, Paint())]) + "\n"


def _say_idle_ignores(report: Report, request: CheckRequest, settings: Settings) -> None:
    """Ignores of the configuration that silenced nothing, where everything was looked at."""
    from upconv.linter.settings.overrides import ignore_label

    whole = any(
        settings.root.is_relative_to(os.path.realpath(path)) for path in request.paths or "."
    )
    if not whole or request.select or request.ignore:
        return
    used = {label for file in report.files for label in file.used}
    labels = [
        ignore_label(entry, word) for entry in settings.run.overrides for word in entry.ignore
    ]
    for label in dict.fromkeys(labels):
        if label not in used:
            click.echo(f"{settings.run.path}: {label} silences nothing", err=True)
