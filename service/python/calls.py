"""`upconv.load`, `check`, `convert`, `inspect`, `verify`, `audit`, `compare` and `from_torch`.

What they have in common: a model is a path or a Model. `weights`, `inputs`, `phase`, `dialect`,
`keras_bilinear` and `keras_backend` say how a file is read, as on the command line; what they leave
open is taken from the configuration, which is the file `config`, or else the closest upconv.toml or
pyproject.toml.
Every error that a user can cause is an `UpconvError`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from upconv.converters.ir.dims import Size
from upconv.converters.ir.errors import UsageError
from upconv.converters.ir.model import Model
from upconv.converters.readers.options import ReadOptions
from upconv.service.work.reading import Reading, parse_shape, read_options, read_part

if TYPE_CHECKING:
    from upconv.converters.onnx_writer.options import Bilinear, ExternalData, UnknownLayers
    from upconv.converters.passes.cut import Cut
    from upconv.converters.proof.plan import Extent
    from upconv.converters.proof.report import Verification
    from upconv.linter.finding import Report, Severity
    from upconv.service.reports.result import AuditResult, ModelComparison
    from upconv.service.work.conversion import Conversion, Only
    from upconv.service.work.inspection import Inspection
    from upconv.service.work.proving import Judge

Path: TypeAlias = str | os.PathLike[str]
Inputs: TypeAlias = Mapping[str, str | Sequence[int | str]]
"""Name -> shape: "1x3xHxW", or a sequence of numbers and letters."""

Proof: TypeAlias = Literal["full", "sampled", "none"]
Phase: TypeAlias = Literal["TEST", "TRAIN"]
KerasBilinear: TypeAlias = Literal["half-pixel", "asymmetric"]
KerasBackend: TypeAlias = Literal["tensorflow", "torch", "jax", "theano"]


def load(
    path: Path,
    *,
    weights: Path | None = None,
    inputs: Inputs | None = None,
    phase: Phase | None = None,
    dialect: str | None = None,
    keras_bilinear: KerasBilinear | None = None,
    keras_backend: KerasBackend | None = None,
    fill_missing: str | Iterable[str] = (),
    config: Path | None = None,
) -> Model:
    """The model in a file or folder, which nothing in it is run for.

    `fill_missing` names the fillers, "bilinear" and "constant", that missing weights are made
    from. Raises UnreadableError, UnsupportedError and UsageError.
    """
    from upconv.converters.passes.fill import fill_missing as fill
    from upconv.converters.readers.formats import open_model

    said = _reading(weights, inputs, phase, dialect, keras_bilinear, keras_backend)
    model = open_model(os.fspath(path), read_options(said, _text(config)))
    return fill(model, _kinds(fill_missing))


def check(
    what: Path | Model | Iterable[Path | Model],
    *,
    weights: Path | None = None,
    inputs: Inputs | None = None,
    phase: Phase | None = None,
    dialect: str | None = None,
    keras_bilinear: KerasBilinear | None = None,
    keras_backend: KerasBackend | None = None,
    select: str | Iterable[str] = (),
    ignore: str | Iterable[str] = (),
    target: str | Iterable[str] | None = None,
    fail_on: Severity | None = None,
    baseline: Path | None = None,
    jobs: int = 1,
    cache: bool = False,
    config: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """What the rules find in files, folders or models.

    `select` and `ignore` are codes, prefixes or names of rules. `target` are engines that models
    are to run in, as in "openvino-2026", by default those of the configuration. `jobs` processes
    share the files out; `cache` keeps results beside the configuration. Raises UsageError for what
    cannot be checked; a file that cannot be read is a finding, UP001.
    """
    from upconv.linter.finding import Severity
    from upconv.linter.running.workers import Here
    from upconv.service.work.checking import CheckRequest, check

    _require_one_of("fail_on", fail_on, Severity)
    paths, models = _sorted_out(what)
    request = CheckRequest(
        paths,
        models=models,
        reading=_reading(weights, inputs, phase, dialect, keras_bilinear, keras_backend),
        select=_words(select),
        ignore=_words(ignore),
        targets=None if target is None else _words(target),
        fail_on=fail_on,
        baseline=_text(baseline),
        jobs=jobs,
        cache=cache,
        config=_text(config),
        workers=Here() if jobs == 1 else None,
    )
    return check(request, *_given(progress)).report


def convert(
    model: Path | Model,
    out: Path,
    *,
    weights: Path | None = None,
    inputs: Inputs | None = None,
    phase: Phase | None = None,
    dialect: str | None = None,
    keras_bilinear: KerasBilinear | None = None,
    keras_backend: KerasBackend | None = None,
    fill_missing: str | Iterable[str] = (),
    opset: int | None = None,
    bilinear: Bilinear = "conv-transpose",
    external_data: ExternalData = "auto",
    only: Only = "",
    prove: bool = True,
    proof: Proof = "full",
    seed: int = 0,
    report: Path | None = None,
    outputs: str | Iterable[str] = (),
    cut_inputs: str | Iterable[str] = (),
    unknown: UnknownLayers = "refuse",
    target: str | Iterable[str] = (),
    select: str | Iterable[str] = (),
    ignore: str | Iterable[str] = (),
    baseline: Path | None = None,
    strict: bool = False,
    config: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> Conversion:
    """Write a model as ONNX, and prove in onnxruntime that the file computes the same.

    `outputs` and `cut_inputs` name values inside of it, and only the part between is converted.
    `target` are engines that are to read the file alike: layers take the forms they have in common.
    `proof` is "full", "sampled" (a seeded share of large layers) or "none", as without `prove`.
    The errors that the rules find in the model are the result's `findings`; `select`, `ignore` and
    `baseline` are those of `check`. Where the proof fails, or there is an error and `strict` is
    true, there is no `out`, but an `out`.failed. Raises UnreadableError,
    UnsupportedError and UsageError, and OSError for what cannot be written.
    """
    from upconv.service.work.check_request import CheckRequest
    from upconv.service.work.conversion import ConvertRequest, Only, convert

    _require_one_of("only", only, Only)
    _require_one_of("proof", proof, Proof)
    said = _reading(weights, inputs, phase, dialect, keras_bilinear, keras_backend)
    source, options = _source(model, said, config)
    part, options = _part(outputs, cut_inputs, options)
    rules = CheckRequest(
        select=_words(select),
        ignore=_words(ignore),
        baseline=_text(baseline),
        config=_text(config),
    )
    request = ConvertRequest(
        source,
        os.fspath(out),
        options,
        _kinds(fill_missing),
        opset,
        bilinear,
        external_data,
        only,
        prove and proof != "none",
        seed,
        _text(report) or "",
        part,
        unknown,
        rules=rules,
        strict=strict,
        extent="sampled" if proof == "sampled" else "full",
        targets=_words(target),
    )
    return convert(request, *_given(progress))


def verify(
    model: Path | Model,
    onnx: Path,
    *,
    weights: Path | None = None,
    inputs: Inputs | None = None,
    phase: Phase | None = None,
    dialect: str | None = None,
    keras_bilinear: KerasBilinear | None = None,
    keras_backend: KerasBackend | None = None,
    fill_missing: str | Iterable[str] = (),
    against: Judge = "reference",
    proof: Extent = "full",
    seed: int = 0,
    data: Path | None = None,
    outputs: str | Iterable[str] = (),
    cut_inputs: str | Iterable[str] = (),
    config: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> Verification:
    """The proof that an ONNX file computes what a model does.

    `data` is a .npz or .npy file, or a folder of them, with inputs to compare on; else they are
    made. `against` "source" runs the model's own framework on its file, which must be one that is
    trusted. `proof` is "full", or "sampled": a seeded share of large layers. Raises
    UnreadableError, UnsupportedError and UsageError, and UpconvError where the process that proves
    was ended.
    """
    from upconv.converters.proof.plan import Extent
    from upconv.service.work.proving import Judge, VerifyRequest, verify

    _require_one_of("against", against, Judge)
    _require_one_of("proof", proof, Extent)
    said = _reading(weights, inputs, phase, dialect, keras_bilinear, keras_backend)
    source, options = _source(model, said, config)
    kinds = _kinds(fill_missing)
    part, options = _part(outputs, cut_inputs, options)
    given = _text(data) or ""
    request = VerifyRequest(
        source, os.fspath(onnx), options, kinds, seed, given, against, part, extent=proof
    )
    return verify(request, *_given(progress))


def inspect(
    model: Path | Model,
    *,
    weights: Path | None = None,
    inputs: Inputs | None = None,
    phase: Phase | None = None,
    dialect: str | None = None,
    keras_bilinear: KerasBilinear | None = None,
    keras_backend: KerasBackend | None = None,
    outputs: str | Iterable[str] = (),
    cut_inputs: str | Iterable[str] = (),
    config: Path | None = None,
) -> Inspection:
    """What a model is made of, and what blocks its conversion or its proof.

    Raises UnreadableError, UnsupportedError and UsageError.
    """
    from upconv.service.work.inspecting import InspectRequest, inspect

    said = _reading(weights, inputs, phase, dialect, keras_bilinear, keras_backend)
    source, options = _source(model, said, config)
    part, options = _part(outputs, cut_inputs, options)
    return inspect(InspectRequest(source, options, part))


def audit(
    model: Path | Model,
    *,
    weights: Path | None = None,
    inputs: Inputs | None = None,
    phase: Phase | None = None,
    dialect: str | None = None,
    keras_bilinear: KerasBilinear | None = None,
    keras_backend: KerasBackend | None = None,
    sizes: str = "",
    against: Path | Model | None = None,
    against_weights: Path | None = None,
    findings: bool = True,
    proof: Path | None = None,
    config: Path | None = None,
) -> AuditResult:
    """Which input sizes a model accepts, as rules that hold for every size; what loses the pixel;
    and where branches that meet lie apart.

    `sizes` are those to look at: "224..1024:32", or "640x480" for one image. `against` is another
    model to compare with. A Model is audited in the letters that it was read with, so give the path
    where there is one. Raises UnreadableError, UnsupportedError and UsageError.
    """
    from upconv.service.work.auditing import AuditRequest, audit
    from upconv.service.work.sizes import parse_sizes

    said = _reading(weights, inputs, phase, dialect, keras_bilinear, keras_backend)
    source, options = _source(model, said, config)
    other, theirs = _other(against, against_weights, said, config)
    request = AuditRequest(
        source,
        options,
        parse_sizes(sizes),
        other,
        theirs,
        findings,
        _text(config) or "",
        _text(proof) or "",
    )
    return audit(request)


def compare(
    left: Path | Model,
    right: Path | Model,
    *,
    left_weights: Path | None = None,
    right_weights: Path | None = None,
    phase: Phase | None = None,
    dialect: str | None = None,
    keras_bilinear: KerasBilinear | None = None,
    keras_backend: KerasBackend | None = None,
    config: Path | None = None,
) -> ModelComparison:
    """Whether two models mean the same, and all that differs: names, order and form are of no
    account. True where nothing differs that changes numbers.

    Raises UnreadableError, UnsupportedError and UsageError.
    """
    from upconv.service.work.auditing import compare

    said = _reading(None, None, phase, dialect, keras_bilinear, keras_backend)
    ours, theirs = (
        _other(model, weights, said, config)
        for model, weights in ((left, left_weights), (right, right_weights))
    )
    return compare(ours[0], theirs[0], ours[1], theirs[1])


def _other(
    model: Path | Model | None, weights: Path | None, said: Reading, config: Path | None
) -> tuple[str | Model, ReadOptions]:
    """A model beside another, read as that one but for its weights and shapes."""
    if model is None:
        return "", ReadOptions()
    if isinstance(model, Model):
        return model, ReadOptions()
    theirs = replace(said, weights=_text(weights) or "", inputs={})
    return os.fspath(model), read_options(theirs, _text(config))


def from_torch(
    module: Any, example_inputs: Sequence[Any], *, dynamic_shapes: Mapping[str, Any] | None = None
) -> Model:
    """The model of a live torch.nn.Module, the same that its exported file gives.

    `example_inputs` and `dynamic_shapes` are torch.export.export's. Batch normalisation and
    dropout are converted as they are at inference, so call `module.eval()` before.

    Raises UsageError for what is no module, and UnsupportedError where torch.export refuses it.
    """
    from upconv.converters.readers.torch.live import from_module

    return from_module(module, example_inputs, dynamic_shapes)


def _part(
    outputs: str | Iterable[str], inputs: str | Iterable[str], options: ReadOptions
) -> tuple[Cut, ReadOptions]:
    return read_part(",".join(_words(outputs)), ",".join(_words(inputs)), options)


def _reading(
    weights: Path | None,
    inputs: Inputs | None,
    phase: Phase | None,
    dialect: str | None,
    keras_bilinear: KerasBilinear | None,
    keras_backend: KerasBackend | None,
) -> Reading:
    _require_one_of("phase", phase, Phase)
    _require_one_of("keras_bilinear", keras_bilinear, KerasBilinear)
    _require_one_of("keras_backend", keras_backend, KerasBackend)
    shapes = {name: shape_of(name, shape) for name, shape in (inputs or {}).items()}
    return Reading(_text(weights) or "", shapes, phase, dialect, keras_bilinear, keras_backend)


def shape_of(name: str, shape: str | Sequence[int | str]) -> tuple[Size, ...]:
    """A shape as the work takes it."""
    text = shape if isinstance(shape, str) else "x".join(map(str, shape))
    return parse_shape(f"{name}={text}", text)


def _source(
    model: Path | Model, said: Reading, config: Path | None
) -> tuple[str | Model, ReadOptions]:
    """The model as the work takes it, and how it is read; UsageError where it is read already."""
    if not isinstance(model, Model):
        return os.fspath(model), read_options(said, _text(config))
    if said != Reading():
        raise UsageError(
            "weights, inputs, phase, dialect, keras_bilinear and keras_backend say how a file "
            "is read",
            hint="give them to upconv.load",
        )
    return model, ReadOptions()


def _sorted_out(
    what: Path | Model | Iterable[Path | Model],
) -> tuple[tuple[str, ...], tuple[Model, ...]]:
    many = [what] if isinstance(what, str | os.PathLike | Model) else list(what)
    if not many:
        raise UsageError("nothing to check: neither a path nor a model is given")
    models = tuple(one for one in many if isinstance(one, Model))
    paths = [os.fspath(one) for one in many if not isinstance(one, Model)]
    return tuple(f".{os.sep}-" if path == "-" else path for path in paths), models


def _kinds(kinds: str | Iterable[str]) -> tuple[str, ...]:
    from upconv.service.work.conversion import fill_kinds

    return fill_kinds(",".join(_words(kinds)))


def _require_one_of(name: str, value: object, choices: object) -> None:
    """Raise UsageError unless a value is one of a Literal's; None leaves the choice open."""
    allowed = get_args(choices)
    if value is not None and value not in allowed:
        raise UsageError(f"{name} {value!r} is none of {', '.join(filter(None, allowed))}")


def _words(words: str | Iterable[str]) -> tuple[str, ...]:
    return (words,) if isinstance(words, str) else tuple(words)


def _text(path: Path | None) -> str | None:
    return None if path is None else os.fspath(path)


def _given(progress: Callable[..., None] | None) -> tuple[Callable[..., None], ...]:
    return () if progress is None else (progress,)
