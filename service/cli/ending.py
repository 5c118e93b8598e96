"""How the process of a command ends."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from typing import NoReturn


def end(code: int) -> NoReturn:
    """End this process, which was a command's own: do what is registered for the end, write what is
    still to be written, and leave the rest to the system, which takes all memory back at once.

    Python would search everything for garbage and take every module apart first, a seventh of the
    time of a small check. It does where somebody looks on (a debugger, a profiler, `python -i`),
    other threads are still at work, or the output cannot be written.
    """
    watched = sys.gettrace() or sys.getprofile() or sys.flags.interactive
    if not watched and threading.active_count() == 1 and _finished():
        os._exit(code)
    sys.exit(code)


def _finished() -> bool:
    run = getattr(atexit, "_run_exitfuncs", None)
    if run is None:
        return False
    run()
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not stream.closed:
                stream.flush()
    except (OSError, ValueError):
        return False
    return True
