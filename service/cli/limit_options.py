"""The options that bound what a proof may take, and say what it does."""

from __future__ import annotations

import click

from upconv.service.cli.decorating import Command, with_options
from upconv.service.work.limits import SECONDS


def limit_options(command: Command) -> Command:
    """Decorator: --timeout --memory --verbose."""
    options = (
        click.option(
            "--timeout",
            type=click.FloatRange(min=0),
            default=SECONDS,
            show_default=True,
            envvar="UPCONV_TIMEOUT",
            metavar="SECONDS",
            help="End the process that runs a model after so long; 0: never.",
        ),
        click.option(
            "--memory",
            type=click.FloatRange(min=0),
            default=0.0,
            envvar="UPCONV_MEMORY",
            metavar="GB",
            help="Memory that it may take.  [default: 4 times what MODEL needs, and 2 GiB]",
        ),
        click.option("-v", "--verbose", is_flag=True, help="Say each step of the proof."),
    )
    return with_options(command, options)
