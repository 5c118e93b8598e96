"""The whole verification of a converted model, as requests that a child process can serve.

Against its source there are two: the framework runs in a process of its own, and onnxruntime and
the comparison in the next, so that neither can disturb the other.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass

from upconv.converters.proof.source import ENVIRONMENT, SourceRun
from upconv.converters.proof.verify import Verification, verify
from upconv.converters.readers.options import ReadOptions


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
    from upconv.converters.passes.fill import fill_missing
    from upconv.converters.readers.formats import open_graph

    model = fill_missing(open_graph(request.model, request.options), request.fill)
    return verify(model, request.onnx, request.seed, progress)


def run_framework(request: ProofRequest, progress: Callable[[str], None]) -> SourceRun:
    """Run the model in the framework that it is from; this process is one for frameworks now."""
    from upconv.converters.proof.against_source import source_stimuli
    from upconv.converters.proof.source import require_framework, run_source
    from upconv.converters.readers.formats import open_graph

    os.environ.update(ENVIRONMENT)
    _silence()
    model = open_graph(request.model, request.options)
    require_framework(model)
    return run_source(model, request.options, source_stimuli(model, request.seed), progress)


def _silence() -> None:
    """Take the standard streams from this process, down to what native libraries write: frameworks
    greet, and a model may print. With UPCONV_DEBUG all of it is shown on standard error."""
    sys.stdout.flush()
    target = 2 if os.environ.get("UPCONV_DEBUG") else os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(target, stream)


def prove_against(
    request: tuple[ProofRequest, SourceRun], progress: Callable[[str], None]
) -> Verification:
    """Compare the ONNX file with what the framework computed."""
    from upconv.converters.proof.against_source import verify_against
    from upconv.converters.readers.formats import open_graph

    asked, source = request
    model = open_graph(asked.model, asked.options)
    return verify_against(model, asked.onnx, source, progress)
