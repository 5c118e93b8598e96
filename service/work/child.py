"""Work in a child process, so that a crash of a native library becomes an error message."""

from __future__ import annotations

import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from upconv.converters.ir.errors import UpconvError

Result = TypeVar("Result")

SAFE_PATH = ("PYTHONSAFEPATH", "1")
"""For the child's interpreter, which would look for its first modules in the working folder: a
repository of models may have a multiprocessing.py there."""


class ChildError(UpconvError):
    """An error of the child, already rendered as one line."""


def run_in_child(
    work: Callable[..., Result],
    request: object,
    progress: Callable[[str], None],
    cleanup: Callable[[int], None] = lambda process: None,
    what: str = "onnxruntime",
) -> Result:
    """`work(request, progress)` in a fresh process, which runs `what`; both must be picklable.

    Once the child is gone, however it went, `cleanup` is called with its process id. Raises
    ChildError with the child's own message, or saying that it was killed.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(work, request, sender), daemon=True)
    os.environ.setdefault(*SAFE_PATH)
    process.start()
    sender.close()
    try:
        result: Result = _await(receiver, progress)
        return result
    except EOFError:
        process.join()
        raise ChildError(_death(process.exitcode, what)) from None
    except KeyboardInterrupt:
        process.kill()
        raise
    finally:
        process.join(timeout=5)
        if process.is_alive():
            process.kill()
            process.join()
        cleanup(process.pid or 0)


def _await(receiver: Connection, progress: Callable[[str], None]) -> Any:
    while True:
        kind, value = receiver.recv()
        if kind == "progress":
            progress(value)
        elif kind == "error":
            raise ChildError(value)
        else:
            return value


def _serve(work: Callable[..., Any], request: object, sender: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    try:
        _tell(sender, "result", work(request, lambda text: _tell(sender, "progress", text)))
    except UpconvError as error:
        _tell(sender, "error", str(error))
    except MemoryError:
        _tell(sender, "error", "there is not enough memory to run this model at this input size")
    except Exception as error:  # a defect of ours
        if os.environ.get("UPCONV_DEBUG"):
            traceback.print_exc()
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        text = f"upconv failed: {reason} (please report it; UPCONV_DEBUG=1 shows where)"
        _tell(sender, "error", text)
    finally:
        sender.close()


def _tell(sender: Connection, kind: str, value: object) -> None:
    """Raises SystemExit where the parent is gone: nobody waits for the rest."""
    try:
        sender.send((kind, value))
    except BrokenPipeError:
        raise SystemExit(1) from None


def _death(code: int | None, what: str) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        why = "out of memory?" if name == "SIGKILL" else "a crash of the native library"
        return f"the process that runs {what} was ended by {name} ({why})"
    said = "what it printed is above, or shown with UPCONV_DEBUG=1"
    return f"the process that runs {what} ended with code {code}; {said}"
