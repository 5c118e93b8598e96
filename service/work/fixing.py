"""The fix options of a check: apply, or show as a diff."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from upconv.converters.ir.origin import Source
    from upconv.linter.finding import FileReport
    from upconv.linter.fixing.fix import Fixed
    from upconv.linter.running.baseline import Baseline
    from upconv.service.work.check_request import CheckedFile, CheckRequest, Settings


def fix_files(
    files: Sequence[CheckedFile],
    request: CheckRequest,
    settings: Settings,
    known: Baseline | None,
) -> list[FileReport]:
    """Fix what can be fixed, each file whole or not at all; returns what is left to report.

    With --diff nothing is written, and nothing counts as mended. Standard input goes to standard
    output, fixed or not. Raises UpconvError and OSError.
    """
    done = [_fixed(file, request, settings, known) for file in files]
    counts = [one.count for one in done if one is not None and one.count]
    _say(sum(counts), len(counts), "can be fixed" if request.diff else "fixed")
    if request.diff:
        return [file.report for file in files]
    left = [one.report if one else file.report for one, file in zip(done, files, strict=True)]
    _say_left(left)
    return left


def _fixed(
    file: CheckedFile, request: CheckRequest, settings: Settings, known: Baseline | None
) -> Fixed | None:
    """One file, fixed and written or shown; None where there is nothing to fix."""
    from upconv.linter.fixing.fix import fix_text, read_text, unified_diff
    from upconv.linter.running.engine import check_source
    from upconv.linter.running.files import write_whole

    fixes = [finding.fix for finding in file.report.findings]
    if not file.text and not any(fix and fix.safety in request.levels for fix in fixes):
        return None
    text = file.text or read_text(file.path)
    options = settings.options_of(Path(file.path))

    def recheck(source: Source) -> FileReport:
        again = check_source(source, options)
        return known.split(again)[0] if known else again

    fixed = fix_text(text, file.report, request.levels, recheck)
    if request.diff:
        diff = unified_diff(text.source, fixed.text.source, file.report.path)
        click.echo(diff, nl=False, color=True)
    elif file.text:
        sys.stdout.buffer.write(fixed.text.encoded())
    elif fixed.count:
        write_whole(file.path, fixed.text.encoded())
    return fixed


def _say(count: int, files: int, what: str) -> None:
    if count:
        plural = "" if count == 1 else "s"
        where = "" if files == 1 else f" in {files} files"
        click.echo(f"{count} finding{plural}{where} {what}", err=True)


def _say_left(reports: Sequence[FileReport]) -> None:
    """How many more --unsafe-fixes would mend."""
    fixes = [finding.fix for report in reports for finding in report.findings]
    more = sum(fix is not None and fix.safety == "unsafe" for fix in fixes)
    if more:
        click.echo(f"{more} more can be fixed with --unsafe-fixes, which change numbers", err=True)
