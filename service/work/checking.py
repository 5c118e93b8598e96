"""A check: files, a text or models in, findings out, and what became of fixes and baseline."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from upconv.converters.ir.errors import UsageError
from upconv.converters.ir.records import record
from upconv.service.work.check_request import STDIN, CheckedFile, CheckRequest, Settings
from upconv.service.work.ignoring import add_ignores, require_reason

if TYPE_CHECKING:
    from upconv.converters.ir.model import Model
    from upconv.linter.finding import FileReport, Report
    from upconv.linter.running.baseline import Baseline
    from upconv.linter.settings.config import Config
    from upconv.service.work.baselines import BaselineUse
    from upconv.service.work.fixing import Fixes
    from upconv.service.work.ignoring import Ignores

__all__ = ["CheckRequest", "CheckResult", "check", "check_read"]

Progress = Callable[[int, int], None]
"""Is told how many files are checked, of how many."""


@record(frozen=True, slots=True)
class CheckResult:
    """What a check found and did.

    `config` is the configuration that held for the run as a whole, with the request's own words
    in it. `fixes` and `ignores` are None where none were asked for, `baseline` where none was in
    use. `idle` are the configuration's ignores that silenced nothing, where everything was looked
    at.
    """

    report: Report
    config: Config
    fixes: Fixes | None = None
    ignores: Ignores | None = None
    baseline: BaselineUse | None = None
    idle: tuple[str, ...] = ()

    @property
    def code(self) -> int:
        """The exit code: 2 for a failure of ours, 1 for findings that count, 0 for none."""
        if any(file.crashed for file in self.report.files):
            return 2
        return int(self.report.fails())


def check(request: CheckRequest, progress: Progress = lambda done, total: None) -> CheckResult:
    """Do what is asked.

    Raises UsageError for a request that cannot be met, and UpconvError or OSError where a file
    cannot be written.
    """
    from upconv.linter.running.plugins import load_plugins

    load_plugins()
    require_reason(request)
    settings = Settings(request)
    passed: Counter[str] = Counter()
    files = _checked(request, settings, progress, passed)
    checked = [file.report for file in files]
    kinds = sorted_kinds(passed)
    require_models(request, checked, kinds)
    known = _known(request, settings)
    shown = _new(checked, known)
    fixes = ignores = use = None
    if request.levels:
        from upconv.service.work.fixing import fix_files

        new = [replace(file, report=r) for file, r in zip(files, shown, strict=True)]
        fixes = fix_files(new, request, settings, known)
        shown = list(fixes.reports)
    if request.add_ignore is not None:
        new = [replace(file, report=r) for file, r in zip(files, shown, strict=True)]
        ignores = add_ignores(new, request, settings, known)
        shown = list(ignores.reports)
    if known is not None:
        from upconv.service.work.baselines import keep_baseline

        use = keep_baseline(request, settings, known, checked, shown)
        shown = list(use.reports)
    shown = _without_repeats(files, shown)
    report = as_report(shown, request, settings, kinds)
    return CheckResult(
        report, settings.run, fixes, ignores, use, idle_ignores(report, request, settings)
    )


def sorted_kinds(passed: Counter[str]) -> tuple[tuple[str, int], ...]:
    """The kinds of files that a search passed over, the most frequent first."""
    return tuple(sorted(passed.items(), key=lambda kind: (-kind[1], kind[0])))


def check_read(model: Model, request: CheckRequest) -> Report:
    """What the rules say of a model that is read already, for whoever goes on with it; nothing of a
    template, which he refuses with his own words.

    Raises UsageError for a choice of rules, a configuration or a baseline that is not
    understood.
    """
    from upconv.linter.running.plugins import load_plugins

    load_plugins()
    request = replace(request, models=(model,))
    settings = Settings(request)
    checked = [file.report for file in _check_models(request, settings)]
    return as_report(_new(checked, _known(request, settings)), request, settings, ())


def _new(reports: list[FileReport], known: Baseline | None) -> list[FileReport]:
    """The reports without what is known."""
    return [known.split(report)[0] for report in reports] if known else reports


def _without_repeats(files: Sequence[CheckedFile], shown: Sequence[FileReport]) -> list[FileReport]:
    """What nets that a search found have in common is told once; a file that was named is asked
    about by itself."""
    if sum(file.searched for file in files) < 2:
        return list(shown)
    from upconv.linter.running.repeats import told_once

    searched = [report for file, report in zip(files, shown, strict=True) if file.searched]
    told = iter(told_once(searched))
    pairs = zip(files, shown, strict=True)
    return [next(told) if file.searched else report for file, report in pairs]


def _checked(
    request: CheckRequest, settings: Settings, progress: Progress, passed: Counter[str]
) -> list[CheckedFile]:
    """What is to be checked, with its reports; `passed` counts what a search passed over."""
    given = [_check_text(request, settings)] if STDIN in request.paths else []
    paths = [path for path in request.paths if path != STDIN]
    if not request.paths and not request.models:
        paths = ["."]
    found = discovered(paths, settings, passed) if paths else []
    files = _check_files(found, request, settings, progress)
    return given + files + _check_models(request, settings)


def _check_text(request: CheckRequest, settings: Settings) -> CheckedFile:
    """Raises UnreadableError where it is no text."""
    from upconv.linter.fixing.fix import decoded
    from upconv.linter.running.engine import check_source

    name = request.text_name
    text = decoded(name, request.text)
    return CheckedFile(name, check_source(text.source, settings.options_of(Path(name))), text)


def _check_models(request: CheckRequest, settings: Settings) -> list[CheckedFile]:
    from upconv.linter.running.engine import check_model

    return [
        CheckedFile(m.path, check_model(m, settings.options_of(Path(m.path))), fixable=False)
        for m in request.models
    ]


def _check_files(
    found: Sequence[tuple[Path, bool]],
    request: CheckRequest,
    settings: Settings,
    progress: Progress,
) -> list[CheckedFile]:
    from upconv.linter.running.run import Target, check_files
    from upconv.service.work.workers import workers_for

    targets = [Target(str(p), settings.options_of(p), named) for p, named in found]
    cache = None
    wanted = settings.run.cache
    if targets and (len(targets) > 1 if wanted is None else wanted):
        from upconv.linter.running.cache import Cache

        cache = Cache(settings.cache_folder)
    workers = request.workers or workers_for(settings.run.jobs, len(targets))
    reports = check_files(targets, cache, progress, workers)
    return [
        CheckedFile(target.path, report, searched=not target.named)
        for target, report in zip(targets, reports, strict=True)
    ]


def discovered(
    paths: Sequence[str], settings: Settings, passed: Counter[str]
) -> list[tuple[Path, bool]]:
    """(path, whether the user named it) of every file."""
    files = [Path(path) for path in paths]
    if all(path.is_file() for path in files):
        return [(path, True) for path in dict.fromkeys(files)]
    from upconv.linter.running.discovery import discover

    try:
        found = discover(files, settings.leaves_out, lambda kind: passed.update((kind,)))
        return [(entry.path, entry.named) for entry in found]
    except FileNotFoundError as error:
        hint = "check the path"
        raise UsageError("no such file or folder", path=str(error), hint=hint) from None


LOOKED_FOR: Final = "`upconv formats` lists what is looked for; what .gitignore names is left out"


def require_models(
    request: CheckRequest, reports: Sequence[FileReport], kinds: Sequence[tuple[str, int]]
) -> None:
    """Raise UsageError where nothing was checked, so that a wrong path is not a silent pass."""
    if any(report.status != "skipped" for report in reports):
        return
    where = " ".join(request.paths) or "."
    if len(reports) == 1:
        raise UsageError(f"nothing to check: {reports[0].reason}", path=reports[0].path)
    if not reports:
        from upconv.linter.reports.wording import passed_over

        over = f" ({passed_over(kinds)})" if kinds else ""
        raise UsageError(f"nothing to check in {where}: no model was found{over}", hint=LOOKED_FOR)
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


def as_report(
    files: Sequence[FileReport],
    request: CheckRequest,
    settings: Settings,
    kinds: tuple[tuple[str, int], ...],
) -> Report:
    """The files' reports as one, and what a search passed over."""
    from upconv.linter.finding import Report

    fail_on = settings.run.fail_on or "error"
    prefix = _prefix(settings.root)
    return Report(tuple(files), prefix, fail_on, request.show_silenced, kinds)


def _prefix(root: Path) -> str:
    """What leads from the repository's root to the configuration's: "" or ending in "/"."""
    for folder in (root, *root.parents):
        if (folder / ".git").exists():
            inner = root.relative_to(folder).as_posix()
            return "" if inner == "." else f"{inner}/"
    return ""


def idle_ignores(report: Report, request: CheckRequest, settings: Settings) -> tuple[str, ...]:
    """The configuration's ignores that silenced nothing, where everything was looked at."""
    from upconv.linter.settings.overrides import ignore_label

    whole = any(
        settings.root.is_relative_to(os.path.realpath(path)) for path in request.paths or "."
    )
    if not whole or request.select or request.ignore or request.models:
        return ()
    used = {label for file in report.files for label in file.used}
    labels = [
        ignore_label(entry, word) for entry in settings.run.overrides for word in entry.ignore
    ]
    return tuple(label for label in dict.fromkeys(labels) if label not in used)
