"""Options and output of commands that do the same with every model below a folder."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import click

from upconv.converters.ir.errors import UsageError
from upconv.converters.ir.records import record
from upconv.service.cli.decorating import Command, with_options

if TYPE_CHECKING:
    from upconv.linter.running.workers import Task
    from upconv.service.work.each_model import Outcome
    from upconv.service.work.folders import Found

SCHEMA_VERSION: Final = 1

jobs_option: Final[Callable[[Any], Any]] = click.option(
    "--jobs",
    type=click.IntRange(1, 1024),
    envvar="UPCONV_JOBS",
    metavar="N",
    help="Processes.  [default: 1 for few files, else one a processor]",
)

scheduler_option: Final[Callable[[Any], Any]] = click.option(
    "--scheduler",
    default="",
    envvar="UPCONV_SCHEDULER",
    metavar="tcp://HOST:8786",
    help="Let the workers of this dask scheduler do it.",
)


def folder_options(command: Command) -> Command:
    """Decorator: --jobs --scheduler, of a command that takes a folder too."""
    return with_options(command, (jobs_option, scheduler_option))


@record(frozen=True, slots=True)
class Many:
    """Work on every model below a folder: what is told of it, in which format, and who does it."""

    what: str
    found: Found
    task: Task[Any, Outcome]
    items: Sequence[Any]
    jobs: int | None
    scheduler: str
    format: str = "text"
    verbose: bool = False


def do_each(many: Many, done: Callable[[Outcome], None] = lambda outcome: None) -> list[Outcome]:
    """Do the work; each outcome is printed, where the format is text, and given to `done`."""
    from upconv.service.cli.progress import clear, progress_bar
    from upconv.service.cli.signals import end_as_interrupted
    from upconv.service.work.each_model import NOT_DONE, done_in_order
    from upconv.service.work.workers import workers_of

    end_as_interrupted()
    workers = workers_of(many.jobs, many.scheduler, len(many.items))
    outcomes = []
    with (
        progress_bar(many.what) as progress,
        closing(done_in_order(many.task, many.items, workers, progress)) as each,
    ):
        for outcome in each:
            outcomes.append(outcome)
            done(outcome)
            if many.format == "text":
                clear()
                brief = outcome.exit_code == 0 and not many.verbose
                told = outcome.line if brief else outcome.told
                click.echo(told, err=outcome.verdict == NOT_DONE)
    return outcomes


def tell_each(many: Many, outcomes: Sequence[Outcome]) -> int:
    """Say what became of all, where it was not said already; returns the worst exit code."""
    if many.format == "json":
        click.echo(as_json(outcomes), nl=False)
    click.echo(summary(many.found, outcomes), err=True)
    sys.stderr.flush()
    return max(outcome.exit_code for outcome in outcomes)


def as_json(outcomes: Iterable[Outcome]) -> str:
    """All outcomes as one JSON object."""
    from upconv.linter.reports.wording import json_text

    return json_text({"schema_version": SCHEMA_VERSION, "models": [_words(o) for o in outcomes]})


def _words(outcome: Outcome) -> dict[str, Any]:
    from upconv.service.work.each_model import NOT_DONE

    words = {"model": outcome.model, "exit_code": outcome.exit_code, "verdict": outcome.verdict}
    if outcome.verdict == NOT_DONE:
        return words | {"reason": outcome.told}
    made = {"out": outcome.out} if outcome.out else {}
    return words | made | {"result": dict(outcome.record)}


def summary(found: Found, outcomes: Sequence[Outcome]) -> str:
    """How many there were of each verdict, and what was passed over."""
    from upconv.linter.reports.wording import passed_over

    counts = Counter(outcome.verdict for outcome in outcomes)
    told = ", ".join(f"{number} {verdict}" for verdict, number in counts.most_common())
    plural = "" if len(outcomes) == 1 else "s"
    over = f"; {passed_over(found.passed)}" if found.passed else ""
    return f"{len(outcomes)} model{plural} in {found.folder}: {told}{over}"


def refuse_in_folder(**given: object) -> None:
    """Raise UsageError for options that speak of one model."""
    for name, value in given.items():
        if value:
            raise UsageError(
                f"--{name.replace('_', '-')} is of one model, and a folder was named",
                hint="name the model itself",
            )
