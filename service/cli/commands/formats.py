"""`upconv formats`: what is read, and what is not built yet."""

from __future__ import annotations

import click


@click.command()
def command() -> int:
    """List the model formats, what is built for each, and their usual extensions.

    \b
    Example:
      upconv formats
    """
    from upconv.converters.readers.formats import FORMATS

    width = max(len(entry.name) for entry in FORMATS)
    for entry in FORMATS:
        click.echo(f"{entry.name:{width}}  {entry.state:13}  {' '.join(entry.extensions)}")
    return 0
