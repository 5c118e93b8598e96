"""What the child of a job does: lay the files out in its own folder, and do one step.

The child's working folder is `in/` of the job's folder, and all names are relative to it, so that
what is said and written is what the command line would say there. What it makes lies in `out/`.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal, TypeAlias

from upconv.converters.ir.errors import UpconvError, UsageError
from upconv.converters.ir.records import record
from upconv.converters.readers.options import ReadOptions
from upconv.linter.running.workers import Here
from upconv.linter.settings.config import Config, read_config
from upconv.service.jobs.example import EXAMPLE
from upconv.service.jobs.options import (
    AuditOptions,
    CheckOptions,
    ConvertOptions,
    ReadingOptions,
    VerifyOptions,
)
from upconv.service.jobs.options import parse as parse_options
from upconv.service.jobs.spec import Kind
from upconv.service.work.check_request import CheckRequest
from upconv.service.work.confinement import Confinement
from upconv.service.work.limits import GIGABYTE, Limits
from upconv.service.work.proofs_in_child import silence
from upconv.service.work.reading import Reading, parse_inputs, read_options, read_part

Progress: TypeAlias = Callable[[str], None]
Answer: TypeAlias = dict[str, Any]
"""What a step says: an exit code, a line, and counts; a reason where it could not be done."""

IN: Final = "in"
OUT: Final = "out"
ONNX: Final = "model.onnx"
CERTIFICATE: Final = "certificate.json"
FOUND: Final = "findings.json"
"""The errors that the rules find in what is converted, between the two steps."""


@record(frozen=True, slots=True)
class Laid:
    """A file to lay out: where its bytes are, and under which name, in `in/` or `out/`."""

    blob: str
    name: str


@record(frozen=True, slots=True)
class StepRequest:
    """One step of a job. `made` is what the steps before it left."""

    kind: Kind
    step: str
    options: str
    files: tuple[Laid, ...]
    made: tuple[Laid, ...]
    confinement: Confinement
    seconds: float


def run_step(request: StepRequest, progress: Progress) -> Answer:
    """In the child: the step. What is wrong with the user's files is an answer; what a
    library prints, which may be of the files, comes into no log."""
    silence()
    try:
        _lay_out(request.files, Path())
        _lay_out(request.made, Path("..", OUT))
        return _STEPS[request.kind, request.step](_Work.of(request), progress)
    except UpconvError as error:
        return refused(str(error))
    except OSError as error:
        return refused(f"{error.filename or ''}: {error.strerror or error}".removeprefix(": "))


def warm_up() -> None:
    """In the template of children: check, convert and audit a net of our own, so that what each job
    looks up or compiles at first is there already. The proof is left out, which starts threads."""
    with TemporaryDirectory() as folder:
        inside = Path(folder, IN)
        for each in (inside, Path(folder, OUT)):
            each.mkdir()
        Path(inside, "net.prototxt").write_bytes(EXAMPLE)
        os.chdir(inside)  # noqa: TID251  (this process has one thread)
        for kind, step, options in _WARMING:
            work = _Work(parse_options(kind, options), ("net.prototxt",), Limits())
            with suppress(UpconvError):  # of a plugin that is broken, which each job tells
                _STEPS[kind, step](work, lambda _: None)
        os.chdir("/")  # noqa: TID251


_WARMING: Final[tuple[tuple[Kind, str, str], ...]] = (
    ("check", "check", "{}"),
    ("convert", "write", '{"fill_missing": "bilinear"}'),
    ("audit", "audit", "{}"),
)


def refused(reason: str) -> Answer:
    """The answer of a step that cannot be done."""
    return {"exit_code": 2, "reason": reason}


def _lay_out(files: tuple[Laid, ...], folder: Path) -> None:
    for file in files:
        target = folder / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file.blob, target, follow_symlinks=False)


@record(frozen=True, slots=True)
class _Work:
    """A step's options, the names of its files, and what a proof may take."""

    options: Any
    names: tuple[str, ...]
    limits: Limits

    @staticmethod
    def of(request: StepRequest) -> _Work:
        options = parse_options(request.kind, request.options)
        limits = Limits(request.seconds, request.confinement.memory / GIGABYTE)
        return _Work(options, tuple(file.name for file in request.files), limits)

    def known(self, option: str, name: str) -> str:
        """The name, of a file or of a folder of the upload; raises UsageError for any other."""
        below = any(each.startswith(f"{name}/") for each in self.names)
        if name not in ("", ".", *self.names) and not below:
            raise UsageError(f"{option} names '{name}', which was not sent")
        return name

    def inside(self, folder: str) -> tuple[str, ...]:
        """The names in a folder of the upload, all where it is "" or names a file."""
        below = tuple(name for name in self.names if name.startswith(f"{folder}/"))
        return below or self.names

    def model(self, option: str, name: str, models: tuple[str, ...]) -> str:
        """The model of a name, or the only one in the folder of that name."""
        if self.known(option, name) in (*self.names, *models):
            return name
        return _lone_model(tuple(one for one in models if one.startswith(f"{name}/")))

    def reading(
        self, options: ReadingOptions, models: tuple[str, ...], folder: str = ""
    ) -> Reading:
        names = self.inside(folder)
        weights = self.known("weights", options.weights) or _lone_weights(names, models)
        return Reading(
            weights,
            parse_inputs(options.inputs),
            options.phase,
            options.dialect,
            options.keras_bilinear,
            options.keras_backend,
        )


