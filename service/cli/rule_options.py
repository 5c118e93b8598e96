"""The options of every command that runs rules: which ones, and what is known already."""

from __future__ import annotations

import click

from upconv.service.cli.decorating import Command, with_options


def rule_words(context: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """For a shell: the codes and names that what is typed may become, behind the last comma."""
    from upconv.linter.rules import RULES

    before, comma, typed = incomplete.rpartition(",")
    words = [word for rule in RULES.values() for word in (rule.code, rule.name)]
    fits = (word for word in words if word.startswith((typed, typed.upper())))
    return [f"{before}{comma}{word}" for word in sorted(fits)]


def rule_options(command: Command) -> Command:
    """Decorator: --select --ignore --baseline."""
    options = (
        click.option(
            "--select",
            multiple=True,
            envvar="UPCONV_SELECT",
            shell_complete=rule_words,
            metavar="CODES",
            help="Only these codes, prefixes or names; may be repeated or hold commas.",
        ),
        click.option(
            "--ignore",
            multiple=True,
            envvar="UPCONV_IGNORE",
            shell_complete=rule_words,
            metavar="CODES",
            help="Not these; of a select and an ignore that fit, the longer decides.",
        ),
        click.option(
            "--baseline",
            envvar="UPCONV_BASELINE",
            type=click.Path(),
            metavar="FILE",
            help="Known findings, which are not reported.",
        ),
    )
    return with_options(command, options)
