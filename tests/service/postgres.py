"""A PostgreSQL of its own in a temporary folder, from the programs that Debian installs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

OWNER = "postgres"
"""Who runs it where we are root: it refuses to run as such."""


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """The URL of an empty database; the test skips where it is not installed. `folder` has a short
    name, since a socket's path has 107 bytes at most."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    if not programs:
        pytest.skip("no PostgreSQL (apt install postgresql)")
    user = OWNER if os.geteuid() == 0 else None
    data = folder / "pg"
    data.mkdir(mode=0o700)
    if user:
        for above in (folder, *folder.parents):
            if above.owner() == "root" and above != Path("/tmp") and len(above.parts) > 2:
                above.chmod(above.stat().st_mode | 0o011)
        shutil.chown(data, user)

    def run(program: str, *arguments: str) -> None:
        command = [str(programs[-1].with_name(program)), *arguments]
        subprocess.run(command, check=True, user=user, cwd=data, stdout=subprocess.DEVNULL)

    run("initdb", "-D", str(data), "-U", "upconv", "-A", "trust", "--no-sync")
    options = f"-k {data} -c listen_addresses="
    run("pg_ctl", "-D", str(data), "-o", options, "-l", str(data / "log"), "-w", "start")
    try:
        yield f"postgresql://upconv@/upconv?host={data}"
    finally:
        run("pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")
