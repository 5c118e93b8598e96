"""What the user asks of a check, and how the configuration completes it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from upconv.converters.ir.errors import UsageError
from upconv.converters.ir.records import record
from upconv.linter.settings.config import FORMATS, Config, closest_config, read_config
from upconv.service.cli.model_options import read_options

if TYPE_CHECKING:
    from upconv.linter.finding import FileReport, Safety, Severity
    from upconv.linter.fixing.fix import Text
    from upconv.linter.running.engine import CheckOptions


@record(frozen=True, slots=True)
class CheckRequest:
    """The command line and the environment; None and () where they say nothing."""

    paths: tuple[str, ...] = ()
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    format_: str | None = None
    outputs: tuple[str, ...] = ()
    fix: bool = False
    unsafe_fixes: bool = False
    diff: bool = False
    fail_on: Severity | None = None
    exit_zero: bool = False
    show_silenced: bool = False
    baseline: str | None = None
    write_baseline: bool = False
    prune_baseline: bool = False
    jobs: int | None = None
    cache: bool | None = None
    cache_dir: str | None = None
    stdin_filename: str = "-"
    statistics: bool = False
    weights: str = ""
    inputs: tuple[str, ...] = ()
    phase: str | None = None
    dialect: str | None = None
    keras_bilinear: str | None = None
    config: str | None = None

    @property
    def levels(self) -> tuple[Safety, ...]:
        """The fixes that are to be applied or shown."""
        if self.unsafe_fixes:
            return ("safe", "unsafe")
        return ("safe",) if self.fix or self.diff else ()

    @property
    def targets(self) -> list[tuple[str, str]]:
        """(format, file) of each --output; UsageError for one that is no such thing."""
        return [_output(text) for text in self.outputs]


def _output(text: str) -> tuple[str, str]:
    name, separator, file = text.partition(":")
    if not separator or not file or name not in FORMATS:
        known = ", ".join(FORMATS)
        raise UsageError(f"--output {text}: write it as FORMAT:FILE, FORMAT one of {known}")
    return name, file


@record(frozen=True, slots=True)
class CheckedFile:
    """A file as the user named it, or as it was found, with its report. `text` is what standard
    input held."""

    path: str
    report: FileReport
    text: Text | None = None


class Settings:
    """The settings of a run and of each of its files.

    Those of the run come from --config, or from the configuration closest to the current folder,
    or else to the first path; its folder is the root that reported paths are relative to. Those
    of a file come from --config, or from the configuration closest to the file.

    Raises UsageError for a configuration, code or option that cannot be understood.
    """

    def __init__(self, request: CheckRequest) -> None:
        self._request = request
        self.shows_silenced = request.show_silenced
        self._codes = {"select": _codes(request.select), "ignore": _codes(request.ignore)}
        self._options: dict[Path, CheckOptions] = {}
        self._seen: dict[Path, Config | None] = {}
        base = read_config(request.config) if request.config else _base_config(request.paths)
        self.root = base.root
        said: dict[str, Any] = {k: v for k, v in self._codes.items() if v} | _said(request)
        self.run = replace(base, **said)

    def config_of(self, path: Path) -> Config:
        """The configuration that holds for a file."""
        return self.run if self._request.config else closest_config(path.parent, self._seen)

    def options_of(self, path: Path) -> CheckOptions:
        """How a file is to be checked."""
        folder = Path(os.path.realpath(path.parent))
        if folder not in self._options:
            self._options[folder] = self._options_from(self.config_of(path))
        return self._options[folder]

    def _options_from(self, config: Config) -> CheckOptions:
        from upconv.linter.running.engine import CheckOptions

        asked = self._request
        return CheckOptions(
            read_options(
                asked.weights,
                asked.inputs,
                asked.phase,
                asked.dialect,
                asked.keras_bilinear,
                config,
            ),
            self.root,
            self._codes["select"] or config.select,
            self._codes["ignore"] or config.ignore,
            config.severities,
            config.overrides,
        )

    def leaves_out(self, path: Path) -> bool:
        """Whether a file that a search found is excluded by its configuration."""
        config = self.config_of(path)
        if not config.exclude:
            return False
        from upconv.linter.settings.overrides import matches_file

        return matches_file(config.exclude, config.root, path)

    @property
    def baseline_path(self) -> Path | None:
        """Of --baseline, relative to the current folder; of a configuration, to its own."""
        if self._request.baseline:
            return Path(self._request.baseline)
        return self.root / self.run.baseline if self.run.baseline else None

    @property
    def cache_folder(self) -> Path:
        from upconv.linter.running.cache import FOLDER

        if self._request.cache_dir:
            return Path(self._request.cache_dir)
        return self.root / (self.run.cache_dir or FOLDER)


def _base_config(paths: Sequence[str]) -> Config:
    here = closest_config(Path())
    first = next((Path(path) for path in paths if path != "-"), None)
    if here.path or first is None:
        return here
    there = closest_config(first if first.is_dir() else first.parent)
    return there if there.path else here


def _said(request: CheckRequest) -> dict[str, Any]:
    """Field of Config -> what the command line or the environment says."""
    words = {
        "format": request.format_,
        "fail_on": request.fail_on,
        "jobs": request.jobs,
        "cache": request.cache,
    }
    return {name: value for name, value in words.items() if value is not None}


def _codes(texts: Sequence[str]) -> tuple[str, ...]:
    """The codes of an option that may be repeated and hold commas."""
    from upconv.linter.settings.config_values import known_codes

    words = [word.strip() for text in texts for word in text.split(",") if word.strip()]
    hint = "`upconv rule` lists the rules"
    return known_codes(words, lambda message: UsageError(message, hint=hint))
