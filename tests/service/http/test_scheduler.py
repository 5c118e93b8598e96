"""Jobs on the workers of a dask scheduler, of which one is killed half way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.service.commands import upconv
from tests.service.http.killing import kill_while_they_run
from tests.service.http.server import PATH
from tests.service.http.test_jobs import SMALL


@contextmanager
def cluster(folder: Path, workers: int) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler's address and its workers, each a process of its own with one thread."""
    file = folder / "scheduler.json"
    environment = {**os.environ, "PYTHONPATH": PATH}
    program = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    ours = ["--scheduler-file", str(file), "--host", "127.0.0.1"]
    started: list[subprocess.Popen[bytes]] = []

    def start(*command: str) -> None:
        with (folder / f"log-{len(started)}").open("w") as log:
            started.append(
                subprocess.Popen(command, stderr=log, stdout=log, env=environment, cwd=folder)
            )

    start(*program, *ours, "--port", "0", "--no-dashboard")
    try:
        while not file.is_file():
            assert started[0].poll() is None, (folder / "log-0").read_text()
            time.sleep(0.1)
        for number in range(workers):
            start(
                sys.executable, "-m", "distributed.cli.dask_worker", *ours, "--no-nanny",
                "--no-dashboard", "--nthreads", "1", "--name", f"w{number}",
                "--local-directory", str(folder / f"w{number}"),
            )  # fmt: skip
        yield json.loads(file.read_text())["address"], started[1:]
    finally:
        for process in started:
            process.kill()
            process.wait()


def test_a_worker_that_is_lost_costs_nothing(tmp_path: Path) -> None:
    """Its steps are done again by the other, and all is the command line's."""
    pytest.importorskip("distributed")
    with cluster(tmp_path, 2) as (address, workers):
        half_way = threading.Timer(4, lambda: workers[0].send_signal(signal.SIGKILL))
        half_way.start()
        kill_while_they_run(tmp_path / "serve", 12, 1, 3, ("--scheduler", address), pause=0.5)
        half_way.join()
        assert workers[0].wait() == -signal.SIGKILL


def test_files_are_sent_to_a_worker_that_has_them_not(tmp_path: Path) -> None:
    from upconv.service.jobs.scheduled import Sent, do_step
    from upconv.service.jobs.steps import Laid, StepRequest
    from upconv.service.jobs.store import Store
    from upconv.service.work.confinement import Confinement

    blob = Store(tmp_path / "store").put([SMALL], 10**6)
    nowhere = Laid(f"/nowhere/{blob.sha256[:2]}/{blob.sha256[2:]}", "a.prototxt")
    request = StepRequest("check", "check", "{}", (nowhere,), (), Confinement(), 60)
    assert do_step(Sent(request, "", {})).missing == (blob.sha256,)
    sent = do_step(Sent(request, "", {blob.sha256: SMALL}))
    assert (sent.answer["exit_code"], "report.json" in sent.files) == (0, True)


def test_a_scheduler_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    asked = ("serve", "--port", "0", "--scheduler", "tcp://127.0.0.1:9")
    done = upconv(*asked, cwd=tmp_path, PYTHONPATH=PATH)
    assert (done.code, len(done.err.splitlines())) == (2, 1), done.err
    assert "--scheduler tcp://127.0.0.1:9" in done.err
