"""A few moments at which a command may be stopped; `python -m tests.fuzz.killing` has 200."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.fuzz.killing import HOW, run


@pytest.mark.skipif(sys.platform != "linux", reason="limits and signals are the system's")
def test_a_stopped_command_leaves_whole_files_and_the_next_one_works(tmp_path: Path) -> None:
    wrong: list[str] = []
    names = ("check --fix", "cache")
    counts = run(len(names) * len(HOW), 1, tmp_path, names, wrong.append)
    assert not wrong
    assert counts.total() == len(names) * len(HOW)
