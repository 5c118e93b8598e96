"""`upconv check`: findings in model files."""

from __future__ import annotations

from typing import Any

import click

from upconv.linter.reports import FORMATS
from upconv.service.cli.model_options import model_options

SEVERITIES = ("error", "warning", "info")


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH ...|-]")
@model_options
@click.option(
    "--select",
    multiple=True,
    envvar="UPCONV_SELECT",
    metavar="CODES",
    help="Only these codes, prefixes or names; may be repeated or hold commas.",
)
@click.option(
    "--ignore",
    multiple=True,
    envvar="UPCONV_IGNORE",
    metavar="CODES",
    help="Not these; of a select and an ignore that fit, the longer decides.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    envvar="UPCONV_FORMAT",
    help="What standard output gets.  [default: text]",
)
@click.option(
    "--output", "outputs", multiple=True, metavar="FMT:FILE", help="Write a report to a file too."
)
@click.option("--fix", is_flag=True, help="Apply safe fixes in place (to standard output for -).")
@click.option("--unsafe-fixes", is_flag=True, help="Apply fixes that change numbers as well.")
@click.option("--diff", is_flag=True, help="Print what the fixes would change; write nothing.")
@click.option(
    "--fail-on",
    type=click.Choice(SEVERITIES),
    envvar="UPCONV_FAIL_ON",
    help="The mildest severity that makes the exit code 1.  [default: error]",
)
@click.option("--exit-zero", is_flag=True, help="Exit with 0 whatever is found.")
@click.option(
    "--show-silenced",
    is_flag=True,
    help="Mark what is silenced as suppressed in SARIF, not leave it out.",
)
@click.option(
    "--baseline",
    envvar="UPCONV_BASELINE",
    metavar="FILE",
    help="Known findings, which are not reported.",
)
@click.option("--write-baseline", is_flag=True, help="Take all findings into the baseline.")
@click.option("--prune-baseline", is_flag=True, help="Drop entries that are found no more.")
@click.option(
    "--jobs",
    type=click.IntRange(1, 1024),
    envvar="UPCONV_JOBS",
    metavar="N",
    help="Processes.  [default: 1 for few files, else one a processor]",
)
@click.option(
    "--cache/--no-cache",
    default=None,
    envvar="UPCONV_CACHE",
    help="Remember results.  [default: where more than one file is checked]",
)
@click.option(
    "--cache-dir",
    envvar="UPCONV_CACHE_DIR",
    metavar="DIR",
    help="Where.  [default: .upconv_cache beside the configuration]",
)
@click.option("--stdin-filename", default="-", metavar="F", help="What to call standard input.")
@click.option("--statistics", is_flag=True, help="Count findings per code instead.")
def command(**given: Any) -> int:
    """Check model files; folders are searched, "-" is standard input, "." the default.

    Exit code 0: nothing at or above --fail-on. 1: such findings, an unreadable file among them.
    2: usage, nothing to check, or a failure of upconv itself.

    The command line comes before the environment (UPCONV_SELECT and so on), the environment
    before the closest upconv.toml or [tool.upconv] in pyproject.toml.
    """
    from upconv.service.work.checking import CheckRequest, check

    return check(CheckRequest(**given))
