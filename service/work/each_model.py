"""Conversions, proofs and audits of many models, each by itself.

One model that cannot be read, converted or proven ends nothing but its own work, and what is said
of each is what is said of it alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import field, replace
from pathlib import Path
from typing import Any, Final

from upconv.converters.ir.errors import NotAModelError, UpconvError, UsageError
from upconv.converters.ir.records import record
from upconv.linter.running.workers import Item, Task, Workers, below
from upconv.linter.settings.config import Config
from upconv.service.work.auditing import AuditRequest, audit
from upconv.service.work.check_request import CheckRequest, Settings
from upconv.service.work.conversion import ConvertRequest, conversion_record, convert
from upconv.service.work.folders import Found, targets_for, weights_beside
from upconv.service.work.proving import VerifyRequest, verify
from upconv.service.work.staging import SUFFIXES, place_made

Progress = Callable[[int, int], None]
"""Is told how many models are done, of how many."""

NOT_DONE: Final = "not done"
"""The verdict on a model that could not be read, converted or proven at all."""

PASSED_OVER: Final = "passed over"
"""That on a file which turned out to be something else, as a solver of Caffe's."""


@record(frozen=True, slots=True)
class Outcome:
    """What became of a model. `exit_code` is that of the command for it alone, `told` what is said
    of it, `line` the same in one line, and `record` what a report in JSON has of it. `out` is the
    file that was made, and `report` the text of one that is to be."""

    model: str
    exit_code: int
    verdict: str
    told: str
    line: str
    out: str = ""
    record: Mapping[str, Any] = field(default_factory=dict)
    report: str = ""


def conversions(base: ConvertRequest, found: Found) -> list[ConvertRequest]:
    """The conversion of each model below a folder into the folder `base.out`. Raises UsageError
    before anything is written."""
    if base.only:
        raise UsageError("--only is of one model", hint="name the model itself")
    if base.out.endswith(".onnx") and not os.path.isdir(base.out):
        hint = f"give a folder, as in -o onnx/, or one model, as {found.models[0]}"
        message = f"is called like a file, and {found.folder} is a folder"
        raise UsageError(message, path=base.out, hint=hint)
    targets = targets_for(found, base.out, ".onnx")
    asked = [
        replace(_with_weights(base, model), out=target, rules=_settled(base.rules, model))
        for model, target in targets.items()
    ]
    for folder in dict.fromkeys(os.path.dirname(one.out) for one in asked):
        os.makedirs(folder, exist_ok=True)
    return asked


def _settled(rules: CheckRequest, model: str) -> CheckRequest:
    """The rules with the configuration that holds for a model, wherever it is read."""
    config = Settings(replace(rules, paths=(model,))).config_of(Path(model))
    return replace(rules, config=config)


def proofs(base: VerifyRequest, found: Found) -> list[VerifyRequest]:
    """The proof of each model below a folder, against its file in the folder `base.onnx`, as
    conversions leave it there, or of ONNX models against themselves."""
    targets = targets_for(found, base.onnx, ".onnx") if base.onnx else {}
    return [
        replace(_with_weights(base, model), onnx=targets.get(model, "")) for model in found.models
    ]


def audits(base: AuditRequest, format_: str, found: Found) -> list[Auditing]:
    """The audit of each model below a folder, reported in a format."""
    return [Auditing(_with_weights(base, model), format_) for model in found.models]


def _with_weights(base: Any, model: str) -> Any:
    options = replace(base.options, weights=weights_beside(model))
    return replace(base, model=model, options=options)


def done_in_order(
    task: Task[Item, Outcome], items: Sequence[Item], workers: Workers, progress: Progress
) -> Generator[Outcome, None, None]:
    """The outcomes in the order of the items, each as soon as it and all before it are there."""
    early: dict[int, Outcome] = {}
    following = 0
    progress(0, len(items))
    with closing(workers.map(task, items)) as done:
        for count, (number, outcome) in enumerate(done, 1):
            early[number] = outcome
            progress(count, len(items))
            while following in early:
                yield early.pop(following)
                following += 1


def _settle(model: Any, work: Callable[[], Outcome]) -> Outcome:
    """What the work says, or why it could not be done."""
    try:
        return work()
    except NotAModelError as error:
        if error.known:
            told = f"{model}: passed over: {error.message}"
            return Outcome(str(model), 0, PASSED_OVER, told, told)
        return _not_done(model, str(error))
    except UpconvError as error:
        return _not_done(model, str(error))
    except OSError as error:
        return _not_done(model, f"{error.filename or model}: {error.strerror or error}")
    except Exception as error:  # a defect of ours, which ends this model's work alone
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        return _not_done(model, f"{model}: upconv failed: {reason} (please report it)")


