"""How many processors this process may use."""

from __future__ import annotations

import os


def processors() -> int:
    """Those it is bound to, where the system tells, else all of the machine."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
