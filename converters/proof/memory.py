"""Whether a verification fits into this machine's memory, asked before it is tried, and memory
that is given back."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Final

from upconv.converters.ir.errors import UsageError
from upconv.converters.ir.inference import infer
from upconv.converters.ir.model import Model
from upconv.converters.proof.places import with_shapes

BYTES_PER_VALUE: Final = 4
"""Of every value of the network, for one run shows them all in float32."""

BYTES_PER_LARGEST: Final = 24
"""Of the largest one: the reference's output and bound in float64, magnitudes in float32."""

CGROUP_LIMIT: Final = Path("/sys/fs/cgroup/memory.max")
GIGA: Final = 1e9


def require_memory(model: Model, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise UsageError where running a model at these input shapes surely takes more memory than
    there is: a process that is killed for it could not say why."""
    needed, there = bytes_needed(model, shapes), bytes_there()
    if there is None or needed <= there:
        return
    sizes = " ".join(f"{name}={'x'.join(map(str, shape))}" for name, shape in shapes.items())
    smaller = " ".join(f"--input {name}=1x3x224x224" for name in list(shapes)[:1])
    raise UsageError(
        f"verifying it at {sizes} takes about {needed / GIGA:,.0f} GB of memory, and there are "
        f"{there / GIGA:,.0f}",
        path=model.path,
        hint=f"give a smaller size, as in {smaller}",
    )


def bytes_needed(model: Model, shapes: Mapping[str, tuple[int, ...]]) -> int:
    """A low estimate of a verification's memory, weights left out."""
    known = infer(with_shapes(model, shapes)).shapes.values()
    counts = [prod(size for size in shape if isinstance(size, int)) for shape in known if shape]
    return BYTES_PER_VALUE * sum(counts) + BYTES_PER_LARGEST * max(counts, default=0)


def bytes_there() -> int | None:
    """This machine's memory, or what the container may use of it; None where nothing says it."""
    try:
        physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None
    try:
        return min(physical, int(CGROUP_LIMIT.read_text()))
    except (OSError, ValueError):
        return physical


def give_back() -> None:
    """Let the system have what is free in the heap: the C library keeps tens of megabytes of each
    thread's for later, which count beside all that a session takes while it loads."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:  # of glibc; others have nothing of the kind
        trim(0)