def _not_done(model: Any, told: str) -> Outcome:
    return Outcome(str(model), 2, NOT_DONE, told, told)


def _lost(request: Any, reason: str) -> Outcome:
    return _not_done(request.model, f"{request.model}: the process that worked on it: {reason}")


def _files_of(request: Any) -> Iterator[str]:
    """The model, its weights, and what belongs to either."""
    from upconv.converters.readers.formats import companions

    for path in filter(None, (request.model, request.options.weights)):
        yield path
        yield from companions(path)


def _moved(request: Any, folder: str) -> Any:
    options = replace(request.options, weights=below(folder, request.options.weights))
    return replace(request, model=below(folder, request.model), options=options)


def _convert(request: ConvertRequest) -> Outcome:
    def work() -> Outcome:
        done = convert(request)
        words = conversion_record(done) if done.proof else {}
        code = 0 if done.passed else 1
        told, line = done.told(), done.verdict_told().partition("\n")[0]
        return Outcome(str(request.model), code, done.verdict, told, line, done.path, words)

    return _settle(request.model, work)


def _conversion_files(request: ConvertRequest) -> Iterator[str]:
    yield from _files_of(request)
    config = request.rules.config
    if request.rules.baseline:
        yield request.rules.baseline
    elif isinstance(config, Config) and config.baseline:
        yield str(config.root / config.baseline)


def _conversion_moved(request: ConvertRequest, folder: str) -> ConvertRequest:
    request = _moved(request, folder)
    baseline, config = request.rules.baseline, _config_moved(request.rules.config, folder)
    rules = replace(request.rules, config=config, baseline=baseline and below(folder, baseline))
    return replace(request, out=below(folder, request.out), rules=rules)


def _config_moved(config: Any, folder: str) -> Any:
    if not isinstance(config, Config):
        return config
    return replace(config, root=Path(below(folder, str(config.root))))


def _conversion_made(request: ConvertRequest) -> Iterable[str]:
    return (f"{request.out}{suffix}" for suffix in SUFFIXES)


def _conversion_taken(request: ConvertRequest, outcome: Outcome, made: dict[str, bytes]) -> None:
    out = os.path.abspath(request.out)
    place_made(request.out, {path.removeprefix(out): data for path, data in made.items()})


CONVERT: Final = Task(
    _convert, _lost, _conversion_files, _conversion_moved, _conversion_made, _conversion_taken
)


def _verify(request: VerifyRequest) -> Outcome:
    from upconv.converters.proof.report import as_json

    def work() -> Outcome:
        found = verify(request)
        code = 0 if found.verdict == "pass" else 1
        told, words = str(found), as_json(found)
        line = told.partition("\n")[0]
        return Outcome(str(request.model), code, found.verdict, told, line, record=words)

    return _settle(request.model, work)


def _proof_files(request: VerifyRequest) -> Iterator[str]:
    from upconv.converters.readers.formats import companions

    yield from _files_of(request)
    yield from filter(None, (request.onnx, *companions(request.onnx), request.data))


def _proof_moved(request: VerifyRequest, folder: str) -> VerifyRequest:
    request = _moved(request, folder)
    onnx, data = below(folder, request.onnx), below(folder, request.data)
    return replace(request, onnx=onnx, data=data)


VERIFY: Final = Task(_verify, _lost, _proof_files, _proof_moved)


@record(frozen=True, slots=True)
class Auditing:
    """An audit, and the format of its report."""

    request: AuditRequest
    format: str


def _audit(asked: Auditing) -> Outcome:
    from upconv.service.reports import audit_report
    from upconv.service.reports.audit_json import audit_record
    from upconv.service.reports.words import verdict

    model = str(asked.request.model)

    def work() -> Outcome:
        result = audit(asked.request)
        said = ("runs", 0) if result.passed else ("does not run", 1)
        told = f"{model}: {verdict(result.audit)}"
        report = audit_report(result, asked.format)
        words = audit_record(result)
        return Outcome(model, said[1], said[0], told, told, record=words, report=report)

    return _settle(model, work)


def _audit_moved(asked: Auditing, folder: str) -> Auditing:
    request: AuditRequest = _moved(asked.request, folder)
    return replace(asked, request=replace(request, config=_config_moved(request.config, folder)))


def _audit_lost(asked: Auditing, reason: str) -> Outcome:
    return _lost(asked.request, reason)


def _audit_files(asked: Auditing) -> Iterator[str]:
    return _files_of(asked.request)


AUDIT: Final = Task(_audit, _audit_lost, _audit_files, _audit_moved)
