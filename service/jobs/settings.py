"""What a server of jobs is told."""

from __future__ import annotations

from pathlib import Path

from upconv.converters.ir.records import record
from upconv.service.work.confinement import Confinement


@record(frozen=True, slots=True)
class EngineSettings:
    """`folder` holds everything; `database` is a URL, "" for SQLite in the folder, and `artefacts`
    another, "" where files are in the folder only; `scheduler` is that of dask, "" for children
    of this process. `workers` jobs run at a time, `waiting` may wait, and a job is kept for
    `retention` seconds after its end."""

    folder: Path
    database: str = ""
    artefacts: str = ""
    scheduler: str = ""
    workers: int = 2
    waiting: int = 1000
    waiting_each: int = 200
    retention: float = 7 * 86400.0
    seconds: float = 1800.0
    largest: int = 4 << 30
    confinement: Confinement = Confinement()
