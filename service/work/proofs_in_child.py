"""What child processes do for a proof: this process is theirs, and its streams too."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from upconv.converters.ir.records import record
from upconv.converters.passes.cut import Cut
from upconv.converters.readers.options import ReadOptions
from upconv.service.work.limits import GIGABYTE, Limits, bound_memory, bytes_for

if TYPE_CHECKING:
    from upconv.converters.ir.model import Model
    from upconv.converters.proof.plan import Extent
    from upconv.converters.proof.report import Verification
    from upconv.converters.proof.source import SourceRun


@record(frozen=True, slots=True)
class ProofRequest:
    """What to compare, and how to read a model that is in a file."""

    model: str | Model
    onnx: str
    options: ReadOptions
    fill: tuple[str, ...] = ()
    seed: int = 0
    data: str = ""
    part: Cut = Cut()
    limits: Limits = Limits()
    extent: Extent = "full"


def prove(request: ProofRequest, progress: Callable[[str], None]) -> Verification:
    """Read the model again and verify the ONNX file against it."""
    from upconv.converters.passes.cut import cut
    from upconv.converters.passes.fill import fill_missing
    from upconv.converters.proof.verify import verify

    model = fill_missing(cut(_model(request), request.part), request.fill)
    _bound_memory(request, model)
    return verify(model, request.onnx, request.seed, progress, request.data, request.extent)


def _bound_memory(request: ProofRequest, model: Model) -> None:
    given = int(request.limits.gigabytes * GIGABYTE)
    bound_memory(given or bytes_for(model, request.onnx))


def _model(request: ProofRequest) -> Model:
    from upconv.converters.readers.formats import open_graph

    if isinstance(request.model, str):
        return open_graph(request.model, request.options)
    return request.model


def run_framework(request: ProofRequest, progress: Callable[[str], None]) -> SourceRun:
    """Run the model in the framework that it is from; this process is one for frameworks now."""
    from upconv.converters.proof.against_source import source_stimuli
    from upconv.converters.proof.source import require_framework, run_source

    silence()
    model = _model(request)
    require_framework(model)
    stimuli = source_stimuli(model, request.seed, request.data)
    return run_source(model, request.options, stimuli, progress)


def silence() -> None:
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

    asked, source = request
    model = _model(asked)
    _bound_memory(asked, model)
    return verify_against(model, asked.onnx, source, progress)
