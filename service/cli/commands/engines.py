"""`upconv engines`: the profiles of engines."""

from __future__ import annotations

import json
from datetime import date

import click


@click.command()
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text")
def command(format_: str) -> int:
    """List the engines that --target knows: the versions that were run, how many entries were
    measured, read in the engine's source or reported, and how old the profile is.

    \b
    Examples:
      upconv engines
      upconv engines --format json                  every entry, with its evidence
    """
    from upconv.linter.engines.profile import profiles
    from upconv.service.work.engines import engine_lines, engine_record

    today = date.today()
    if format_ == "json":
        records = [engine_record(profile, today) for profile in profiles().values()]
        click.echo(json.dumps(records, indent=2))
    else:
        click.echo("\n".join(engine_lines(today)))
    return 0