def _check(work: _Work, progress: Progress) -> Answer:
    from upconv.linter.reports import FORMATS
    from upconv.linter.running.portable import reports_json
    from upconv.service.work.checking import check

    options: CheckOptions = work.options
    result = check(_check_request(work, options), lambda done, of: progress(_share(done, of)))
    report = result.report
    for name, format_ in (
        ("report.json", "json"),
        ("report.sarif", "sarif"),
        ("report.txt", "text"),
    ):
        Path("..", OUT, name).write_text(FORMATS[format_](report), "utf-8")
    Path("..", OUT, "files.json").write_text(reports_json(report), "utf-8")
    counts = {word: sum(f.severity == word for f in report.findings) for word in _SEVERITIES}
    return {"exit_code": result.code, "summary": {"files": len(report.files), **counts}}


_SEVERITIES: Final = ("error", "warning", "info")


def _share(done: int, total: int) -> str:
    return json.dumps([100 * done // max(total, 1), f"{done} of {total} files checked"])


def _check_request(work: _Work, options: CheckOptions) -> CheckRequest:
    for path in options.paths:
        work.known("paths", path)
    models = _models(work.names)
    paths = options.paths or (
        models if len(models) == 1 else (work.names if len(work.names) == 1 else (".",))
    )
    return CheckRequest(
        paths=paths,
        reading=work.reading(options.reading, models),
        select=options.select,
        ignore=options.ignore,
        exclude=options.exclude,
        fail_on=options.fail_on,
        show_silenced=options.show_silenced,
        targets=options.targets,
        config=_config(work.known("config", options.config)),
        workers=Here(),  # this process is the job's own
    )


def _config(name: str) -> Config:
    """An uploaded configuration without what reaches out of the job: where a cache is, and how
    many processes there are."""
    config = read_config(name) if name else Config(Path(os.path.realpath(".")))
    if config.baseline and not _inside(config.root / config.baseline):
        raise UsageError("the baseline lies outside of what was sent", path=name)
    return replace(config, jobs=1, cache=False, cache_dir=None)


def _inside(path: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath("."))


def _write(work: _Work, progress: Progress) -> Answer:
    from upconv.linter.reports.json_report import finding_record
    from upconv.service.work.conversion import ConvertRequest, convert, fill_kinds

    options: ConvertOptions = work.options
    progress(json.dumps([0, "writing the ONNX file"]))
    model, read = _model_of(work, options)
    part, read = read_part(options.outputs, options.inputs, read)
    request = ConvertRequest(
        model,
        str(Path("..", OUT, ONNX)),
        read,
        fill_kinds(options.fill_missing),
        options.opset,
        options.bilinear,
        part=part,
        unknown=options.unknown,
        prove=False,
        rules=CheckRequest(config=_config("")),
        targets=options.targets,
    )
    done = convert(request)
    found = [finding_record(finding) for finding in done.findings]
    Path("..", OUT, FOUND).write_text(json.dumps(found), "utf-8")
    return {
        "exit_code": 0,
        "summary": {"opset": done.opset, "verdict": done.verdict, "error": len(found)},
    }


def _prove_conversion(work: _Work, progress: Progress) -> Answer:
    """The proof, and the verdict of the whole: what did not pass gets another name here, since the
    two steps of a job are one command elsewhere."""
    from upconv.converters.onnx_writer import move_model
    from upconv.service.work.conversion import proof_record

    options: ConvertOptions = work.options
    out = Path("..", OUT, ONNX)
    found = json.loads(out.with_name(FOUND).read_text("utf-8"))
    answer: Answer = {"exit_code": 0}
    if options.prove and options.proof != "none":
        model, read = _model_of(work, options)
        proof = replace(_proof(work, model, str(out), read, progress), onnx=ONNX)
        _certify(proof_record(proof, found))
        answer = _verdict(proof)
    if answer["exit_code"] or (options.strict and found):
        answer["exit_code"] = 1
        move_model(out, out.with_name(f"{ONNX}.failed"))
    return answer


def _prove(work: _Work, progress: Progress) -> Answer:
    from upconv.converters.proof.report import as_json

    options: VerifyOptions = work.options
    onnx = work.known("onnx", options.onnx)
    model, read = _model_of(work, options, onnx)
    proof = _proof(work, model, onnx or _other_onnx(work.names, model), read, progress)
    _certify(as_json(proof))
    return _verdict(proof)


def _proof(work: _Work, model: str, onnx: str, read: ReadOptions, progress: Progress) -> Any:
    from upconv.service.work.conversion import fill_kinds
    from upconv.service.work.proving import VerifyRequest, verify

    options: ConvertOptions | VerifyOptions = work.options
    part, read = read_part(options.outputs, options.inputs, read)
    kinds = fill_kinds(options.fill_missing)
    extent: Literal["sampled", "full"] = "sampled" if options.proof == "sampled" else "full"
    request = VerifyRequest(
        model, onnx, read, kinds, options.seed, part=part, limits=work.limits, extent=extent
    )
    return verify(request, lambda text: progress(json.dumps([None, text])))


def _certify(words: Mapping[str, Any]) -> None:
    Path("..", OUT, CERTIFICATE).write_text(json.dumps(words, indent=2), "utf-8")


def _verdict(proof: Any) -> Answer:
    passed = proof.verdict == "pass"
    summary = {"verdict": proof.verdict, "layers": len(proof.layers)}
    return {"exit_code": 0 if passed else 1, "line": str(proof), "summary": summary}


def _audit(work: _Work, progress: Progress) -> Answer:
    from upconv.service.reports import audit_report
    from upconv.service.work.auditing import AuditRequest, audit
    from upconv.service.work.sizes import parse_sizes

    options: AuditOptions = work.options
    progress(json.dumps([None, "finding the sizes"]))
    against = work.model("against", options.against, _models(work.names)) if options.against else ""
    model, read = _model_of(work, options, against)
    weights = work.known("against_weights", options.against_weights)
    if against != options.against:  # it has a folder of its own
        weights = weights or _lone_weights(work.inside(options.against), (against,))
    other = replace(read, weights=weights, inputs={})
    sizes = parse_sizes(options.sizes)
    result = audit(AuditRequest(model, read, sizes, against, other, True, _config("")))
    for name, format_ in AUDITS:
        Path("..", OUT, name).write_text(audit_report(result, format_), "utf-8")
    rules = {letter: str(rule) for letter, rule in result.rules()}
    return {"exit_code": 0 if result.passed else 1, "summary": {"runs": rules}}


AUDITS: Final = (("audit.json", "json"), ("audit.txt", "text"), ("audit.html", "html"))

_STEPS: Final[Mapping[tuple[Kind, str], Callable[[_Work, Progress], Answer]]] = {
    ("check", "check"): _check,
    ("convert", "write"): _write,
    ("convert", "prove"): _prove_conversion,
    ("verify", "prove"): _prove,
    ("audit", "audit"): _audit,
}


def _model_of(
    work: _Work, options: ConvertOptions | VerifyOptions | AuditOptions, other: str = ""
) -> tuple[str, ReadOptions]:
    """The model's path and how it is read; `other` is another model that was sent with it."""
    models = tuple(name for name in _models(work.names) if name != other)
    model = work.model("model", options.model, models) if options.model else _lone_model(models)
    reading = work.reading(options.reading, (model,), options.model)
    return model, read_options(reading, _config(""))


def _lone_model(models: tuple[str, ...]) -> str:
    """The one model; of two of which one is ONNX, the other, which it is held against."""
    others = [name for name in models if not name.endswith(".onnx")]
    if len(models) == 1:
        return models[0]
    if len(others) == 1:
        return others[0]
    found = f"{len(models)} models were sent" if models else "no model was sent"
    raise UsageError(found, hint='say which it is: {"model": NAME}')


def _other_onnx(names: tuple[str, ...], model: str) -> str:
    found = [name for name in names if name.endswith(".onnx") and name != model]
    if len(found) > 1:
        raise UsageError("several ONNX files were sent", hint='say which it is: {"onnx": NAME}')
    return found[0] if found else ""


def _models(names: tuple[str, ...]) -> tuple[str, ...]:
    """What a search of the upload takes for models, SavedModel folders among them."""
    from upconv.linter.running.discovery import discover

    found = tuple(entry.path.as_posix() for entry in discover([Path()]))
    return found or (names if len(names) == 1 else ())


def _lone_weights(names: tuple[str, ...], models: tuple[str, ...]) -> str:
    """The one file of weights beside the one model, "" where it is not clear."""
    from upconv.converters.readers.formats import FORMATS, identify

    kinds = {entry.name for entry in FORMATS if entry.state == "--weights"}
    found = []
    for name in names:
        try:
            if identify(name) in kinds:
                found.append(name)
        except UpconvError:  # of no known format: it is no weights either
            continue
    return found[0] if len(found) == 1 and len(models) == 1 else ""
