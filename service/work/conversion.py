"""A conversion: a model in, an ONNX file out, and the proof that nothing moved."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from upconv.converters.ir.errors import UsageError
from upconv.converters.ir.records import record
from upconv.converters.passes.cut import Cut
from upconv.converters.readers.options import ReadOptions
from upconv.linter.reports.wording import json_text
from upconv.service.work.check_request import CheckRequest, known_targets
from upconv.service.work.limits import Limits
from upconv.service.work.proving import VerifyRequest, verify
from upconv.service.work.staging import (
    SUFFIXES,
    Staging,
    report_place,
    require_apart,
    write_text,
)

if TYPE_CHECKING:
    from upconv.converters.ir.model import Model
    from upconv.converters.onnx_writer import UpsamplingFile, WriteOptions
    from upconv.converters.onnx_writer.options import Bilinear, ExternalData, UnknownLayers
    from upconv.converters.proof.plan import Extent
    from upconv.converters.proof.report import Verdict, Verification
    from upconv.linter.finding import Finding, Report

Progress = Callable[[str], None]
Only = Literal["", "upsampling"]


@record(frozen=True, slots=True)
class ConvertRequest:
    """A model, in a file or in memory, and how it is to be written and proven.

    `options` are of a model in a file. `fill` are the fillers that missing weights are made from.
    `only` "upsampling" makes a folder of `out`, with one small model a layer and no proof. `report`
    is where the proof goes as JSON. `part` is what of the model is converted, all of it where it
    names nothing. `unknown` layers are refused or become nodes of a domain of our own. `limits` are
    of the process that proves. `rules` says which rules look at the model first, and what is known
    of it; where it is `strict`, an error that they find fails the conversion. `extent` is how much
    the proof compares. `targets` are engines that are to read the file alike: layers take the forms
    that they have in common.
    """

    model: str | Model
    out: str
    options: ReadOptions = ReadOptions()
    fill: tuple[str, ...] = ()
    opset: int | None = None
    bilinear: Bilinear = "conv-transpose"
    external_data: ExternalData = "auto"
    only: Only = ""
    prove: bool = True
    seed: int = 0
    report: str = ""
    part: Cut = Cut()
    unknown: UnknownLayers = "refuse"
    limits: Limits = Limits()
    rules: CheckRequest = CheckRequest()
    strict: bool = False
    extent: Extent = "full"
    targets: tuple[str, ...] = ()

    @property
    def writing(self) -> WriteOptions:
        from upconv.converters.onnx_writer import WriteOptions

        return WriteOptions(
            self.opset,
            self.external_data,
            self.bilinear,
            self.unknown,
            open_shapes=not self.targets,
        )


@record(frozen=True, slots=True)
class Conversion:
    """What a conversion left behind.

    `path` is the model; OUT.onnx.failed where it did not pass, so that nobody ships it, "" where
    nothing was written, and a folder where only `layers` were. `proof` is None where none was made.
    `found` are the errors that the rules find in the source: a proof says that the file computes
    what the source does, and not that the source is right. `retyped`: (name, type in the file, type
    in the source) of inputs and outputs.
    """

    path: str
    out: str
    opset: int
    proof: Verification | None = None
    layers: tuple[UpsamplingFile, ...] = ()
    found: Report | None = None
    strict: bool = False
    retyped: tuple[tuple[str, str, str], ...] = ()

    @property
    def verdict(self) -> Verdict | Literal["not verified"]:
        return self.proof.verdict if self.proof else "not verified"

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The errors that the rules find in the source."""
        return self.found.findings if self.found else ()

    @property
    def passed(self) -> bool:
        """Whether the command succeeds: nothing was proven wrong or left open, and the source has
        no errors where the conversion is strict."""
        return self.verdict in ("pass", "not verified") and not (self.strict and self.findings)

    def __repr__(self) -> str:
        where = self.path or self.out
        return f"<Conversion {where}: {self.verdict}{self._besides}, opset {self.opset}>"

    def __str__(self) -> str:
        return self.told()

    def told(self, *, colour: bool = False) -> str:
        """The errors that were found, and the verdict below them."""
        if not self.findings:
            return self.verdict_told()
        from upconv.linter.reports.text import text

        assert self.found is not None
        return f"{text(self.found, colour=colour, quiet=True)}\n{self.verdict_told()}"

    def verdict_told(self) -> str:
        """The verdict, in its first line, what it stands on, and what callers have to know."""
        told = self._verdict_told()
        return "\n".join((told, *_of_types(self.retyped))) if self.path else told

    def _verdict_told(self) -> str:
        if self.layers:
            layers = _counted(len(self.layers), "upsampling layer")
            return f"{self.out}: {layers} written, see index.json{self._besides}"
        if not self.path:
            return f"{self.out}: not written{self._besides}"
        if self.proof is None:
            return f"{Path(self.path)}: written, opset {self.opset}, not verified{self._besides}"
        from upconv.converters.proof.report import summary

        return summary(replace(self.proof, onnx=self.path), self._besides)

    @property
    def _besides(self) -> str:
        """What is said behind the verdict, which is about the file and not about its source."""
        count = len(self.findings)
        if not count:
            return ""
        errors = f"{_counted(count, 'error')} found by check"
        return f", but {errors} (--strict)" if self.strict else f", with {errors}"


