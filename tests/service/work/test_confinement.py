"""A confined process: what it may no longer do, and that it goes with whoever started it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import ROOT
from upconv.service.work.child import ChildError, run_in_child
from upconv.service.work.confinement import Confinement, confine, probe
from upconv.service.work.limits import GIGABYTE

Progress = Callable[[str], None]
LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the filter is Linux's")
SMALL = Confinement(memory=GIGABYTE, cpu_seconds=1, file_bytes=4096, files=32)


def open_sockets(request: Confinement, progress: Progress) -> list[str]:
    confine(request)
    said = []
    for family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX):
        try:
            socket.socket(family, socket.SOCK_STREAM).close()
            said.append("open")
        except PermissionError:
            said.append("refused")
    child = "import socket; socket.socket(socket.AF_INET)"
    done = subprocess.run(
        [sys.executable, "-c", child], capture_output=True, text=True, check=False
    )
    return [*said, "refused" if "PermissionError" in done.stderr else "open"]


def write_much(request: Confinement, progress: Progress) -> str:
    confine(request)
    try:
        Path("large").write_bytes(bytes(request.file_bytes + 1))
    except OSError as error:
        return type(error).__name__ if error.errno != 27 else "too large"
    return "written"


def open_many(request: Confinement, progress: Progress) -> int:
    confine(request)
    files = []
    try:
        for _ in range(4 * request.files):
            files.append(open(os.devnull, "rb"))  # noqa: SIM115
    except OSError:
        return len(files)
    return 0


def take_memory(request: Confinement, progress: Progress) -> int:
    confine(request)
    return len(bytearray(2 * request.memory))


def spin(request: Confinement, progress: Progress) -> int:
    confine(request)
    while True:
        pass


@LINUX
def test_no_socket_opens_here_or_in_a_child() -> None:
    assert run_in_child(open_sockets, SMALL, print) == ["refused"] * 4


@LINUX
def test_it_says_what_the_system_keeps() -> None:
    held = run_in_child(probe, Confinement(), print)
    assert (held.limits, held.sockets) == (True, True)


@LINUX
def test_files_are_bounded_in_size_and_number(tmp_path: Path) -> None:
    assert run_in_child(write_much, SMALL, print, folder=str(tmp_path)) == "too large"
    assert 0 < run_in_child(open_many, SMALL, print) < SMALL.files


@LINUX
def test_memory_and_time_have_an_end() -> None:
    with pytest.raises(ChildError, match="not enough memory"):
        run_in_child(take_memory, SMALL, print)
    with pytest.raises(ChildError, match=r"SIGXCPU|SIGKILL"):
        run_in_child(spin, SMALL, print)


def test_another_thread_can_end_a_child() -> None:
    kill: list[Callable[[], None]] = []

    def at_once(stop: Callable[[], None]) -> None:
        kill.append(stop)
        stop()

    with pytest.raises(ChildError, match="SIGKILL"):
        run_in_child(spin, SMALL, print, started=at_once)
    kill[0]()  # of one that is gone it is nothing


SCRIPT = """\
import os
from tests.service.work.test_confinement import tell_pid
from upconv.service.work.child import run_in_child
run_in_child(tell_pid, 0, lambda text: print(text, flush=True))
"""


def tell_pid(request: int, progress: Progress) -> None:
    progress(str(os.getpid()))
    time.sleep(60)


@LINUX
def test_a_child_goes_with_whoever_started_it() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    for _ in range(100):
        if not _runs(child):
            return
        time.sleep(0.05)
    raise AssertionError("the child outlived its parent")


def _runs(process: int) -> bool:
    """Whether a process is there and is no zombie, whose end nobody has asked about."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
