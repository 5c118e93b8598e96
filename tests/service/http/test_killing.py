"""Servers and workers that are killed under load, on both databases; a move to another version."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.http.killing import kill_while_they_run
from tests.service.http.server import serving, start
from tests.service.http.test_jobs import FILL, SMALL
from tests.service.http.test_lasting import SLOW, over, steps, wait_for_step
from tests.service.postgres import postgres

NEWER = "Metadata-Version: 2.1\nName: upconv\nVersion: 9.9.9\n"
OTHER = """\
from upconv.service.jobs import engine
engine.MEANING = "jobs-of-another-meaning"
from upconv.service.cli.main import main
main()
"""


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose path is short enough for a socket in it."""
    with tempfile.TemporaryDirectory(prefix="upconv-") as folder:
        yield Path(folder)


def test_nothing_is_lost_or_done_twice(tmp_path: Path) -> None:
    kill_while_they_run(tmp_path / "serve", 10, 3, seed=1, pause=0.5)


def test_nor_on_postgresql(short: Path) -> None:
    with postgres(short) as url:
        options = ("--database", url)
        kill_while_they_run(short / "serve", 5, 2, 2, options, pause=0.5)


def test_a_newer_version_does_the_jobs_that_wait(tmp_path: Path) -> None:
    """And one that could not understand them leaves them as they are."""
    first = start(tmp_path, "--jobs", "1")
    try:
        running = first.send({"a.prototxt": SLOW}, "convert", FILL, wait=0).json["id"]
        waiting = [
            first.send({f"{n}.prototxt": SMALL}, "check", wait=0).json["id"] for n in range(4)
        ]
        wait_for_step(first, running, "prove")
    finally:
        first.kill()
    with serving(tmp_path, run=("-c", OTHER)) as other:
        assert other.get(f"/v1/jobs/{waiting[-1]}?wait=1").json["state"] == "queued"
        assert other.send({"new.prototxt": SMALL}).json["state"] == "done"
        assert steps(other, running) == []
    information = tmp_path / "newer" / "upconv-9.9.9.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(NEWER)
    path = f"{information.parent}:{Path(__file__).parents[3]}"
    with serving(tmp_path, PYTHONPATH=path) as newer:
        assert newer.get("/v1/version").json["version"] == "9.9.9"
        assert {over(newer, job)["state"] for job in (running, *waiting)} == {"done"}
        assert steps(newer, running) == ["prove"]
        asked_again = newer.send({"0.prototxt": SMALL}, "check").json["id"]
        assert asked_again != waiting[0]  # another version may find another thing
