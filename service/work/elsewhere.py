"""A check that another machine does: what it is sent, and its answer as if it had been done here.

The files keep their places below the root that reported paths are relative to, so that findings,
fingerprints and ignores are those of a check of these files here. What is searched for is found
here: the other machine gets models and what belongs to them, and nothing else of a folder.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from upconv.converters.ir.errors import UsageError
from upconv.converters.ir.records import record
from upconv.service.work.check_request import STDIN, CheckRequest, Settings
from upconv.service.work.checking import (
    CheckResult,
    as_report,
    discovered,
    idle_ignores,
    require_models,
    sorted_kinds,
)
from upconv.service.work.scheduler import files_below

if TYPE_CHECKING:
    from upconv.linter.finding import FileReport


@record(frozen=True, slots=True)
class Parcel:
    """What is sent: options as the service takes them, and (name, file) of each file. `passed` has
    the kinds of files that the search passed over."""

    options: Mapping[str, Any]
    files: tuple[tuple[str, str], ...]
    passed: tuple[tuple[str, int], ...]


def pack(request: CheckRequest, settings: Settings) -> Parcel:
    """What another machine needs for this check.

    Raises UsageError where it could not do it as it would be done here, and as `check` does.
    """
    _require_sendable(request)
    passed: Counter[str] = Counter()
    paths = request.paths or (".",)
    found = [str(path) for path, _ in discovered(paths, settings, passed)]
    if not found:
        require_models(request, [], sorted_kinds(passed))
    names = {_name(file, settings.root): file for file in _needed(found, request, settings)}
    files = tuple(sorted(names.items()))
    for path in found:
        if settings.config_of(Path(path)).path != settings.run.path:
            raise UsageError(
                "has a configuration of its own, and the server is sent one",
                path=path,
                hint="check its folder by itself, or name the configuration: --config F",
            )
    return Parcel(_options(request, settings, paths), files, sorted_kinds(passed))


def _require_sendable(request: CheckRequest) -> None:
    here = {
        "standard input": STDIN in request.paths,
        "--fix and --diff": bool(request.levels),
        "--add-ignore": request.add_ignore is not None,
        "--baseline": bool(request.baseline or request.write_baseline or request.prune_baseline),
    }
    for what, asked in here.items():
        if asked:
            hint = "leave --server out, or this"
            raise UsageError(f"--server: {what} works on this machine only", hint=hint)


def _needed(found: Iterable[str], request: CheckRequest, settings: Settings) -> Iterator[str]:
    """The files that a check of these models reads."""
    from upconv.converters.readers.formats import companions

    weights = request.reading.weights
    for path in (*found, *((weights,) if weights else ())):
        yield from files_below(path)
        for other in companions(path):
            yield from files_below(other)
    if settings.run.path:
        yield settings.run.path
        if settings.baseline_path is not None:
            yield str(settings.baseline_path)


def _options(request: CheckRequest, settings: Settings, paths: Iterable[str]) -> dict[str, Any]:
    said = request.reading
    reading = {
        "weights": _name(said.weights, settings.root) if said.weights else "",
        "inputs": [f"{name}={'x'.join(map(str, shape))}" for name, shape in said.inputs.items()],
        "phase": said.phase and said.phase.upper(),
        "dialect": said.dialect,
        "keras_bilinear": said.keras_bilinear,
        "keras_backend": said.keras_backend,
    }
    return {
        "reading": reading,
        "paths": [_name(path, settings.root) for path in paths],
        "select": list(request.select),
        "ignore": list(request.ignore),
        "fail_on": request.fail_on,
        "show_silenced": request.show_silenced,
        "targets": None if request.targets is None else list(settings.run.target),
        "config": _name(settings.run.path, settings.root) if settings.run.path else "",
    }


def _name(path: str, root: Path) -> str:
    """A path below the root, as the other machine knows it."""
    from upconv.linter.running.engine import relative_path

    name = relative_path(path, root)
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root)):
        hint = "start above both, or name a configuration there: --config F"
        raise UsageError(
            f"lies outside of {root}, which paths are relative to", path=path, hint=hint
        )
    return name


def unpack(
    words: Mapping[str, Any], request: CheckRequest, settings: Settings, parcel: Parcel
) -> CheckResult:
    """The other machine's answer, the service's `files.json`, with the texts that are here.

    Raises UsageError where it is no such thing.
    """
    from upconv.linter.running.portable import reports_from

    try:
        files = reports_from(words)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UsageError("the server's answer is not understood", hint="is it as new?") from None
    names = dict(parcel.files)
    shown = [_with_text(file, names.get(file.path)) if text else file for file, text in files]
    report = as_report(shown, request, settings, parcel.passed)
    return CheckResult(report, settings.run, idle=idle_ignores(report, request, settings))


def _with_text(file: FileReport, path: str | None) -> FileReport:
    """The report with the text that it speaks of, as long as that is there."""
    from upconv.converters.readers.formats import text_of

    source = text_of(path) if path else None
    return replace(file, source=source) if source else file
