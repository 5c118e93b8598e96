"""Children that are forked from a template: as good as interpreters, strangers to each other."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from upconv.service.work.child import ChildError, KilledError, run_in_child
from upconv.service.work.confinement import Confinement
from upconv.service.work.template import FITS, Template

pytestmark = pytest.mark.skipif(not FITS, reason="templates are Linux's")
Progress = Callable[[str], None]
SEEN: list[str] = []
HERE = "tests.service.work.test_template"
TIGHT = Confinement(memory=10**9, cpu_seconds=1)


def note(request: str, progress: Progress) -> tuple[list[str], int, str, str | None]:
    """What earlier jobs left in this module, this process's parent, its folder and environment."""
    SEEN.append(request)
    return SEEN, os.getppid(), os.getcwd(), os.environ.get("OWN")


class _Opens:
    """Opens a socket where it is unpickled, before any work could begin."""

    def __reduce__(self) -> tuple[object, ...]:
        return socket.socket, ()


def do_nothing(request: object, progress: Progress) -> str:
    return "done"


def spin(request: object, progress: Progress) -> None:
    while True:
        pass


def in_a_child(request: object, progress: Progress) -> tuple[int, int]:
    return os.getpid(), run_in_child(parent, None, progress)


def parent(request: object, progress: Progress) -> int:
    return os.getppid()


def open_files(request: object, progress: Progress) -> list[str]:
    return sorted(os.readlink(f"/proc/self/fd/{each}") for each in os.listdir("/proc/self/fd")[:-1])


@pytest.fixture(scope="module")
def template() -> Iterator[Template]:
    yield (made := Template([HERE], {**os.environ, "TEMPLATES": "own"}))
    made.stop()


def ask(template: Template, work: Callable[[Any, Progress], Any], request: Any, **more: Any) -> Any:
    return run_in_child(work, request, lambda _: None, start=template.spawn, **more)


def test_no_job_sees_another(template: Template, tmp_path: Path) -> None:
    environment = {**os.environ, "OWN": "1"}
    first = ask(template, note, "a", folder=str(tmp_path), environment=environment)
    again = ask(template, note, "b")
    assert (first[0], again[0]) == (["a"], ["b"])
    assert first[1] == again[1] != os.getpid()  # of one template
    assert (first[2:], again[2:]) == ((str(tmp_path), "1"), (os.getcwd(), None))
    assert [name for name in ask(template, open_files, 0) if "socket" in name] == []


def test_it_is_confined_before_it_reads_what_it_is_to_do(template: Template) -> None:
    with pytest.raises(ChildError, match="ended with code 1"):
        ask(template, do_nothing, _Opens(), confinement=TIGHT)
    assert ask(template, do_nothing, _Opens()) == "done"
    with pytest.raises(ChildError, match="SIGXCPU"):
        ask(template, spin, None, confinement=TIGHT)


def test_it_is_ended_by_others_and_by_time(template: Template) -> None:
    with pytest.raises(KilledError):
        ask(template, spin, None, started=lambda kill: kill())
    began = time.monotonic()
    with pytest.raises(ChildError, match="ended after"):
        ask(template, spin, None, seconds=0.2)
    assert time.monotonic() - began < 20


def test_a_child_of_a_fork_is_a_fork(template: Template) -> None:
    own, above = ask(template, in_a_child, None)
    assert own == above


def test_a_template_that_ended_takes_its_forks_along_and_is_replaced(template: Template) -> None:
    before = ask(template, parent, None)
    wait_until_it_waits(before)
    with pytest.raises(KilledError):
        ask(template, spin, None, started=lambda _: os.kill(before, signal.SIGKILL))
    assert ask(template, parent, None) not in (before, os.getpid())


def wait_until_it_waits(pid: int) -> None:
    """A template that is killed while it prepares is not replaced for a while."""
    waits = 0
    while waits < 5:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
        waits = waits + 1 if state == "S" else 0
        time.sleep(0.05)


def test_without_a_template_a_child_is_an_interpreter() -> None:
    broken = Template([HERE, "tests.service.work.no_template"], os.environ, "no_such_function")
    for _ in range(100):
        with suppress(KilledError):  # with its template
            if ask(broken, parent, None) == os.getpid():
                break
    assert ask(broken, parent, None) == os.getpid()
    broken.stop()