def _of_types(retyped: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    """A line for each pair of types."""
    pairs = dict.fromkeys((made, stated) for _, made, stated in retyped)
    for pair in pairs:
        names = [name for name, *types in retyped if tuple(types) == pair]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        listed = ", ".join(f"'{name}'" for name in names[:3])
        yield f"note: {pair[0]} here, {pair[1]} in the source: {listed}{more}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def convert(request: ConvertRequest, progress: Progress = lambda message: None) -> Conversion:
    """Let the rules look at the model, write it, and prove in onnxruntime that the file computes
    the same.

    Raises UnreadableError and UnsupportedError for a model that cannot be converted, UsageError
    for a request that cannot be met, OSError where a file cannot be written, and what `verify`
    raises.
    """
    from upconv.converters.passes.cut import cut
    from upconv.converters.passes.fill import fill_missing

    _require_possible(request)
    whole = _read_model(request)
    part = cut(whole, request.part)
    found = _errors_in(part, whole, request)
    source = _portable(fill_missing(part, request.fill), request)
    blank = Conversion("", request.out, request.writing.version, found=found, strict=request.strict)
    if request.only:
        return _only_layers(source, request, blank)
    return _written(source, request, blank, progress)


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


def _read_model(request: ConvertRequest) -> Model:
    from upconv.converters.readers.formats import open_graph, require_graph

    if isinstance(request.model, str):
        return open_graph(request.model, request.options)
    return require_graph(request.model)


def _errors_in(part: Model, whole: Model, request: ConvertRequest) -> Report:
    """The errors that the rules find in what is converted, which is not read again for them.

    Some rules look at all that a text holds: what they find in a layer that is cut away is left
    out. Weights that are to be made are still missing, as for `check`.
    """
    from upconv.service.work.checking import check_read

    report = check_read(part, replace(request.rules, targets=()))  # the source is not what runs
    gone = {layer.name for layer in whole.layers} - {layer.name for layer in part.layers}
    files = (
        replace(file, findings=tuple(one for one in file.findings if _is_error(one, gone)))
        for file in report.files
    )
    return replace(report, files=tuple(files))


def _is_error(finding: Finding, gone: Collection[str]) -> bool:
    return finding.severity == "error" and finding.layer not in gone


def _portable(model: Model, request: ConvertRequest) -> Model:
    if not request.targets:
        return model
    from upconv.service.work.targeting import for_targets

    return for_targets(model, known_targets(request.targets), request.writing.version)


def _only_layers(source: Model, request: ConvertRequest, blank: Conversion) -> Conversion:
    from upconv.converters.onnx_writer import write_upsampling

    if not blank.passed:
        return blank
    layers = write_upsampling(source, request.out, request.writing)
    return replace(blank, path=request.out, layers=tuple(layers))


def _written(
    source: Model, request: ConvertRequest, blank: Conversion, progress: Progress
) -> Conversion:
    from upconv.converters.onnx_writer import write_onnx

    out = Path(request.out)
    with Staging(out) as staging:
        written = write_onnx(source, staging.path, request.writing)
        done = replace(blank, opset=written.opset, retyped=written.retyped)
        if request.prove:
            proof = verify(_proof_request(request, staging.path), progress)
            done = replace(done, proof=replace(proof, onnx=str(out)))
        final = staging.publish() if done.passed else staging.publish_failed()
    if request.report:
        write_text(request.report, json_text(conversion_record(done)))
    return replace(done, path=str(final))


def conversion_record(done: Conversion) -> dict[str, Any]:
    """What --report writes: the proof, and the errors that were found, as `check` writes them."""
    from upconv.linter.reports.json_report import finding_record

    assert done.proof is not None
    return proof_record(done.proof, [finding_record(finding) for finding in done.findings])


def proof_record(proof: Verification, found: list[dict[str, Any]]) -> dict[str, Any]:
    """A proof as JSON, with the records of the errors that were found in its source."""
    from upconv.converters.proof.report import as_json

    return as_json(proof) | {"findings": found}


def _proof_request(request: ConvertRequest, written: Path) -> VerifyRequest:
    """The child reads a file itself: a proof that began from our model would trust its reading."""
    asked = (request.model, str(written), request.options, request.fill, request.seed)
    return VerifyRequest(*asked, part=request.part, limits=request.limits, extent=request.extent)


def fill_kinds(text: str) -> tuple[str, ...]:
    """The filler kinds of --fill-missing; UsageError for one that cannot be made."""
    from upconv.converters.passes.fill import FILLERS

    kinds = tuple(kind.strip() for kind in text.split(",") if kind.strip())
    for kind in kinds:
        if kind not in FILLERS:
            hint = f"it takes {' and '.join(FILLERS)}; other fillers are random"
            raise UsageError(f"--fill-missing {kind}: this filler cannot be made", hint=hint)
    return kinds
