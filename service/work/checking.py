"""One `upconv check`: files in, findings told, an exit code out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from upconv.converters.ir.errors import UsageError
from upconv.service.work.check_request import CheckedFile, CheckRequest, Settings

if TYPE_CHECKING:
    from upconv.linter.finding import FileReport
    from upconv.linter.running.baseline import Baseline

__all__ = ["CheckRequest", "check"]


def check(request: CheckRequest) -> int:
    """Do what is asked. Returns 0, 1 or 2 as the command's help says.

    Raises UsageError for a request that cannot be met, and UpconvError or OSError where a file
    cannot be written.
    """
    from upconv.linter.running.plugins import load_plugins
    from upconv.service.cli import check_output

    load_plugins()
    _require_possible(request)
    settings = Settings(request)
    files = _checked(request, settings)
    checked = [file.report for file in files]
    _require_models(request, checked)
    known = _known(request, settings)
    shown = [known.split(report)[0] for report in checked] if known else checked
    if request.levels:
        from upconv.service.work.fixing import fix_files

        new = [replace(file, report=r) for file, r in zip(files, shown, strict=True)]
        shown = fix_files(new, request, settings, known)
    if known is not None:
        from upconv.service.work.baselines import keep_baseline

        shown = keep_baseline(request, settings, known, checked, shown)
    report = check_output.as_report(shown, settings)
    check_output.tell(report, request, settings)
    if any(file.crashed for file in report.files):
        return 2
    return int(report.fails() and not request.exit_zero)


def _require_possible(request: CheckRequest) -> None:
    to_output = "--diff" if request.diff else "--fix on standard input"
    fixes_stdin = bool(request.levels) and "-" in request.paths
    if (request.diff or fixes_stdin) and (request.format_ not in (None, "text")):
        raise UsageError(
            f"{to_output} and --format {request.format_} both want standard output",
            hint=f"write the report to a file: --output {request.format_}:FILE",
        )
    if fixes_stdin and len(request.paths) > 1:
        raise UsageError("standard input is fixed by itself", hint="leave the other paths out")
    if request.diff and request.statistics:
        raise UsageError("--diff and --statistics both want standard output")


def _checked(request: CheckRequest, settings: Settings) -> list[CheckedFile]:
    files = [_check_stdin(request.stdin_filename, settings)] if "-" in request.paths else []
    paths = [path for path in request.paths or (".",) if path != "-"]
    return files + _check_files(paths, settings)


def _check_stdin(name: str, settings: Settings) -> CheckedFile:
    """Raises UnreadableError where standard input holds no text."""
    from upconv.linter.fixing.fix import decoded
    from upconv.linter.running.engine import check_source

    text = decoded(name, sys.stdin.buffer.read())
    return CheckedFile(name, check_source(text.source, settings.options_of(Path(name))), text)


def _check_files(paths: Sequence[str], settings: Settings) -> list[CheckedFile]:
    from upconv.linter.running.run import Target, check_files
    from upconv.service.cli.progress import progress_bar

    found = _discovered(paths, settings)
    targets = [Target(str(p), settings.options_of(p), named) for p, named in found]
    cache = None
    wanted = settings.run.cache
    if targets and (len(targets) > 1 if wanted is None else wanted):
        from upconv.linter.running.cache import Cache

        cache = Cache(settings.cache_folder)
    with progress_bar("checking") as progress:
        reports = check_files(targets, settings.run.jobs, cache, progress)
    return [CheckedFile(t.path, report) for t, report in zip(targets, reports, strict=True)]


def _discovered(paths: Sequence[str], settings: Settings) -> list[tuple[Path, bool]]:
    """(path, whether the user named it) of every file."""
    files = [Path(path) for path in paths]
    if all(path.is_file() for path in files):
        return [(path, True) for path in dict.fromkeys(files)]
    from upconv.linter.running.discovery import discover

    try:
        return [(f.path, f.named) for f in discover(files, settings.leaves_out)]
    except FileNotFoundError as error:
        hint = "check the path"
        raise UsageError("no such file or folder", path=str(error), hint=hint) from None


def _require_models(request: CheckRequest, reports: Sequence[FileReport]) -> None:
    """Raise UsageError where nothing was checked, so that a wrong path is not a silent pass."""
    if any(report.status != "skipped" for report in reports):
        return
    where = " ".join(request.paths) or "."
    if len(reports) == 1:
        raise UsageError(f"nothing to check: {reports[0].reason}", path=reports[0].path)
    if not reports:
        hint = "`upconv formats` lists what is looked for; what .gitignore names is left out"
        raise UsageError(f"nothing to check in {where}: no model was found", hint=hint)
    first = f"{reports[0].path}: {reports[0].reason}"
    raise UsageError(
        f"nothing to check in {where}: none of {len(reports)} files is a model; {first}"
    )


def _known(request: CheckRequest, settings: Settings) -> Baseline | None:
    """The baseline that is to be used, written or pruned; None where none is asked for."""
    path = settings.baseline_path
    if path is None and not request.write_baseline:
        if request.prune_baseline:
            raise UsageError("--prune-baseline: there is no baseline", hint="name it: --baseline F")
        return None
    from upconv.linter.running.baseline import Baseline, read_baseline

    if request.write_baseline and (path is None or not path.exists()):
        return Baseline({})
    assert path is not None
    return read_baseline(path)
