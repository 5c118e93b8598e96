"""What a check says: reports on standard output and in files, notes on standard error."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

import click

from upconv.converters.ir.errors import UsageError
from upconv.converters.ir.records import record
from upconv.linter.reports import FORMATS
from upconv.linter.reports.wording import one_line

if TYPE_CHECKING:
    from upconv.linter.finding import Report
    from upconv.service.work.baselines import BaselineUse
    from upconv.service.work.check_request import CheckRequest
    from upconv.service.work.checking import CheckResult
    from upconv.service.work.fixing import Fixes
    from upconv.service.work.ignoring import Ignores


@record(frozen=True, slots=True)
class CheckOutput:
    """What the command line asks to be printed, and written as reports."""

    format_: str | None = None
    outputs: tuple[str, ...] = ()
    diff: bool = False
    exit_zero: bool = False
    statistics: bool = False
    verbose: bool = False
    quiet: bool = False
    color: str = "auto"

    @property
    def targets(self) -> list[tuple[str, str]]:
        """(format, file) of each --output; UsageError for one that is no such thing."""
        return [_target(text) for text in self.outputs]


def _target(text: str) -> tuple[str, str]:
    name, separator, file = text.partition(":")
    if not separator or not file or name not in FORMATS:
        known = ", ".join(FORMATS)
        raise UsageError(f"--output {text}: write it as FORMAT:FILE, FORMAT one of {known}")
    return name, file


def tell(result: CheckResult, request: CheckRequest, wanted: CheckOutput) -> int:
    """Say what a check found and did, and write the reports that were asked for; returns the exit
    code. Raises UsageError and OSError for an --output that cannot be written."""
    if result.fixes:
        _tell_fixes(result.fixes, wanted)
    if result.ignores:
        _tell_ignores(result.ignores)
    if result.baseline and not wanted.quiet:
        _tell_baseline(result.baseline)
    if wanted.verbose:
        _tell_files(result)
    _tell_report(result, request, wanted)
    tell_traces(result.report)
    if any(file.crashed for file in result.report.files):
        return 2
    return int(result.report.fails() and not wanted.exit_zero)


def tell_traces(report: Report) -> None:
    """Show where rules of ours failed, to whoever asks with UPCONV_DEBUG."""
    if os.environ.get("UPCONV_DEBUG"):
        for file in report.files:
            for trace in file.traces:
                _say(f"{file.path}:\n{trace}")


def _tell_files(result: CheckResult) -> None:
    """Which configuration holds for the run, and of each file its format and what became of it."""
    _say(f"configuration: {result.config.path or 'none'}; root: {result.config.root}")
    for file in result.report.files:
        what = [file.format, file.status, file.reason, _count(len(file.findings), "finding")]
        _say(f"{one_line(file.path)}: {one_line(', '.join(word for word in what if word))}")


def _tell_fixes(fixes: Fixes, wanted: CheckOutput) -> None:
    for diff in fixes.diffs:
        click.echo(diff, nl=False, color=True)
    if fixes.text is not None:
        sys.stdout.buffer.write(fixes.text)
    if wanted.quiet:
        return
    if fixes.count:
        plural = "" if fixes.count == 1 else "s"
        where = "" if fixes.files == 1 else f" in {fixes.files} files"
        what = "can be fixed" if wanted.diff else "fixed"
        _say(f"{fixes.count} finding{plural}{where} {what}")
    for copy in fixes.copies:
        _say(f"{copy}: a mended copy; --fix --in-place changes the file itself")
    if fixes.more:
        _say(f"{fixes.more} more can be fixed with --fix --unsafe-fixes, which change numbers")


def _tell_ignores(ignores: Ignores) -> None:
    for path, why in ignores.refused:
        _say(f"{path}: not all is ignored: {why} (silence it in the configuration or a baseline)")
    _say(f"{_count(ignores.count, 'finding')} ignored in {_count(ignores.files, 'file')}")


def _tell_baseline(use: BaselineUse) -> None:
    if use.written is not None:
        _say(f"{use.path}: {_count(use.written, 'finding')} written")
    elif use.pruned:
        _say(f"{use.path}: {_count(len(use.stale), 'entry')} found no more, dropped")
    elif use.stale:
        _tell_stale(use)
    if use.held:
        _say(f"{use.path}: {_count(use.held, 'known finding')} not shown")


def _tell_stale(use: BaselineUse) -> None:
    first = min(use.stale, key=lambda key: (use.stale[key]["path"], key))
    entry = use.stale[first]
    layer = f" layer '{entry['layer']}'" if entry["layer"] else ""
    _say(
        f"{use.path}: {_count(len(use.stale), 'entry')} found no more ({entry['path']}: "
        f"{entry['code']}{layer}{', ...' if len(use.stale) > 1 else ''}); "
        "--prune-baseline drops them"
    )


def _count(number: int, noun: str) -> str:
    plural = noun.removesuffix("y") + "ies" if noun.endswith("y") else noun + "s"
    return f"{number} {noun if number == 1 else plural}"


def _say(message: str) -> None:
    click.echo(message, err=True)


def _tell_report(result: CheckResult, request: CheckRequest, wanted: CheckOutput) -> None:

    for name, file in wanted.targets:
        from upconv.service.work.staging import write_text

        write_text(file, FORMATS[name](result.report))
    for label in () if wanted.quiet else result.idle:
        _say(f"{result.config.path}: {label} silences nothing")
    if wanted.diff:
        return
    to_error = bool(request.levels) and "-" in request.paths
    shown = _shown(result, wanted, sys.stderr if to_error else sys.stdout)
    click.echo(shown, nl=False, color=True, err=to_error)


def _shown(result: CheckResult, wanted: CheckOutput, stream: TextIO) -> str:
    from upconv.linter.reports.colour import wants_colour
    from upconv.linter.reports.text import text

    format_ = wanted.format_ or result.config.format or "text"
    if wanted.statistics:
        return _statistics(result.report, format_)
    if format_ != "text":
        return FORMATS[format_](result.report)
    colour = wanted.color == "always" or (
        wanted.color == "auto" and wants_colour(stream, os.environ)
    )
    return text(result.report, colour=colour, quiet=wanted.quiet)


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
    from upconv.linter.reports.text import summary

    lines = [f"{n:6} {code} {severity:7} {name}" for (code, name, severity), n in rows]
    return "\n".join([*lines, *([""] if lines else []), summary(report)]) + "\n"
