"""The options of every command that runs rules: which ones, and what is known already."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def rule_options(command: Command) -> Command:
    """Decorator: --select --ignore --baseline."""
    options = (
        click.option(
            "--select",
            multiple=True,
            envvar="UPCONV_SELECT",
            metavar="CODES",
            help="Only these codes, prefixes or names; may be repeated or hold commas.",
        ),
        click.option(
            "--ignore",
            multiple=True,
            envvar="UPCONV_IGNORE",
            metavar="CODES",
            help="Not these; of a select and an ignore that fit, the longer decides.",
        ),
        click.option(
            "--baseline",
            envvar="UPCONV_BASELINE",
            metavar="FILE",
            help="Known findings, which are not reported.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command
