"""What a child process may take: an ONNX file can hold a loop without end, or ask for any memory.

Time is that of the clock, kept by the parent, which kills the child. Memory is kept by the system
(RLIMIT_AS, where there is one): what is asked for beyond it fails, and says so.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from upconv.converters.ir.records import record

if TYPE_CHECKING:
    from upconv.converters.ir.model import Model

SECONDS: Final = 1800
FREE_BYTES: Final = 1 << 31
GIGABYTE: Final = 10**9
TIMES: Final = 4
"""How often the values and weights of a model may lie in memory at once: onnxruntime's and the
reference's, in float32 and float64."""


@record(frozen=True, slots=True)
class Limits:
    """Seconds of a proof, 0 for any number, and gigabytes of its process; 0 gigabytes are four
    times what the model itself needs, and 2 GiB."""

    seconds: float = SECONDS
    gigabytes: float = 0.0


def bound_memory(size: int) -> None:
    """Let this process have `size` more bytes than it has now; less than before stays less."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        wanted = _bytes_now() + size
        least = min(limit for limit in (wanted, soft, hard) if limit != resource.RLIM_INFINITY)
        resource.setrlimit(resource.RLIMIT_AS, (least, hard))


def _bytes_now() -> int:
    """The address space of this process; 0 where the system does not say it."""
    with suppress(OSError), open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def bytes_for(model: Model, onnx: str) -> int:
    """What a proof of this model may take: nothing that is equal to it needs more.

    Raises UsageError where the shapes of its inputs are not known.
    """
    from upconv.converters.passes.live import live
    from upconv.converters.proof.memory import bytes_needed
    from upconv.converters.proof.stimuli import fixed_shapes, other_shapes

    used = live(model)
    shapes = (fixed_shapes(used), other_shapes(used))
    values = max(bytes_needed(used, each) for each in shapes if each is not None)
    weights = sum(4 * weight.size for layer in used.layers for weight in layer.weights.values())
    file = os.path.getsize(onnx) if os.path.isfile(onnx) else 0
    return FREE_BYTES + TIMES * (values + weights + file)
