"""How the files of each folder are checked, as their configuration says now.

A file that changes on disk counts from the next look on, whether the editor tells of it or not:
its stamp is asked for each time. What cannot be understood is told once, and what held before goes
on holding.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from upconv.converters.ir.errors import UpconvError
from upconv.converters.ir.records import record
from upconv.linter.settings.config import OWN_FILE, SHARED_FILE, Config, closest_config
from upconv.service.work.check_request import CheckRequest, Settings

if TYPE_CHECKING:
    from upconv.linter.running.baseline import Baseline

Stamps: TypeAlias = "tuple[tuple[str, int, int], ...]"


@record(frozen=True, slots=True)
class Configured:
    """What holds for a folder: settings, and the known findings where a baseline is named."""

    settings: Settings
    known: Baseline | None
    stamps: Stamps


class Folders:
    """The settings of folders, remembered until a file that they come from changes. `tops` are the
    folders that the editor has open: paths are relative to them where there is no configuration."""

    def __init__(self, complain: Callable[[str], None]) -> None:
        self._complain = complain
        self._known: dict[str, Configured] = {}
        self._told: set[str] = set()
        self.tops: Sequence[Path] = ()

    def of(self, path: str) -> Configured:
        """What holds for a file."""
        folder = os.path.dirname(os.path.realpath(path))
        known = self._known.get(folder)
        if known is None or known.stamps != _stamps(folder, known.settings):
            known = self._known[folder] = self._read(folder, known)
        return known

    def _read(self, folder: str, before: Configured | None) -> Configured:
        try:
            config = closest_config(Path(folder))
            return _configured(folder, config if config.path else self._default(folder))
        except UpconvError as error:
            if str(error) not in self._told:
                self._told.add(str(error))
                self._complain(str(error))
            settings = before.settings if before else _settings(self._default(folder))
            known = before.known if before else None
            return Configured(settings, known, _stamps(folder, settings))

    def _default(self, folder: str) -> Config:
        above = (top for top in self.tops if Path(folder).is_relative_to(top))
        return Config(max(above, key=lambda top: len(top.parts), default=Path(folder)))


def _configured(folder: str, config: Config) -> Configured:
    settings = _settings(config)
    stamps = _stamps(folder, settings)
    path = settings.baseline_path
    if path is None:
        return Configured(settings, None, stamps)
    from upconv.linter.running.baseline import Baseline, read_baseline

    known = read_baseline(path) if path.exists() else Baseline({})
    return Configured(settings, known, stamps)


def _settings(config: Config) -> Settings:
    return Settings(CheckRequest(config=config))


def _stamps(folder: str, settings: Settings) -> Stamps:
    """What changes when a file does that the settings of a folder come from."""
    above = (folder, *map(str, Path(folder).parents))
    files = [os.path.join(one, name) for one in above for name in (OWN_FILE, SHARED_FILE)]
    if settings.baseline_path is not None:
        files.append(str(settings.baseline_path))
    return tuple(stamp for file in files if (stamp := _stamp(file)))


def _stamp(file: str) -> tuple[str, int, int] | None:
    try:
        stat = os.stat(file)
    except OSError:
        return None
    return file, stat.st_mtime_ns, stat.st_size
