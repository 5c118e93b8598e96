"""A pool of processes that do the same work on many files, one file each at a time.

It is known which file each has, so that where a process is ended no other file is lost with it.
Where this process may be forked its children are forks, which begin with what it has imported; else
they are interpreters of their own.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from selectors import EVENT_READ, DefaultSelector
from subprocess import Popen, TimeoutExpired
from typing import Any, Final, TypeAlias

from upconv.converters.ir.records import record
from upconv.converters.processors import ONE_THREAD
from upconv.linter.running.workers import Done, Item, Result, Task
from upconv.service.work.child import TRIES, ending, outcome_of, send, serve_items
from upconv.service.work.processes import START, Fork, interpreter, one_thread, search_path

GRACE: Final = 5.0
"""Seconds in which a process that is asked to end may tidy up."""

_Process: TypeAlias = "Fork | Popen[bytes]"


@record(frozen=True, slots=True)
class Pool:
    """So many processes. A file that ends the one which has it is lost; where something else killed
    that one, as a system does that is short of memory, the file is done again."""

    processes: int

    def map(self, task: Task[Item, Result], items: Sequence[Item]) -> Done[Result]:
        """As `Workers.map`."""
        waiting = deque((number, 1) for number in range(len(items)))
        with _Members(task.work) as members:
            while waiting or members.busy:
                while waiting and len(members.busy) < self.processes:
                    number, tries = waiting.popleft()
                    members.give(number, tries, items[number])
                for number, tries, code, result in members.answers():
                    if code is None:
                        yield number, result
                    elif code == -signal.SIGKILL and tries < TRIES:
                        waiting.appendleft((number, tries + 1))
                    else:
                        yield number, task.lost(items[number], f"it {ending(code)}")


class _Members:
    """The processes of a pool. As a context manager it ends them."""

    def __init__(self, work: Any) -> None:
        self._work = work
        self._idle: list[_Process] = []
        self._selector = DefaultSelector()
        self.busy: dict[_Process, tuple[int, int]] = {}

    def __enter__(self) -> _Members:
        return self

    def __exit__(self, *error: object) -> None:
        self._selector.close()
        _end([*self._idle, *self.busy])

    def give(self, number: int, tries: int, item: object) -> None:
        """Hand an item to a process, a new one where none is idle."""
        new = not self._idle
        process = _started() if new else self._idle.pop()
        assert process.stdin is not None
        assert process.stdout is not None
        self.busy[process] = number, tries
        self._selector.register(process.stdout, EVENT_READ, process)
        with suppress(EOFError):  # that it is gone is seen where its answer should be
            if new:
                send(process.stdin, search_path(), self._work)
            send(process.stdin, item)

    def answers(self) -> Iterator[tuple[int, int, int | None, Any]]:
        """(number, tries, None, result) of items that are done by now, and (number, tries, exit
        code, None) of those whose process has ended; waits for the next one."""
        for key, _ in self._selector.select():
            process: _Process = key.data
            self._selector.unregister(key.fileobj)
            code = result = None
            try:
                result = outcome_of(process)
            except EOFError:
                code = process.wait()
                _end([process])
            number, tries = self.busy.pop(process)
            if code is None:
                self._idle.append(process)
            yield number, tries, code, result


def _started() -> _Process:
    environment = {ONE_THREAD: "1", **os.environ}
    if one_thread():
        return Fork(environment, None, _main_of_fork)
    return interpreter(f"{START}from upconv.service.work.pool import main\nmain()\n", environment)


def main() -> None:
    """In a process of the pool."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    for name in ("SIGTERM", "SIGHUP"):
        if number := getattr(signal, name, None):
            signal.signal(number, _interrupt)
    with suppress(KeyboardInterrupt):
        serve_items()


def _main_of_fork() -> None:
    """The same where there is nothing to learn from the search path, which comes first."""
    pickle.load(sys.stdin.buffer)
    main()


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _end(processes: Sequence[_Process]) -> None:
    """End processes, which may remove what they have not finished."""
    for process in processes:
        with suppress(ProcessLookupError):
            process.terminate()
    for process in processes:
        try:
            process.wait(timeout=GRACE)
        except TimeoutExpired:
            process.kill()
            process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()
