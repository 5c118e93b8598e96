"""An audit: a model in, which sizes it accepts and why, and what differs from another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from upconv.converters.audit.at_sizes import at_sizes
from upconv.converters.audit.audited import Audit, audited
from upconv.converters.ir.errors import UnreadableError, UpconvError, UsageError
from upconv.converters.ir.model import Model
from upconv.converters.ir.open_sizes import (
    NO_SIZES,
    image_letters,
    with_image_letters,
    with_unknown_sizes,
)
from upconv.converters.ir.origin import Source
from upconv.converters.ir.records import record
from upconv.converters.ir.shapes import Shape, channels_last
from upconv.converters.passes.channels import channels_first
from upconv.converters.readers.options import ReadOptions
from upconv.service.reports.result import AskedSizes, AuditResult, ModelComparison

if TYPE_CHECKING:
    from upconv.linter.finding import FileReport
    from upconv.linter.settings.config import Config


@record(frozen=True, slots=True)
class AuditRequest:
    """A model, in a file, in a text or in memory, and what is asked of it.

    `sizes` are those of each axis, or of all where there is one range. `against` is another model
    to compare with, "" for none; what is said of how a file is read is said of both. `findings`:
    the linter is to look too, as `config` says, a configuration or its file, or the closest one.
    `proof` is a file that `upconv convert --report` wrote.
    """

    model: str | Model | Source
    options: ReadOptions = ReadOptions()
    sizes: tuple[range, ...] = ()
    against: str | Model = ""
    against_options: ReadOptions = ReadOptions()
    findings: bool = False
    config: str | Config = ""
    proof: str = ""


def audit(request: AuditRequest) -> AuditResult:
    """Do what is asked.

    Raises UnreadableError and UnsupportedError for a model that cannot be audited, and UsageError
    for a request that cannot be met.
    """
    found = audit_model(request.model, request.options)
    comparison = None
    if request.against != "":
        other = audit_model(request.against, request.against_options)
        comparison = _compared(found, other)
    asked = _asked(found, request.sizes)
    whole = bool(asked) and all(len(one.asked) == 1 for one in asked)
    return AuditResult(
        found,
        _path(request.model),
        asked,
        at_sizes(found.model, found.found, {a.letter: a.asked[0] for a in asked})
        if whole
        else None,
        comparison,
        _findings(request) if request.findings else None,
        _proof(request.proof) if request.proof else None,
    )


def compare(
    left: str | Model,
    right: str | Model,
    left_options: ReadOptions = ReadOptions(),  # noqa: B008 (frozen)
    right_options: ReadOptions = ReadOptions(),  # noqa: B008
) -> ModelComparison:
    """Two models by meaning. Raises as `audit`."""
    return _compared(audit_model(left, left_options), audit_model(right, right_options))


def _compared(left: Audit, right: Audit) -> ModelComparison:
    from upconv.converters.audit.comparison import Read, compare_files

    read = (Read(one.plain, one.model) for one in (left, right))
    return ModelComparison(left, right, compare_files(*read))


def _path(model: str | Model | Source) -> str:
    return model if isinstance(model, str) else model.path


def audit_model(source: str | Model | Source, options: ReadOptions) -> Audit:
    """The audit of a model that is read with letters for the sizes of its images, so that no
    arithmetic on them was folded. Raises as `audit`."""
    from upconv.converters.readers.formats import require_graph

    if isinstance(source, Model):
        return audited(channels_first(with_unknown_sizes(require_graph(source))))
    model = _opened(source, options)
    lettered, kept = _reopened(source, options, model)
    return audited(lettered, model, kept)


def _opened(source: str | Source, options: ReadOptions) -> Model:
    from upconv.converters.readers.formats import open_model, open_text, require_graph

    read = open_model(source, options) if isinstance(source, str) else open_text(source, options)
    return channels_first(with_unknown_sizes(require_graph(read)))


def _reopened(source: str | Source, options: ReadOptions, model: Model) -> tuple[Model, str]:
    """The model with letters for its images' sizes but for those that the user gave, and why
    sizes that the file has could not be read as letters, "" where all could."""
    kept = ""
    for numbers in (True, False):
        wanted = _wanted(model, options, numbers)
        if not wanted:
            return model, kept
        try:
            return _opened(source, replace(options, inputs={**options.inputs, **wanted})), kept
        except UpconvError as error:
            kept = kept or error.message
    return model, kept


def _wanted(model: Model, options: ReadOptions, numbers: bool) -> Mapping[str, Shape]:
    """Input -> its shape with letters, in the model's own layout, where that is another one."""
    found: dict[str, Shape] = {}
    for entry in model.inputs:
        letters = image_letters(model.inputs).get(entry.name)
        if letters is None or entry.name in options.inputs:
            continue
        shape = with_image_letters(entry, letters, numbers=numbers)
        if shape is not None and shape != entry.shape:
            last = entry.name in model.channels_last
            found[entry.name] = channels_last(shape) if last else shape
    return found


def _asked(found: Audit, sizes: Sequence[range]) -> tuple[AskedSizes, ...]:
    """Which of the sizes that are asked for run, axis by axis."""
    axes = [axis for axis in found.found.axes if axis.axis not in NO_SIZES]
    if not sizes:
        return ()
    if len(sizes) not in (1, len(axes)) or not axes:
        letters = ", ".join(axis.axis for axis in axes) or "none"
        raise UsageError(
            f"--sizes has {len(sizes)} axes, and the open sizes of the model are {letters}",
            path=found.model.path,
            hint="give one range for all, or one for each with an x between",
        )
    each = sizes if len(sizes) == len(axes) else [sizes[0]] * len(axes)
    return tuple(
        AskedSizes(axis.axis, one, tuple(n for n in one if n in (axis.runs or axis.known)))
        for axis, one in zip(axes, each, strict=True)
    )


def _findings(request: AuditRequest) -> FileReport:
    """What the linter finds in the file as it is, by the configuration that is named or closest."""
    from upconv.linter.running.engine import CheckOptions, check_model, check_path, check_source
    from upconv.linter.running.plugins import load_plugins
    from upconv.linter.settings.config import closest_config, read_config

    load_plugins()
    model = request.model
    path = Path(_path(model))
    config = request.config or closest_config(path.parent)
    if isinstance(config, str):
        config = read_config(config)
    options = CheckOptions(
        request.options,
        config.root,
        config.select,
        config.ignore,
        config.severities,
        config.overrides,
        targets=config.target,
    )
    if isinstance(model, str):
        return check_path(path, options)
    return (
        check_source(model, options) if isinstance(model, Source) else check_model(model, options)
    )


def _proof(path: str) -> Mapping[str, Any]:
    """A proof as JSON. Raises UnreadableError where the file holds none."""
    from upconv.converters.readers.files.json_plain import JsonError, load_json
    from upconv.converters.readers.files.opening import read_regular

    try:
        found = load_json(read_regular(path))
    except JsonError:
        found = None
    if not isinstance(found, dict) or not {"verdict", "layers", "outputs"} <= found.keys():
        raise UnreadableError("is no proof, which `upconv convert --report` writes", path=path)
    return found
