"""The one home of timing: contenders in turn, processor time, the least of many rounds.

A machine that others use makes every figure larger and none smaller, so the least is what the work
takes; the median over it is the spread. Figures are compared within one run only.
"""

from __future__ import annotations

import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Time:
    """Seconds of processor time: the least, and the median, of some rounds."""

    least: float
    median: float

    @property
    def spread(self) -> float:
        """How much more than the least the median is."""
        return self.median / self.least - 1 if self.least else 0.0


def race(
    contenders: Mapping[str, Callable[[], Any]],
    rounds: int,
    clock: Callable[[], float] = time.process_time,
    warm: bool = True,
) -> dict[str, Time]:
    """The times of each contender, one round of all after the other, after one that is not counted
    where they are to be `warm`.

    >>> sorted(race({"a": list, "b": dict}, 2))
    ['a', 'b']
    """
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for contender in contenders.values() if warm else ():
        contender()
    for _ in range(rounds):
        for name, contender in contenders.items():
            started = clock()
            contender()
            taken[name].append(clock() - started)
    return {name: Time(min(all_), statistics.median(all_)) for name, all_ in taken.items()}


def children_seconds() -> float:
    """Processor time of the children that have ended: a clock for commands."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def command(
    *words: str, peak: list[float] | None = None, whole: bool = False
) -> Callable[[], None]:
    """A contender that runs a command, with bytecode cached as after any installation; its peak
    resident MiB are added to `peak`. With `whole` it has to succeed."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}

    def run() -> None:
        process = subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if whole and process.returncode:
            raise SystemExit(f"{' '.join(words)[:200]} failed")
        if peak is not None:
            peak.append(usage.ru_maxrss / 1024)

    return run


def upconv() -> str:
    """The command of the environment that measures."""
    return str(Path(sys.executable).parent / "upconv")


def machine() -> dict[str, Any]:
    """What figures depend on."""
    import numpy as np
    import onnxruntime as ort

    model = ""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        model = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), "")
    return {
        "processor": model or platform.processor(),
        "processors": os.cpu_count(),
        "load": os.getloadavg()[0],
        "system": platform.platform(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "onnxruntime": ort.__version__,
    }
