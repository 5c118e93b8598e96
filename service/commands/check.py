"""`upconv check`: findings in model files."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from converters.errors import UsageError
from service.model_options import model_options, read_options

if TYPE_CHECKING:
    from linter.engine import CheckOptions
    from linter.finding import FileReport, Report

FORMATS = ("text", "concise", "json")


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH ...|-]")
@model_options
@click.option("--select", multiple=True, metavar="CODES", help="Only these codes or prefixes.")
@click.option("--ignore", multiple=True, metavar="CODES", help="Not these codes or prefixes.")
@click.option("--format", "format_", type=click.Choice(FORMATS), default="text")
@click.option(
    "--output", "outputs", multiple=True, metavar="FMT:FILE", help="Write a report to a file too."
)
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning", "info"]),
    default="error",
    show_default=True,
    help="The mildest severity that makes the exit code 1.",
)
@click.option("--exit-zero", is_flag=True, help="Exit with 0 whatever is found.")
@click.option("--statistics", is_flag=True, help="Count findings per code instead.")
@click.option("--stdin-filename", default="-", metavar="F", help="What to call standard input.")
def command(
    paths: tuple[str, ...],
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    format_: str,
    outputs: tuple[str, ...],
    fail_on: Any,
    exit_zero: bool,
    statistics: bool,
    stdin_filename: str,
    **common: Any,
) -> int:
    """Check model files; folders are searched, "-" is standard input, "." the default.

    Exit code 0: nothing at or above --fail-on. 1: such findings, an unreadable file among them.
    2: usage, nothing to check, or a failure of upconv itself.
    """
    from linter.engine import CheckOptions
    from linter.finding import Report

    options = CheckOptions(
        read=read_options(**common),
        select=_codes(select) or ("UP",),
        ignore=_codes(ignore),
    )
    targets = [_output(text) for text in outputs]
    reports = tuple(_reports(paths or (".",), stdin_filename, options))
    if not reports:
        hint = "name a file, or a folder with .prototxt files in it"
        raise UsageError(f"no model found in {' '.join(paths) or '.'}", hint=hint)
    report = Report(reports)
    _write(report, targets, format_, statistics)
    if any(file.crashed for file in reports):
        return 2
    return int(report.fails(fail_on) and not exit_zero)


def _codes(texts: Sequence[str]) -> tuple[str, ...]:
    """Codes of an option that may be repeated and hold commas.

    Raises UsageError for a code no rule has, so that a typing error is not a silent pass.
    """
    from linter import engine as _engine  # noqa: F401  (importing it registers the rules)
    from linter.rule import RULES

    codes = tuple(code.strip().upper() for text in texts for code in text.split(",") if code)
    for code in codes:
        if not any(known.startswith(code) for known in RULES):
            hint = "`upconv rule` lists the rules"
            raise UsageError(f"no rule's code is or begins with '{code}'", hint=hint)
    return codes


def _output(text: str) -> tuple[str, str]:
    name, separator, file = text.partition(":")
    if not separator or not file or name not in FORMATS:
        raise UsageError(f"--output {text}: write it as FORMAT:FILE, FORMAT one of {FORMATS}")
    return name, file


def _reports(
    paths: Sequence[str], stdin_filename: str, options: CheckOptions
) -> Iterator[FileReport]:
    from linter.engine import check_path

    if "-" in paths:
        yield _check_stdin(stdin_filename, options)
    for found in _discover([Path(path) for path in paths if path != "-"]):
        yield check_path(found, options)


def _discover(paths: Sequence[Path]) -> Iterator[Path]:
    if all(path.is_file() for path in paths):
        yield from dict.fromkeys(paths)
        return
    from linter.discovery import discover

    try:
        yield from (found.path for found in discover(paths, _holds_model))
    except FileNotFoundError as error:
        raise UsageError("does not exist", path=str(error)) from None


def _holds_model(path: Path) -> bool:
    from converters.readers import identify

    return identify(str(path)) == "caffe"


def _check_stdin(name: str, options: CheckOptions) -> FileReport:
    from converters.readers.prototxt import Source, decode_text
    from linter.engine import check_source

    return check_source(Source(name, decode_text(sys.stdin.buffer.read(), name)), options)


def _write(
    report: Report, targets: Sequence[tuple[str, str]], format_: str, statistics: bool
) -> None:
    from linter.reports import FORMATS as REPORTERS
    from linter.reports.text import text

    for name, file in targets:
        from service.output import write_text

        write_text(file, REPORTERS[name](report))
    if statistics:
        shown = _statistics(report)
    elif format_ == "text":
        shown = text(report, colour=_wants_colour())
    else:
        shown = REPORTERS[format_](report)
    click.echo(shown, nl=False, color=True)


def _wants_colour() -> bool:
    import os

    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _statistics(report: Report) -> str:
    from collections import Counter

    counts = Counter((f.code, f.name, f.severity) for f in report.findings)
    rows = [f"{n:6} {code} {severity:7} {name}" for (code, name, severity), n in counts.items()]
    return "".join(f"{row}\n" for row in sorted(rows, key=lambda row: (-int(row[:6]), row)))
