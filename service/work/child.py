"""Work in a child process, so that a crash of a native library becomes an error message.

The child is a plain interpreter that is sent its work through a pipe. `multiprocessing` would run
the caller's main module in it again, which a script that calls upconv need not be written for,
and gives a child the caller's environment and no other.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from subprocess import TimeoutExpired
from threading import Event, Timer
from typing import IO, Any, Final, TypeVar

from upconv.converters.ir.errors import UpconvError
from upconv.converters.ir.records import record
from upconv.service.work.confinement import Confinement, confine, die_with
from upconv.service.work.processes import Fork, Process, Spawn, cold, may_fork, search_path

Result = TypeVar("Result")
Progress = Callable[[str], None]

TRIES: Final = 3
"""How often work is begun whose process something else kills."""


class ChildError(UpconvError):
    """The child was ended, or has a defect."""


class KilledError(ChildError):
    """Somebody else has killed the child, as systems do that are short of memory."""


def spawn(environment: Mapping[str, str], folder: str | None) -> Process:
    """A child: a fork where this process is one itself, else an interpreter."""
    return Fork(environment, folder, run_sent) if may_fork() else cold(environment, folder)


def run_in_child(
    work: Callable[[Any, Progress], Result],
    request: object,
    progress: Progress,
    cleanup: Callable[[], None] = lambda: None,
    what: str = "onnxruntime",
    environment: Mapping[str, str] | None = None,
    seconds: float = 0,
    folder: str | None = None,
    started: Callable[[Callable[[], None]], None] = lambda kill: None,
    confinement: Confinement | None = None,
    start: Spawn = spawn,
) -> Result:
    """`work(request, progress)` in a process of its own, which runs `what`; both must be picklable.

    `environment` is the child's whole environment, the caller's where it is None, and `folder` its
    working folder. After `seconds`, where they are not 0, the child is killed. `started` is given
    what kills the child, for other threads. A `confinement` holds before the child reads what it is
    to do. Once the child is gone, however it went, `cleanup` is called. Raises the UpconvError that
    the child raised, KilledError where something else than this killed it, and ChildError where it
    ended otherwise; what `progress` raises ends it.
    """
    process = start(os.environ if environment is None else environment, folder)
    assert process.stdin is not None
    assert process.stdout is not None
    late = Event()
    try:
        started(process.kill)
        with _killed_after(seconds, process, late):
            send(process.stdin, search_path(), confinement, (work, request))
            outcome = _await(process.stdout, progress)
    except (EOFError, pickle.UnpicklingError):  # it was cut off in the middle of a message
        code = process.wait()
        if late.is_set():
            raise ChildError(_lateness(seconds, what)) from None
        kind = KilledError if code == -signal.SIGKILL else ChildError
        raise kind(_death(code, what)) from None
    except BaseException:
        process.kill()
        raise
    finally:
        _end(process)
        cleanup()
    result: Result = _result(outcome)
    return result


def _result(outcome: Any) -> Any:
    """What the child made; raises what it raised."""
    if isinstance(outcome, _Failure):
        raise outcome.error
    return outcome


def outcome_of(process: Process) -> Any:
    """What a child that `serve_items` made of its item; raises what that raised, and EOFError
    where the child was ended."""
    assert process.stdout is not None
    try:
        outcome = _await(process.stdout, lambda message: None)
    except pickle.UnpicklingError:  # it was cut off in the middle of a message
        raise EOFError from None
    return _result(outcome)


@contextmanager
def _killed_after(seconds: float, process: Process, late: Event) -> Iterator[None]:
    """Kill the process, and say so, where it is not left in time; 0 seconds are any time."""

    def kill() -> None:
        late.set()
        process.kill()

    timer = Timer(seconds, kill)
    timer.daemon = True
    if seconds > 0:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _lateness(seconds: float, what: str) -> str:
    return f"{what} was ended after {seconds:g} seconds; --timeout gives it more"


@record(frozen=True, slots=True)
class _Failure:
    """What the child answers in place of a result."""

    error: UpconvError


@record(frozen=True, slots=True)
class _Step:
    """What the child is doing."""

    message: str


def send(stream: IO[bytes], *messages: object) -> None:
    """Send a child its messages. Raises EOFError where it is gone."""
    try:
        for message in messages:
            pickle.dump(message, stream, protocol=pickle.HIGHEST_PROTOCOL)
            stream.flush()
    except BrokenPipeError:
        raise EOFError from None


def _await(stream: IO[bytes], progress: Progress) -> Any:
    while isinstance(answer := pickle.load(stream), _Step):
        progress(answer.message)
    return answer


def _end(process: Process) -> None:
    """Wait for a child that has said its last word, or is being ended."""
    try:
        process.wait(timeout=5)
    except TimeoutExpired:
        process.kill()
        process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None and not stream.closed:
            with suppress(BrokenPipeError):  # of what a child that is gone was still to be sent
                stream.close()


def main() -> None:
    """In a child that is an interpreter, whose search path was read already."""
    die_with(os.getppid())
    _do_what_is_sent()


def run_sent() -> None:
    """In a child that is a fork, which knows its search path."""
    pickle.load(sys.stdin.buffer)
    _do_what_is_sent()


def _do_what_is_sent() -> None:
    """Read the work from standard input, do it, and answer where standard output led. Whatever else
    is printed goes to standard error, so that it garbles no answer. Raises SystemExit where the
    parent is gone."""
    answers = _answers()
    try:
        if (confinement := pickle.load(sys.stdin.buffer)) is not None:
            confine(confinement)
        work, request = pickle.load(sys.stdin.buffer)
    except EOFError:
        raise SystemExit(1) from None
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    serve(work, request, answers)


def _answers() -> IO[bytes]:
    """Where answers go; what is printed from now on goes to standard error."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


