"""Processes that work is sent to through a pipe: interpreters of their own, and forks.

A fork begins with everything that this process has imported, which an interpreter takes a second
for. It is only for a process that has one thread, and has seen nothing that its forks should not.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from subprocess import PIPE, Popen, TimeoutExpired
from typing import IO, Final, Protocol

from upconv.service.work.confinement import die_with

SAFE_PATH: Final = "PYTHONSAFEPATH"
"""For the child and its own children: a repository of models may have a pickle.py in it, and an
interpreter looks for its first modules in the working folder."""

START: Final = """\
import signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
import pickle, sys
try:
    sys.path[:] = pickle.load(sys.stdin.buffer)
except EOFError:
    raise SystemExit(1) from None
"""
"""How a child begins. The parent decides when to stop, so the child is deaf to Ctrl-C; where the
parent is gone before it said anything, there is nothing to say."""

CHILD: Final = f"{START}from upconv.service.work.child import main\nmain()\n"


class Process(Protocol):
    """A child. `wait` gives its exit code, that of the signal as a negative number, and raises
    TimeoutExpired; `kill` may come from any thread, and at any time."""

    @property
    def stdin(self) -> IO[bytes] | None: ...
    @property
    def stdout(self) -> IO[bytes] | None: ...
    def kill(self) -> None: ...
    def wait(self, timeout: float | None = None) -> int: ...


Spawn = Callable[[Mapping[str, str], str | None], Process]
"""Starts a child with this environment, in this folder."""


def interpreter(
    code: str, environment: Mapping[str, str], folder: str | None = None, stdin: int = PIPE
) -> Popen[bytes]:
    """A fresh interpreter that runs `code`, with pipes to it unless it is given a descriptor."""
    return Popen(
        [sys.executable, "-I" if sys.flags.isolated else "-P", "-c", code],
        stdin=stdin,
        stdout=PIPE if stdin == PIPE else None,
        env={SAFE_PATH: "1", **environment},
        cwd=folder,
    )


def search_path() -> list[str]:
    """Where this process looks for modules, for an interpreter elsewhere."""
    return [os.path.abspath(folder) if folder == "" else folder for folder in sys.path]


def cold(environment: Mapping[str, str], folder: str | None) -> Process:
    """A child that is an interpreter."""
    return interpreter(CHILD, environment, folder)


def may_fork() -> bool:
    """Whether this process is a fork itself, and has one thread."""
    return bool(_is_fork) and one_thread()


def one_thread() -> bool:
    """Whether this process has one thread, and the system can tell; its forks have no locks then
    that nobody holds."""
    return sys.platform.startswith("linux") and len(os.listdir("/proc/self/task")) == 1


_is_fork: list[bool] = []


class Fork:
    """A fork of this process, which does `run`."""

    def __init__(
        self, environment: Mapping[str, str], folder: str | None, run: Callable[[], None]
    ) -> None:
        theirs_in, ours_in = os.pipe()
        ours_out, theirs_out = os.pipe()
        self._pid = fork(theirs_in, theirs_out, environment, folder or ".", run)
        os.close(theirs_in)
        os.close(theirs_out)
        self._code: int | None = None
        self.stdin = os.fdopen(ours_in, "wb")
        self.stdout = os.fdopen(ours_out, "rb")

    def kill(self) -> None:
        if self._code is None:  # nobody else waits for it, so that its number is still its own
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        if self._code is None:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGTERM)

    def wait(self, timeout: float | None = None) -> int:
        if self._code is None:
            ended(self._pid, timeout)
            self._code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        return self._code


def ended(pid: int, timeout: float | None) -> None:
    """Wait until a child of this process has ended. Raises TimeoutExpired."""
    import select

    watched = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(watched, select.POLLIN)
        if not poll.poll(None if timeout is None else 1000 * timeout):
            raise TimeoutExpired("a fork", timeout or 0.0)
    finally:
        os.close(watched)


def fork(
    stdin: int, stdout: int, environment: Mapping[str, str], folder: str, run: Callable[[], None]
) -> int:
    """Fork this process, which has one thread; the fork does `run`, and never returns from here. It
    has no other descriptor of this process but standard error."""
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        die_with(parent)
        _become(stdin, stdout, environment, folder)
        run()
        code = 0
    except (EOFError, SystemExit):  # the parent is gone
        pass
    finally:
        os._exit(code)  # what is registered to be done at the end is the parent's


def _become(stdin: int, stdout: int, environment: Mapping[str, str], folder: str) -> None:
    os.dup2(stdin, 0)
    os.dup2(stdout, 1)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    sys.stdin = os.fdopen(0, "r", closefd=False)
    os.chdir(folder)  # noqa: TID251  (this process has one thread)
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None
    _is_fork[:] = [True]
