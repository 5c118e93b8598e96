"""Work in a child process: results, errors, crashes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import ROOT
from upconv.converters.ir.errors import UsageError
from upconv.service.work.child import ChildError, run_in_child

Progress = Callable[[str], None]


def double(request: int, progress: Progress) -> int:
    progress("half way")
    return 2 * request


def fail(request: int, progress: Progress) -> int:
    raise UsageError("no such thing", path="a.prototxt")


def crash(request: int, progress: Progress) -> int:
    os.kill(os.getpid(), signal.SIGSEGV)
    return 0


def test_a_result_and_its_progress_come_back() -> None:
    seen: list[str] = []
    assert run_in_child(double, 21, seen.append) == 42
    assert seen == ["half way"]


def test_no_module_of_the_working_folder_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People run upconv where the models are, and the child imports before it knows its path."""
    mark = tmp_path / "ran"
    for name in ("multiprocessing", "pickle", "struct"):
        (tmp_path / f"{name}.py").write_text(f"open({str(mark)!r}, 'w')\nraise SystemExit\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONSAFEPATH", "x")  # so that it is taken back afterwards
    monkeypatch.delenv("PYTHONSAFEPATH")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    assert run_in_child(double, 21, print) == 42
    assert not mark.exists()


def test_a_users_error_keeps_its_line() -> None:
    with pytest.raises(UsageError, match=r"^a\.prototxt: no such thing$"):
        run_in_child(fail, 1, print)


def test_a_crash_is_named() -> None:
    with pytest.raises(ChildError, match="ended by SIGSEGV"):
        run_in_child(crash, 1, print)


def test_what_ran_is_named() -> None:
    with pytest.raises(ChildError, match="runs the source framework was ended by SIGSEGV"):
        run_in_child(crash, 1, print, what="the source framework")


def sleep(request: float, progress: Progress) -> int:
    time.sleep(request)
    return 1


def test_a_child_that_takes_too_long_is_ended() -> None:
    began = time.monotonic()
    with pytest.raises(ChildError, match=r"ended after 0\.5 seconds; --timeout"):
        run_in_child(sleep, 60, print, seconds=0.5)
    assert time.monotonic() - began < 30
    assert run_in_child(sleep, 0.1, print, seconds=60) == 1
