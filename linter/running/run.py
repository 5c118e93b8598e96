"""Checks many files: what the cache knows is not checked again, the rest goes to processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from upconv.converters.ir.records import record
from upconv.converters.readers.files.opening import read_regular
from upconv.converters.readers.formats import companions
from upconv.linter.finding import FileReport
from upconv.linter.running.engine import CheckOptions, check_path, failed_with_process
from upconv.linter.running.workers import Here, Task, Workers, below

if TYPE_CHECKING:
    from upconv.linter.running.cache import Cache

MAX_HASHED: Final = 1 << 24
"""Bytes of a file, and of those that belong to it, beyond which checking it, which reads a part, is
cheaper than hashing it."""

Progress = Callable[[int, int], None]


@record(frozen=True, slots=True)
class Target:
    """A file to check, whether the user named it, and with which options."""

    path: str
    options: CheckOptions
    named: bool = True


def check_files(
    targets: Sequence[Target],
    cache: Cache | None = None,
    progress: Progress = lambda done, total: None,
    workers: Workers | None = None,
) -> list[FileReport]:
    """The reports of all targets, in their order. `progress` is told how many are done, of how
    many. `workers` do it, this process where there are none.

    A file that ends the process which checks it (for want of memory, say) has the finding UP006,
    and the others are checked, unless that process is this one. Raises UsageError as `check_path`
    does.
    """
    reports: list[FileReport | None] = [None] * len(targets)
    keys = [""] * len(targets)
    if cache is not None:
        for index, target in enumerate(targets):
            keys[index], reports[index] = _recall(target, cache)
    left = [index for index, report in enumerate(reports) if report is None]
    done = len(targets) - len(left)
    progress(done, len(targets))
    with closing((workers or Here()).map(CHECK, [targets[i] for i in left])) as found:
        for number, report in found:
            index = left[number]
            reports[index] = report
            done += 1
            progress(done, len(targets))
            if (
                cache is not None
                and keys[index]
                and not _stored(cache, targets[index], keys[index], report)
            ):
                cache = None
    return [report for report in reports if report is not None]


def _stored(cache: Cache, target: Target, key: str, report: FileReport) -> bool:
    """Whether the cache could be written. It only saves time: where it cannot (a read-only
    checkout, a full disk), the check goes on without."""
    try:
        cache.store(_entry_of(target), key, report)
    except OSError:
        return False
    return True


def _recall(target: Target, cache: Cache) -> tuple[str, FileReport | None]:
    """The key of a target, "" where it cannot be read, and the report the cache has for it."""
    from upconv.linter.running.cache import cache_key, with_source

    path = Path(target.path)
    try:
        if not 0 < _size(path) <= MAX_HASHED:
            return "", None
        data = b"" if path.is_dir() else read_regular(path)
    except OSError:
        return "", None  # the check says why
    key = cache_key(data, target.path, target.named, target.options)
    report = cache.load(_entry_of(target), key)
    return key, with_source(report, target.path, data) if report is not None else None


def _size(path: Path) -> int:
    """The bytes of a file, or of a folder's model, with those that belong to it."""
    files = [path, *map(Path, companions(str(path)))]
    return sum(file.stat().st_size for file in files if file.is_file())


def _entry_of(target: Target) -> str:
    return os.path.abspath(target.path)


def check_target(target: Target) -> FileReport:
    """Check one file."""
    return check_path(target.path, target.options, named=target.named)


def _checked(target: Target) -> FileReport:
    """In any process, one that has loaded no plugin yet among them."""
    from upconv.linter.running.plugins import load_plugins

    load_plugins()
    return check_target(target)


def _lost(target: Target, reason: str) -> FileReport:
    return failed_with_process(target.path, target.options, reason)


def _files(target: Target) -> Iterator[str]:
    """What a check of it reads."""
    read = (target.path, target.options.read.weights)
    for path in filter(None, read):
        yield path
        yield from companions(path)


def _moved(target: Target, folder: str) -> Target:
    options = target.options
    read = replace(options.read, weights=below(folder, options.read.weights))
    options = replace(options, read=read, root=Path(below(folder, str(options.root))), below=folder)
    return replace(target, path=below(folder, target.path), options=options)


CHECK: Final = Task(_checked, _lost, _files, _moved)
"""The check of one target."""