def serve_items() -> None:
    """In a child: read the work, and do it with each item that is sent, until none is any more."""
    answers = _answers()
    with suppress(EOFError):
        work = pickle.load(sys.stdin.buffer)
        while True:
            serve(lambda item, progress: work(item), pickle.load(sys.stdin.buffer), answers)


def serve(work: Callable[..., Any], request: object, answers: IO[bytes]) -> None:
    """Send what is done, and the result or what went wrong. Raises SystemExit where nobody waits
    for it."""
    try:
        _tell(answers, work(request, lambda message: _tell(answers, _Step(message))))
    except UpconvError as error:
        _tell(answers, _Failure(_sendable(error)))
    except MemoryError:
        reason = (
            "there is not enough memory to run this model at this input size (--memory gives more)"
        )
        _tell(answers, _Failure(ChildError(reason)))
    except Exception as error:  # a defect of ours
        if os.environ.get("UPCONV_DEBUG"):
            traceback.print_exc()
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        text = f"upconv failed: {reason} (please report it; UPCONV_DEBUG=1 shows where)"
        _tell(answers, _Failure(ChildError(text)))


def _sendable(error: UpconvError) -> UpconvError:
    """The error, or its one line where it speaks of a place that cannot be sent."""
    try:
        pickle.dumps(error)
    except Exception:
        return ChildError(str(error))
    return error


def _tell(answers: IO[bytes], answer: object) -> None:
    """Raises SystemExit where the parent is gone: nobody waits for the rest."""
    try:
        pickle.dump(answer, answers, protocol=pickle.HIGHEST_PROTOCOL)
        answers.flush()
    except BrokenPipeError:
        raise SystemExit(1) from None


def _death(code: int, what: str) -> str:
    return f"the process that runs {what} {ending(code)}"


def ending(code: int) -> str:
    """How a process ended that should not have."""
    if code < 0:
        name = signal.Signals(-code).name
        why = _SIGNALS.get(name, "a crash of the native library")
        return f"was ended by {name} ({why})"
    return f"ended with code {code}; what it printed is above, or shown with UPCONV_DEBUG=1"


_SIGNALS: Final = {
    "SIGKILL": "out of memory?",
    "SIGXCPU": "it used up its processor time",
}
"""Signal -> what it means that a child was ended by it."""
