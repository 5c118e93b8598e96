"""One input, bounded: seconds of CPU by a timer, memory by the system's limit on the process."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

SECONDS: Final = 10
BYTES: Final = 1 << 30


class SlowError(BaseException):
    """An input that took more than SECONDS; no handler of ours may swallow it."""


@contextmanager
def in_time(seconds: float = SECONDS) -> Iterator[None]:
    """Raise SlowError where the block takes more than so many seconds of CPU."""

    def ring(number: int, frame: Any) -> None:
        raise SlowError(f"more than {seconds} seconds of CPU")

    before = signal.signal(signal.SIGVTALRM, ring)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


@contextmanager
def in_memory(size: int = BYTES) -> Iterator[None]:
    """Raise MemoryError where the block needs more than `size` bytes beyond what there is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm", "rb") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
