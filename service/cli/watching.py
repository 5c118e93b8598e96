"""A check that is made again whenever a file changes, until Ctrl-C."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import click

from upconv.converters.ir.errors import UpconvError, UsageError
from upconv.linter.reports.wording import one_line


def watch(check: Callable[[], int], paths: Sequence[str], written: Iterable[str]) -> int:
    """Check, and again after every change below the folders or of the files in `paths`.

    What the check itself writes is not looked at. Raises UsageError where the library is missing
    that tells of changes, and what the first check raises; what later ones raise is shown.
    """
    changes = _changes(paths, {os.path.realpath(path) for path in written})
    check()
    while True:
        click.echo("waiting for changes; Ctrl-C ends", err=True)
        changed = next(changes)
        click.echo(f"changed: {one_line(', '.join(changed))}", err=True)
        try:
            check()
        except UpconvError as error:  # a file that is being edited may be anything for a while
            click.echo(f"error: {error}", err=True)


def _changes(paths: Sequence[str], written: set[str]) -> Iterator[list[str]]:
    """The names of what changed, again and again. Editors replace files, so that the folder of a
    file is what can be watched. Raises UsageError at once."""
    try:
        from watchfiles import Change, DefaultFilter
        from watchfiles import watch as watched
    except ImportError:
        raise UsageError(
            "--watch needs the package watchfiles", hint="pip install 'upconv[watch]'"
        ) from None
    folders = [os.path.realpath(path) for path in paths if Path(path).is_dir()]
    files = {os.path.realpath(path) for path in paths if path and not Path(path).is_dir()}
    usual = DefaultFilter(ignore_dirs=(*DefaultFilter.ignore_dirs, ".upconv_cache"))

    def concerns(change: Change, path: str) -> bool:
        inside = any(Path(path).is_relative_to(folder) for folder in folders)
        return path not in written and (path in files or (inside and usual(change, path)))

    roots = {*folders, *(os.path.dirname(file) for file in files)}
    found = watched(*sorted(roots), watch_filter=concerns, recursive=bool(folders))
    return (sorted({os.path.relpath(path) for _, path in changes}) for changes in found)
