"""The ignores of a check: comments with a reason, written above what was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from upconv.converters.ir.errors import UsageError
from upconv.converters.ir.records import record
from upconv.service.work.check_request import STDIN

if TYPE_CHECKING:
    from upconv.converters.ir.origin import Source
    from upconv.linter.finding import FileReport
    from upconv.linter.running.baseline import Baseline
    from upconv.service.work.check_request import CheckedFile, CheckRequest, Settings


@record(frozen=True, slots=True)
class Ignores:
    """What was silenced. `reports` are what is left to tell, file by file.

    `count` findings in `files` files got a comment; `refused` are the files whose findings, or some
    of them, could not be silenced so, each with the reason.
    """

    reports: tuple[FileReport, ...]
    count: int = 0
    files: int = 0
    refused: tuple[tuple[str, str], ...] = ()


def require_reason(request: CheckRequest) -> None:
    """Raise UsageError where no comment could be written as it is asked for."""
    reason = request.add_ignore
    if reason is None:
        return
    if not reason.strip() or not reason.isprintable():
        raise UsageError(
            "--add-ignore: the reason is to be one line", hint='as in "the paper has it"'
        )
    if request.levels:
        raise UsageError("--add-ignore and fixes both edit the files", hint="one after the other")
    if STDIN in request.paths:
        raise UsageError("--add-ignore writes files, and standard input is none")


def add_ignores(
    files: Sequence[CheckedFile], request: CheckRequest, settings: Settings, known: Baseline | None
) -> Ignores:
    """Silence what was found, each file whole or not at all. Raises OSError."""
    done = [_ignored(file, request, settings, known) for file in files]
    counts = [count for _, count, _ in done if count]
    refused = tuple((report.path, why) for report, _, why in done if why)
    return Ignores(tuple(report for report, _, _ in done), sum(counts), len(counts), refused)


def _ignored(
    file: CheckedFile, request: CheckRequest, settings: Settings, known: Baseline | None
) -> tuple[FileReport, int, str]:
    """What is left to tell of a file, how many findings were silenced, and why others were not."""
    from upconv.converters.ir.files import write_whole
    from upconv.linter.fixing.fix import read_text
    from upconv.linter.fixing.ignore_comments import NOT_SILENCED, add_comments
    from upconv.linter.running.engine import check_source

    if all(finding.code in NOT_SILENCED for finding in file.report.findings):
        return file.report, 0, ""
    if file.report.source is None or not file.fixable:
        return file.report, 0, "its format has no comments"
    text = read_text(file.path)
    options = settings.options_of(Path(file.path))

    def recheck(source: Source, folds: bool = False) -> FileReport:
        again = check_source(source, replace(options, folds=folds))
        return known.split(again)[0] if known else again

    done = add_comments(text, recheck(text.source), (request.add_ignore or "").strip(), recheck)
    if not done.count:
        return file.report, 0, done.why
    write_whole(file.path, done.text.encoded())
    return recheck(done.text.source, folds=True), done.count, done.why
