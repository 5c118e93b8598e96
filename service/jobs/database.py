"""The database of jobs where it is SQLite: how it is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import sqlalchemy

SETTINGS: Final = (
    "journal_mode=WAL",
    "synchronous=NORMAL",
    "busy_timeout=30000",
    "foreign_keys=ON",
    "cache_size=-500",
)
"""Written to a log beside (https://www.sqlite.org/wal.html): readers do not wait, and a commit does
not wait for the disk, which takes ten times as long as the rest of it and holds all others up. A
process that is killed loses nothing by that. A machine that loses its power may forget the jobs of
its last seconds, never the order in which things happened. Each connection keeps 500 kB of the file
in memory, which the system has too."""

CONNECTIONS: Final = 20


def sqlite_engine(file: Path) -> sqlalchemy.Engine:
    """Connections to a file, as DBOS makes them but for SETTINGS."""
    engine = sqlalchemy.create_engine(
        f"sqlite:///{file}", pool_size=CONNECTIONS, max_overflow=0, pool_timeout=30
    )

    def prepare(connection: Any, _: object) -> None:
        connection.isolation_level = "IMMEDIATE"  # who is going to write says so at once
        for setting in SETTINGS:
            connection.execute(f"PRAGMA {setting}")

    sqlalchemy.event.listen(engine, "connect", prepare)
    return engine
