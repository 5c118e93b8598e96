"""Who is to work on many files."""

from __future__ import annotations

from typing import Final

from upconv.converters.processors import processors
from upconv.linter.running.workers import Here, Workers

FEW: Final = 24
"""Up to so many files one process has checked before others have started."""


def workers_for(jobs: int | None, files: int) -> Workers:
    """`jobs` processes for so many files; None: one for few, else as many as there are processors.

    One file is read in this process, and so are several where a process of their own is no fork,
    which would take longer to start than they take.
    """
    count = min(jobs or default_jobs(files), files)
    if files < 2:
        return Here()
    from upconv.service.work.pool import Pool
    from upconv.service.work.processes import one_thread

    return Pool(count) if count > 1 or one_thread() else Here()


def workers_of(jobs: int | None, scheduler: str, files: int) -> Workers:
    """Those of the scheduler at an address, or `jobs` processes here."""
    if scheduler:
        from upconv.service.work.scheduler import Scheduler

        return Scheduler(scheduler)
    return workers_for(jobs, files)


def default_jobs(files: int) -> int:
    """How many processes are worth it."""
    return 1 if files <= FEW else processors()
