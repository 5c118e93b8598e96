"""The options that bound what a proof may take, and say what it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from upconv.service.work.limits import SECONDS

Command = TypeVar("Command", bound=Callable[..., Any])


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
    for option in reversed(options):
        command = option(command)
    return command
