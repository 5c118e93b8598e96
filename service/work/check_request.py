"""What is asked of a check, and how the configuration completes it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from upconv.converters.ir.errors import UsageError
from upconv.converters.ir.records import record
from upconv.linter.settings.config import Config, closest_config, read_config
from upconv.service.work.reading import Reading, read_options

if TYPE_CHECKING:
    from upconv.converters.ir.model import Model
    from upconv.linter.finding import FileReport, Safety, Severity
    from upconv.linter.fixing.fix import Text
    from upconv.linter.running.engine import CheckOptions
    from upconv.linter.running.workers import Workers

STDIN = "-"
"""The path that stands for a text which the request holds itself."""


@record(frozen=True, slots=True)
class CheckRequest:
    """What a caller asks; None and () where he leaves it to the configuration.

    `paths` are files and folders, and "-" for `text`, which is called `text_name`; without paths
    and `models`, which are in memory, the current folder is searched. `levels` are the fixes to
    make, `write` is False where they are only to be shown. `in_place` lets them change ONNX files
    themselves, of which a mended copy is made otherwise. `exclude` are patterns of files that a
    search leaves out, from the current folder, besides the configuration's. `add_ignore` is the
    reason of the ignore comments that are to be written for what is found. `config` is a
    configuration, or the file that holds it, or None for the closest. `targets` are the engines
    that the models are to run in. `workers` check the files; where there are none, `jobs` processes
    do.
    """

    paths: tuple[str, ...] = ()
    text: bytes = b""
    text_name: str = STDIN
    models: tuple[Model, ...] = ()
    reading: Reading = field(default_factory=Reading)
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    levels: tuple[Safety, ...] = ()
    write: bool = True
    in_place: bool = False
    add_ignore: str | None = None
    fail_on: Severity | None = None
    show_silenced: bool = False
    baseline: str | None = None
    write_baseline: bool = False
    prune_baseline: bool = False
    jobs: int | None = None
    cache: bool | None = None
    cache_dir: str | None = None
    config: str | Config | None = None
    targets: tuple[str, ...] | None = None
    workers: Workers | None = None


@record(frozen=True, slots=True)
class CheckedFile:
    """A file as the user named it, or as it was found by a search, with its report. `text` is what
    came with the request; a model in memory has nothing that could be fixed."""

    path: str
    report: FileReport
    text: Text | None = None
    fixable: bool = True
    searched: bool = False


class Settings:
    """The settings of a run and of each of its files.

    Those of the run come from --config, or from the configuration closest to the current folder,
    or else to the first path; its folder is the root that reported paths are relative to. Those
    of a file come from --config, or from the configuration closest to the file.

    Raises UsageError for a configuration, code or option that cannot be understood.
    """

    def __init__(self, request: CheckRequest) -> None:
        self._request = request
        self.codes = {"select": _codes(request.select), "ignore": _codes(request.ignore)}
        self._options: dict[Path, CheckOptions] = {}
        self._seen: dict[Path, Config | None] = {}
        self._named = _named_config(request.config)
        base = self._named or _base_config(request.paths or [one.path for one in request.models])
        self.root = base.root
        said: dict[str, Any] = {k: v for k, v in self.codes.items() if v} | _said(request)
        self.run = replace(base, **said)

    def config_of(self, path: Path) -> Config:
        """The configuration that holds for a file."""
        return self.run if self._named else closest_config(path.parent, self._seen)

    def options_of(self, path: Path) -> CheckOptions:
        """How a file is to be checked."""
        folder = Path(os.path.realpath(path.parent))
        if folder not in self._options:
            self._options[folder] = self._options_from(self.config_of(path))
        return self._options[folder]

    def _options_from(self, config: Config) -> CheckOptions:
        from upconv.linter.running.engine import CheckOptions

        return CheckOptions(
            read_options(self._request.reading, config),
            self.root,
            self.codes["select"] or config.select,
            self.codes["ignore"] or config.ignore,
            config.severities,
            config.overrides,
            targets=config.target if self._request.targets is None else self.run.target,
        )

    def leaves_out(self, path: Path) -> bool:
        """Whether a file that a search found is excluded by its configuration."""
        config = self.config_of(path)
        patterns = ((config.exclude, config.root), (self._request.exclude, Path.cwd()))
        if not any(exclude for exclude, _ in patterns):
            return False
        from upconv.linter.settings.overrides import matches_file

        return any(matches_file(exclude, root, path) for exclude, root in patterns if exclude)

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


def _named_config(config: str | Config | None) -> Config | None:
    return read_config(config) if isinstance(config, str) else config


def _base_config(paths: Sequence[str]) -> Config:
    here = closest_config(Path())
    first = next((Path(path) for path in paths if path != "-"), None)
    if here.path or first is None:
        return here
    there = closest_config(first if first.is_dir() else first.parent)
    return there if there.path else here


def _said(request: CheckRequest) -> dict[str, Any]:
    """Field of Config -> what the caller says."""
    words = {
        "fail_on": request.fail_on,
        "jobs": request.jobs,
        "cache": request.cache,
        "target": None if request.targets is None else known_targets(request.targets),
    }
    return {name: value for name, value in words.items() if value is not None}


def known_targets(texts: Sequence[str]) -> tuple[str, ...]:
    """The engines of an option that may be repeated and hold commas. Raises UsageError for one that
    nobody knows."""
    words = tuple(word.strip() for text in texts for word in text.split(",") if word.strip())
    if words:
        from upconv.linter.engines.profile import targets_of

        targets_of(words)
    return words


def _codes(texts: Sequence[str]) -> tuple[str, ...]:
    """The codes of an option that may be repeated and hold commas."""
    from upconv.linter.settings.config_values import known_codes

    words = [word.strip() for text in texts for word in text.split(",") if word.strip()]
    hint = "`upconv rule` lists the rules"
    return known_codes(words, lambda message: UsageError(message, hint=hint))
