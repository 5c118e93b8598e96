"""The baseline options of a check: write, use, prune."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from upconv.linter.finding import FileReport
    from upconv.linter.running.baseline import Baseline
    from upconv.service.work.check_request import CheckRequest, Settings

DEFAULT_NAME: Final = "upconv-baseline.json"
"""What --write-baseline writes where no --baseline names a file, beside the configuration."""


def keep_baseline(
    request: CheckRequest,
    settings: Settings,
    known: Baseline,
    checked: Sequence[FileReport],
    shown: Sequence[FileReport],
) -> list[FileReport]:
    """Write or prune the baseline as asked, and say what it holds back.

    `checked` are all findings as they were found, `shown` the new ones, after fixes. Returns
    what is to be reported. Raises OSError.
    """
    from upconv.linter.running.baseline import Run, write_baseline

    path = settings.baseline_path or settings.root / DEFAULT_NAME
    run = Run(checked, settings.root, _wants(settings))
    if request.write_baseline:
        rest = Run(_found_after_fixes(known, checked, shown), run.root, run.wants)
        known = known.updated(rest)
        write_baseline(path, known)
        _say(f"{path}: {_count(len(known.entries), 'finding')} written")
        return [known.split(report)[0] for report in shown]
    held = sum(known.knows(finding) for report in checked for finding in report.findings)
    stale = known.stale(run)
    if stale and request.prune_baseline:
        write_baseline(path, known.without(stale))
        _say(f"{path}: {_count(len(stale), 'entry')} found no more, dropped")
    elif stale:
        _say_stale(path, known, set(stale))
    if held:
        _say(f"{path}: {_count(held, 'known finding')} not shown")
    return list(shown)


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


def _say_stale(path: Path, known: Baseline, stale: set[str]) -> None:
    first = min(stale, key=lambda key: (known.entries[key]["path"], key))
    entry = known.entries[first]
    layer = f" layer '{entry['layer']}'" if entry["layer"] else ""
    _say(
        f"{path}: {_count(len(stale), 'entry')} found no more ({entry['path']}: {entry['code']}"
        f"{layer}{', ...' if len(stale) > 1 else ''}); --prune-baseline drops them"
    )


def _count(number: int, noun: str) -> str:
    plural = noun.removesuffix("y") + "ies" if noun.endswith("y") else noun + "s"
    return f"{number} {noun if number == 1 else plural}"


def _say(message: str) -> None:
    click.echo(message, err=True)
