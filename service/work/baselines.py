"""The baseline of a check: written, used, pruned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from upconv.converters.ir.records import record

if TYPE_CHECKING:
    from upconv.linter.finding import FileReport, Finding
    from upconv.linter.running.baseline import Baseline
    from upconv.service.work.check_request import CheckRequest, Settings

DEFAULT_NAME: Final = "upconv-baseline.json"
"""What is written where no baseline is named, beside the configuration."""


@record(frozen=True, slots=True)
class BaselineUse:
    """What became of a baseline. `reports` are what is left to tell.

    `written` is how many findings it now holds, None where it was not asked to be written; then
    `held` is how many findings it kept back, and `stale` are its entries that were found no more,
    which are gone from it where they were `pruned`.
    """

    path: Path
    reports: tuple[FileReport, ...]
    written: int | None = None
    held: int = 0
    stale: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    pruned: bool = False


def keep_baseline(
    request: CheckRequest,
    settings: Settings,
    known: Baseline,
    checked: Sequence[FileReport],
    shown: Sequence[FileReport],
) -> BaselineUse:
    """Write or prune the baseline as asked.

    `checked` are all findings as they were found, `shown` the new ones, after fixes. Raises
    OSError.
    """
    from upconv.linter.running.baseline import Run, write_baseline

    path = settings.baseline_path or settings.root / DEFAULT_NAME
    run = Run(checked, settings.root, _wants(settings))
    if request.write_baseline:
        rest = Run(_found_after_fixes(known, checked, shown), run.root, run.wants)
        known = known.updated(rest)
        write_baseline(path, known)
        left = tuple(known.split(report)[0] for report in shown)
        return BaselineUse(path, left, written=len(known.entries))
    held = sum(known.knows(finding) for report in checked for finding in report.findings)
    stale = known.stale(run)
    pruned = bool(stale) and request.prune_baseline
    if pruned:
        write_baseline(path, known.without(stale))
    return BaselineUse(path, tuple(shown), held=held, stale=stale, pruned=pruned)


def _found_after_fixes(
    known: Baseline, checked: Sequence[FileReport], shown: Sequence[FileReport]
) -> list[FileReport]:
    """What is found once fixes are in: known findings, which are not fixed, and the rest."""
    return [
        replace(new, findings=(*(f for f in old.findings if known.knows(f)), *new.findings))
        for old, new in zip(checked, shown, strict=True)
    ]


def _wants(settings: Settings) -> Callable[[str], bool]:
    from upconv.linter.running.engine import CheckOptions

    return CheckOptions(
        root=settings.root, select=settings.run.select, ignore=settings.run.ignore
    ).wants


def know(path: Path, findings: Sequence[Finding]) -> None:
    """Take some findings into a baseline, which need not exist yet.

    Raises UsageError where the file is no baseline, and OSError where it cannot be written.
    """
    from upconv.linter.running.baseline import Baseline, read_baseline, write_baseline

    known = read_baseline(path) if path.exists() else Baseline({})
    write_baseline(path, known.with_findings(findings))
