"""How many processors this process may use, and how many it does."""

from __future__ import annotations

import os
from typing import Final

ONE_THREAD: Final = "OPENBLAS_NUM_THREADS"
"""For NumPy, set to 1 before it is imported. Its library of matrix products starts threads then,
which wait busily, a quarter of the time that importing takes. The reference shares its blocks out
among threads itself, and those of the products beside them would only wait for each other, which
takes half as long again. Nothing else multiplies matrices that are worth a thread."""


def processors() -> int:
    """Those it is bound to, where the system tells, else all of the machine."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
