"""Running the command line as a user does: a process, its streams and its exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support import ROOT


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str


def upconv(
    *arguments: str | Path, stdin: str = "", cwd: Path = ROOT, **environment: str
) -> Outcome:
    """`upconv ARGUMENTS` in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-m", "upconv", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)
