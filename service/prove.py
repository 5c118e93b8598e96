"""The whole verification of a converted model, as one request a child process can serve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from converters.readers.options import ReadOptions
from converters.verify import Verification, verify


@dataclass(frozen=True, slots=True)
class ProofRequest:
    """Which files to compare, and how to read the model."""

    model: str
    onnx: str
    options: ReadOptions
    fill: tuple[str, ...] = ()
    seed: int = 0


def prove(request: ProofRequest, progress: Callable[[str], None]) -> Verification:
    """Read the model again and verify the ONNX file against it."""
    from converters.fill import fill_missing
    from converters.readers import open_graph

    model = fill_missing(open_graph(request.model, request.options), request.fill)
    return verify(model, request.onnx, request.seed, progress)
