"""Checks many files: what the cache knows is not checked again, the rest goes to processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from upconv.converters.ir.records import record
from upconv.converters.processors import processors
from upconv.converters.readers.files.opening import read_regular
from upconv.converters.readers.formats import companions
from upconv.linter.finding import FileReport
from upconv.linter.running.engine import CheckOptions, check_path, failed_with_process

if TYPE_CHECKING:
    from concurrent.futures import Executor
    from multiprocessing.context import BaseContext

    from upconv.linter.running.cache import Cache

MAX_HASHED: Final = 1 << 24
"""Bytes of a file, and of those that belong to it, beyond which checking it, which reads a part, is
cheaper than hashing it."""

FEW: Final = 24
"""Up to so many files one process is done before others have started."""

Progress = Callable[[int, int], None]


@record(frozen=True, slots=True)
class Target:
    """A file to check, whether the user named it, and with which options."""

    path: str
    options: CheckOptions
    named: bool = True


def check_files(
    targets: Sequence[Target],
    jobs: int | None = None,
    cache: Cache | None = None,
    progress: Progress = lambda done, total: None,
) -> list[FileReport]:
    """The reports of all targets, in their order. `jobs` None: one process for few files, else
    as many as there are processors. `progress` is told how many are done, of how many.

    A file that ends the process which checks it (for want of memory, say) has the finding UP006,
    and the others are checked. Raises UsageError as `check_path` does.
    """
    reports: list[FileReport | None] = [None] * len(targets)
    keys = [""] * len(targets)
    if cache is not None:
        for index, target in enumerate(targets):
            keys[index], reports[index] = _recall(target, cache)
    left = [index for index, report in enumerate(reports) if report is None]
    done = len(targets) - len(left)
    progress(done, len(targets))
    for index, report in zip(left, _checked([targets[i] for i in left], jobs), strict=True):
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


def _checked(targets: Sequence[Target], jobs: int | None) -> Iterator[FileReport]:
    count = min(jobs or default_jobs(len(targets)), len(targets))
    if count < 2:
        yield from map(check_target, targets)
    else:
        yield from _shared_out(targets, count)


def default_jobs(files: int) -> int:
    """How many processes are worth it."""
    if files <= FEW:
        return 1
    return processors()


def _shared_out(targets: Sequence[Target], jobs: int) -> Iterator[FileReport]:
    """The reports of all targets, in their order, from several processes.

    Where one is ended (by the system for want of memory, by a crash of a native library), nobody
    says which file did it: it is one of those that were under way, so that the next ones are
    checked one by one, and the rest is shared out again.
    """
    from concurrent.futures import BrokenExecutor

    size = max(1, min(16, len(targets) // (4 * jobs)))
    left = targets
    while left:
        done = 0
        with _pool(jobs) as pool, suppress(BrokenExecutor):
            for report in pool.map(check_target, left, chunksize=size):
                yield report
                done += 1
        suspects = left[done : done + 2 * jobs * size]
        yield from _one_by_one(suspects)
        left = left[done + len(suspects) :]


def _one_by_one(targets: Sequence[Target]) -> Iterator[FileReport]:
    """The reports of targets that are checked alone, in a process that is made again where one ends
    it, which is then a failure on that file."""
    from concurrent.futures import BrokenExecutor

    left = targets
    while left:
        done = 0
        with _pool(1) as pool, suppress(BrokenExecutor):
            for target in left:
                yield pool.submit(check_target, target).result()
                done += 1
        if done < len(left):
            yield failed_with_process(left[done].path, left[done].options)
        left = left[done + 1 :]


@contextmanager
def _pool(jobs: int) -> Iterator[Executor]:
    from concurrent.futures import ProcessPoolExecutor

    pool = ProcessPoolExecutor(jobs, _start_method(), initializer=_prepare)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _start_method() -> BaseContext | None:
    """How the processes begin: in the system's way, but never as a copy of a process with other
    threads, whose locks would be copied too, held by nobody."""
    import multiprocessing
    import threading

    return multiprocessing.get_context("spawn") if threading.active_count() > 1 else None


def _prepare() -> None:
    """In each process: the parent decides when to stop, and plugins' rules are loaded."""
    import signal

    from upconv.linter.running.plugins import load_plugins

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    load_plugins()


def check_target(target: Target) -> FileReport:
    """Check one file."""
    return check_path(target.path, target.options, named=target.named)
