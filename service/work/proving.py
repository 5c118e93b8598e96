"""Proofs of an ONNX file, in child processes: a crash of onnxruntime or of a framework is then a
message and not the end of whoever asked."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Literal

from upconv.converters.ir.errors import UsageError
from upconv.converters.ir.records import record
from upconv.converters.passes.cut import Cut
from upconv.converters.processors import ONE_THREAD
from upconv.converters.readers.options import ReadOptions
from upconv.service.work.limits import Limits
from upconv.service.work.proofs_in_child import ProofRequest, prove, prove_against, run_framework

if TYPE_CHECKING:
    from upconv.converters.ir.model import Model
    from upconv.converters.proof.plan import Extent
    from upconv.converters.proof.report import Verification

Progress = Callable[[str], None]
"""Is told what is being done."""

Judge = Literal["reference", "source"]


@record(frozen=True, slots=True)
class VerifyRequest:
    """A model, in a file or in memory, and the ONNX file that is to be equal to it: the model
    itself, of which the runtime is judged, where none is named.

    `options` are of a model in a file. `fill` are the fillers that the conversion made weights
    from, `part` the part that it took. `extent` is how much is compared. `data` is a file or folder
    of inputs to compare on, "" for made ones. `against` is who judges: our float64 reference, or
    the framework that the model is from. `limits` are of each process that runs a model.
    """

    model: str | Model
    onnx: str
    options: ReadOptions = ReadOptions()
    fill: tuple[str, ...] = ()
    seed: int = 0
    data: str = ""
    against: Judge = "reference"
    part: Cut = Cut()
    limits: Limits = Limits()
    extent: Extent = "full"


def verify(request: VerifyRequest, progress: Progress = lambda message: None) -> Verification:
    """The proof that is asked for.

    Raises UsageError for what cannot be judged so, what reading and proving raise, and ChildError
    where the process that proves was ended.
    """
    asked = _proof_request(request)
    if request.against == "reference":
        return _certify(asked, progress)
    if request.extent != "full":
        raise UsageError(
            "--proof sampled is of layers, and the framework's run has none",
            hint="use --against reference",
        )
    if request.part != Cut():
        raise UsageError(
            "--outputs and --inputs cut the model, and its framework runs the whole",
            hint="use --against reference",
        )
    if request.fill:
        raise UsageError(
            "--fill-missing makes weights that the source framework does not have",
            hint="use --against reference",
        )
    if not isinstance(request.model, str):
        raise UsageError(
            "a model in memory has no file that its framework could read",
            hint="name the file, or use the reference",
        )
    return _certify_against_source(asked, progress)


def _proof_request(request: VerifyRequest) -> ProofRequest:
    model = request.model
    if not isinstance(model, str):
        from upconv.service.work.portable import portable

        model = portable(model)
    return ProofRequest(
        model,
        request.onnx or _own_file(request.model),
        request.options,
        request.fill,
        request.seed,
        request.data,
        request.part,
        request.limits,
        request.extent,
    )


def _own_file(model: str | Model) -> str:
    """The model's own file, where it is ONNX."""
    from upconv.converters.readers.formats import identify

    if isinstance(model, str) and identify(model) == "ONNX":
        return model
    raise UsageError(
        "a model that is no ONNX file is verified against one", hint="name the ONNX file too"
    )


def _certify(request: ProofRequest, progress: Progress) -> Verification:
    from upconv.converters.proof.runtime import remove_copies
    from upconv.service.work.child import run_in_child

    clean = partial(remove_copies, request.onnx)
    environment = {ONE_THREAD: "1", **os.environ}
    seconds = request.limits.seconds
    return run_in_child(prove, request, progress, clean, environment=environment, seconds=seconds)


def _certify_against_source(request: ProofRequest, progress: Progress) -> Verification:
    """The framework runs in a process of its own, and onnxruntime and the comparison in the next,
    so that neither can disturb the other."""
    from upconv.converters.proof.runtime import remove_copies
    from upconv.converters.proof.source import ENVIRONMENT
    from upconv.service.work.child import run_in_child

    source = run_in_child(
        run_framework,
        request,
        progress,
        what="the source framework",
        environment={**os.environ, **ENVIRONMENT},
        seconds=request.limits.seconds,
    )
    clean = partial(remove_copies, request.onnx)
    seconds = request.limits.seconds
    return run_in_child(prove_against, (request, source), progress, clean, seconds=seconds)
