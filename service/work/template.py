"""A template of children: a process that has imported what they need, and is forked for each.

The template has one thread and reads nothing of what its forks are sent: it is told a folder and an
environment, and is handed the ends of two pipes and of a leash, a socket through which it learns
that the child shall end and says how it did. Where systems have no such thing, children are
interpreters as everywhere else. A template that ended takes its forks with it, and the next child
starts another.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from select import POLLIN, poll
from subprocess import Popen, TimeoutExpired
from typing import IO, Final

from upconv.converters.ir.records import record
from upconv.service.work.child import run_sent
from upconv.service.work.processes import Process, cold, fork, interpreter, search_path

CODE: Final = """\
import signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
import json, socket, sys
control = socket.socket(fileno=0)
sys.path[:], modules, prepare = json.loads(control.recv(1 << 16) or sys.exit())
from upconv.service.work.template import serve
serve(control, modules, prepare)
"""
LONGEST: Final = 1 << 16
REST: Final = 60.0
"""Seconds without a template after one that could not prepare itself."""

TEMPLATE: Final = (
    "upconv.service.work",
    "upconv.service.reports",
    "upconv.linter",
    "upconv.converters",
)
"""What most children need to have imported. onnxruntime is not among it: it starts a thread."""

FITS: Final = sys.platform.startswith("linux") and hasattr(os, "pidfd_open")


class Template:
    """A template of this process's children, from any thread. `modules` are imported in it, and all
    below those that are packages; `prepare` of the first of them is called then, unless it is "".
    `environment` is its own."""

    def __init__(
        self, modules: Sequence[str], environment: Mapping[str, str], prepare: str = ""
    ) -> None:
        self._wanted = [*modules], prepare
        self._environment = environment
        self._lock = threading.Lock()
        self._running: tuple[Popen[bytes], socket.socket] | None = None
        self._rests_until = 0.0

    def spawn(self, environment: Mapping[str, str], folder: str | None) -> Process:
        """A fork of it, or an interpreter where no template is to be had."""
        for _ in range(2):  # the first may have ended at this moment
            with self._lock:
                running = self._ensured()
            if running is None:
                break
            process, control = running
            try:
                return _forked(control, environment, folder or ".")
            except OSError:
                process.kill()
                process.wait()
        return cold(environment, folder)

    def start(self) -> None:
        """Start it, unless it runs, or rests since the last one was of no use."""
        with self._lock:
            self._ensured()

    def stop(self) -> None:
        """End it, and its forks."""
        with self._lock:
            if self._running is not None:
                self._running[1].close()
                self._running[0].wait()
                self._running = None

    def _ensured(self) -> tuple[Popen[bytes], socket.socket] | None:
        if self._running is not None:
            process, control = self._running
            if process.poll() is None:
                return self._running
            if not _was_ready(control):
                self._rests_until = time.monotonic() + REST
            control.close()
            self._running = None
        if not FITS or time.monotonic() < self._rests_until:
            return None
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            process = interpreter(CODE, self._environment, stdin=theirs.fileno())
        ours.send(json.dumps([search_path(), *self._wanted]).encode())
        self._running = process, ours
        return self._running


def _was_ready(control: socket.socket) -> bool:
    """Whether a template that has ended had prepared all before."""
    for _ in range(2):  # that it has not read what it was asked last is told before what it said
        with suppress(OSError):
            return bool(control.recv(LONGEST, socket.MSG_DONTWAIT))
    return False


def _forked(control: socket.socket, environment: Mapping[str, str], folder: str) -> Process:
    """Ask for a fork. Raises OSError where nobody hears it."""
    words = json.dumps([folder, dict(environment)]).encode()
    theirs_in, ours_in = os.pipe()
    ours_out, theirs_out = os.pipe()
    leash, collar = socket.socketpair()
    led = _Led(os.fdopen(ours_in, "wb"), os.fdopen(ours_out, "rb"), leash)
    try:
        socket.send_fds(control, [words], (theirs_in, theirs_out, collar.fileno()))
    except OSError:
        led.close()
        raise
    finally:
        collar.close()
        os.close(theirs_in)
        os.close(theirs_out)
    return led


class _Led:
    """A fork of a template, seen from the process that asked for it."""

    def __init__(self, stdin: IO[bytes], stdout: IO[bytes], leash: socket.socket) -> None:
        self.stdin = stdin
        self.stdout = stdout
        self._leash = leash
        self._code: int | None = None

    def kill(self) -> None:
        with suppress(OSError):  # it has ended
            self._leash.send(b"end")

    def wait(self, timeout: float | None = None) -> int:
        if self._code is None:
            self._leash.settimeout(timeout)
            try:
                said = self._leash.recv(LONGEST)
            except TimeoutError:
                raise TimeoutExpired("a fork", timeout or 0.0) from None
            except OSError:
                said = b""
            self._code = int(said or -signal.SIGKILL)  # with the template, its forks are gone
            self._leash.close()
        return self._code

    def close(self) -> None:
        self.stdin.close()
        self.stdout.close()
        self._leash.close()


@record(frozen=True, slots=True)
class _Child:
    """A fork, seen from the template: its process, a descriptor of it, and its leash."""

    pid: int
    watched: int
    leash: socket.socket


def serve(control: socket.socket, modules: Sequence[str], prepare: str) -> None:
    """In the template: fork whenever it is asked for, until nobody is there to ask, and import
    between whiles."""
    with suppress(ConnectionError):  # nobody is there
        _serve(control, modules, prepare)


def _serve(control: socket.socket, modules: Sequence[str], prepare: str) -> None:
    asked = poll()
    asked.register(control, POLLIN)
    children: dict[int, _Child] = {}
    imports = _imports(modules, prepare)
    more = True
    while True:
        # New children come last: they may be given the descriptors of those that have just ended.
        events = sorted(asked.poll(0 if more else None), key=lambda one: one[0] == control.fileno())
        for descriptor, _ in events:
            if descriptor == control.fileno():
                _take(_child(control), children, asked)
            elif child := children.get(descriptor):
                _attend(child, descriptor, children, asked)
        if more and not events and not (more := next(imports, False)):
            control.send(b"ready")


def _child(control: socket.socket) -> _Child:
    """Fork once. Raises SystemExit where nobody is there to ask."""
    words, ends, _, _ = socket.recv_fds(control, LONGEST, 3)
    if not words:
        raise SystemExit
    stdin, stdout, leash = ends
    folder, environment = json.loads(words)
    pid = fork(stdin, stdout, environment, folder, run_sent)
    os.close(stdin)
    os.close(stdout)
    return _Child(pid, os.pidfd_open(pid), socket.socket(fileno=leash))


def _take(child: _Child, children: dict[int, _Child], asked: poll) -> None:
    for descriptor in (child.watched, child.leash.fileno()):
        children[descriptor] = child
        asked.register(descriptor, POLLIN)


def _attend(child: _Child, descriptor: int, children: dict[int, _Child], asked: poll) -> None:
    """End a child whose leash was pulled, or is held by nobody; tell how one has ended."""
    if descriptor != child.watched:
        asked.unregister(descriptor)
        os.kill(child.pid, signal.SIGKILL)  # nobody else waits for it: it is there, or a zombie
        return
    code = os.waitstatus_to_exitcode(os.waitpid(child.pid, 0)[1])
    with suppress(OSError):
        child.leash.send(str(code).encode())
    for each in (child.watched, child.leash.fileno()):
        with suppress(KeyError):
            asked.unregister(each)
        del children[each]
    child.leash.close()
    os.close(child.watched)


def _imports(modules: Sequence[str], prepare: str) -> Iterator[bool]:
    """Import the modules, and those below them, one at each step; what cannot be imported here
    fails where it is needed, with the message that belongs there."""
    names = deque(modules)
    while names:
        name = names.popleft()
        with suppress(ImportError):
            module = importlib.import_module(name)
            below = pkgutil.iter_modules(getattr(module, "__path__", ()), f"{name}.")
            names += [each.name for each in below if not each.name.endswith(".__main__")]
        yield True
    if prepare:
        getattr(importlib.import_module(modules[0]), prepare)()
    if len(os.listdir("/proc/self/task")) > 1:
        raise SystemExit("a template of processes has more than one thread")
    gc.collect()
    gc.freeze()  # the collector would write into pages that are shared with the forks
