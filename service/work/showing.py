"""What a check would do: the files that it would open, and the settings that hold."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from upconv.service.work.check_request import STDIN, CheckRequest, Settings
from upconv.service.work.checking import discovered

if TYPE_CHECKING:
    from upconv.linter.settings.config import Config

OF_THE_RUN = ("fail_on", "format", "jobs", "cache", "cache_dir", "baseline")
"""Settings that hold for a run as a whole; the others are each file's."""

SAID = ("fail_on", "jobs", "cache", "cache_dir", "baseline")
READING = ("phase", "dialect", "keras_bilinear", "keras_backend")


def files_of(request: CheckRequest) -> tuple[str, ...]:
    """The files that a check would open, none of which is opened but to be told apart.

    Raises UsageError as `check` does.
    """
    from upconv.linter.running.plugins import load_plugins

    load_plugins()
    passed: Counter[str] = Counter()
    paths = [path for path in request.paths if path != STDIN]
    found = discovered(paths or ["."], Settings(request), passed)
    return tuple(str(path) for path, _ in found)


def settings_of(request: CheckRequest) -> Config:
    """The settings that hold for the first path, or for the current folder: what the request says,
    completed by the configuration.

    Raises UsageError as `check` does.
    """
    from upconv.linter.running.plugins import load_plugins

    load_plugins()
    settings = Settings(request)
    first = next((Path(path) for path in request.paths if path != STDIN), Path())
    config = settings.config_of(first / "any" if first.is_dir() else first)
    run: dict[str, Any] = {name: getattr(settings.run, name) for name in OF_THE_RUN}
    said = {name: getattr(request, name) for name in SAID}
    said |= {name: getattr(request.reading, name) for name in READING} | settings.codes
    said["exclude"] = (*config.exclude, *request.exclude)
    return replace(config, **run | {name: value for name, value in said.items() if value})
