"""A conversion: a model in, an ONNX file out, and the proof that nothing moved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from upconv.converters.ir.errors import UsageError
from upconv.converters.ir.records import record
from upconv.converters.passes.cut import Cut
from upconv.converters.readers.options import ReadOptions
from upconv.service.work.limits import Limits
from upconv.service.work.proving import VerifyRequest, verify
from upconv.service.work.staging import (
    SUFFIXES,
    Staging,
    report_place,
    require_apart,
    write_proof,
)

if TYPE_CHECKING:
    from upconv.converters.ir.model import Model
    from upconv.converters.onnx_writer import UpsamplingFile, WriteOptions
    from upconv.converters.onnx_writer.options import Bilinear, ExternalData, UnknownLayers
    from upconv.converters.proof.report import Verdict, Verification

Progress = Callable[[str], None]
Only = Literal["", "upsampling"]


@record(frozen=True, slots=True)
class ConvertRequest:
    """A model, in a file or in memory, and how it is to be written and proven.

    `options` are of a model in a file. `fill` are the fillers that missing weights are made from.
    `only` "upsampling" makes a folder of `out`, with one small model a layer and no proof. `report`
    is where the proof goes as JSON. `part` is what of the model is converted, all of it where it
    names nothing. `unknown` layers are refused or become nodes of a domain of our own. `limits` are
    of the process that proves.
    """

    model: str | Model
    out: str
    options: ReadOptions = ReadOptions()
    fill: tuple[str, ...] = ()
    opset: int = 18
    bilinear: Bilinear = "conv-transpose"
    external_data: ExternalData = "auto"
    only: Only = ""
    prove: bool = True
    seed: int = 0
    report: str = ""
    part: Cut = Cut()
    unknown: UnknownLayers = "refuse"
    limits: Limits = Limits()

    @property
    def writing(self) -> WriteOptions:
        from upconv.converters.onnx_writer import WriteOptions

        return WriteOptions(self.opset, self.external_data, self.bilinear, self.unknown)


@record(frozen=True, slots=True)
class Conversion:
    """What a conversion left behind.

    `path` is the model; OUT.onnx.failed where the proof did not pass, so that nobody ships it, and
    a folder where only `layers` were written. `proof` is None where none was made.
    """

    path: str
    out: str
    opset: int
    proof: Verification | None = None
    layers: tuple[UpsamplingFile, ...] = ()

    @property
    def verdict(self) -> Verdict | Literal["not verified"]:
        return self.proof.verdict if self.proof else "not verified"

    def __repr__(self) -> str:
        return f"<Conversion {self.path}: {self.verdict}, opset {self.opset}>"

    def __str__(self) -> str:
        if self.layers:
            return f"{self.out}: {len(self.layers)} upsampling layers written, see index.json"
        if self.proof is None:
            return f"{Path(self.out)}: written, opset {self.opset}, not verified"
        return str(replace(self.proof, onnx=self.path))


def convert(request: ConvertRequest, progress: Progress = lambda message: None) -> Conversion:
    """Write the model, and prove in onnxruntime that the file computes the same.

    Raises UnreadableError and UnsupportedError for a model that cannot be converted, UsageError
    for a request that cannot be met, OSError where a file cannot be written, and what `verify`
    raises.
    """
    _require_possible(request)
    source = _source(request)
    if request.only:
        from upconv.converters.onnx_writer import write_upsampling

        layers = write_upsampling(source, request.out, request.writing)
        return Conversion(request.out, request.out, request.opset, layers=tuple(layers))
    return _written(source, request, progress)


def _require_possible(request: ConvertRequest) -> None:
    """Raise UsageError before the work, not after it."""
    if request.report and (request.only or not request.prove):
        raise UsageError("--report needs the proof, which --no-verify and --only leave out")
    reports = [request.report] if request.report else []
    require_apart([f"{request.out}{suffix}" for suffix in SUFFIXES] + reports, _read(request))
    if request.report:
        report_place(request.report)


def _read(request: ConvertRequest) -> tuple[str, str]:
    """The files that the model is read from."""
    if isinstance(request.model, str):
        return request.model, request.options.weights
    return request.model.path, request.model.weights_path


def _source(request: ConvertRequest) -> Model:
    from upconv.converters.passes.cut import cut
    from upconv.converters.passes.fill import fill_missing
    from upconv.converters.readers.formats import open_graph, require_graph

    if isinstance(request.model, str):
        model = open_graph(request.model, request.options)
    else:
        model = require_graph(request.model)
    return fill_missing(cut(model, request.part), request.fill)


def _written(source: Model, request: ConvertRequest, progress: Progress) -> Conversion:
    from upconv.converters.onnx_writer import write_onnx

    out = Path(request.out)
    with Staging(out) as staging:
        opset = write_onnx(source, staging.path, request.writing).opset
        if not request.prove:
            return Conversion(str(staging.publish()), request.out, opset)
        proof = verify(_proof_request(request, staging.path), progress)
        passed = proof.verdict == "pass"
        final = staging.publish() if passed else staging.publish_failed()
    proof = replace(proof, onnx=str(out))
    if request.report:
        write_proof(request.report, proof)
    return Conversion(str(final), request.out, opset, proof)


def _proof_request(request: ConvertRequest, written: Path) -> VerifyRequest:
    """The child reads a file itself: a proof that began from our model would trust its reading."""
    asked = (request.model, str(written), request.options, request.fill, request.seed)
    return VerifyRequest(*asked, part=request.part, limits=request.limits)


def fill_kinds(text: str) -> tuple[str, ...]:
    """The filler kinds of --fill-missing; UsageError for one that cannot be made."""
    from upconv.converters.passes.fill import FILLERS

    kinds = tuple(kind.strip() for kind in text.split(",") if kind.strip())
    for kind in kinds:
        if kind not in FILLERS:
            hint = f"it takes {' and '.join(FILLERS)}; other fillers are random"
            raise UsageError(f"--fill-missing {kind}: this filler cannot be made", hint=hint)
    return kinds
