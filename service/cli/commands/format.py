"""`upconv format`: prototxt files in one layout."""

from __future__ import annotations

import sys

import click

from upconv.converters.ir.errors import UsageError


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(), metavar="FILE...")
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 where a file would change.")
@click.option("--diff", is_flag=True, help="Write nothing; print what would change.")
def command(files: tuple[str, ...], check: bool, diff: bool) -> int:
    """Lay out prototxt and pbtxt files: two spaces a level, one field a line, comments kept.

    "-" is standard input, which goes to standard output. A file is written whole or not at all,
    and one that cannot be read stays as it is. Exit code 0: done, or nothing to do. 1: --check or
    --diff, and a file would change. 2: a file that cannot be read.

    \b
    Examples:
      upconv format deploy.prototxt
      upconv format --check *.prototxt
    """
    from upconv.service.work.formatting import format_bytes, format_file

    if "-" in files and len(files) > 1:
        raise UsageError("standard input is laid out by itself", hint="leave the other files out")
    write = not (check or diff)
    changed = 0
    for path in files:
        piped = path == "-"
        found = format_bytes(path, sys.stdin.buffer.read()) if piped else format_file(path, write)
        changed += found.differs
        if piped and write:
            sys.stdout.buffer.write(found.data)
        elif diff:
            click.echo(found.diff, nl=False)
        elif found.differs:
            from upconv.linter.reports.wording import one_line

            click.echo(f"{'would lay out' if check else 'laid out'} {one_line(path)}")
    return int(not write and changed > 0)
