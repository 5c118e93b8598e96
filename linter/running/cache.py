"""Results of earlier checks, one small JSON file for each checked file.

An entry holds for a key made of everything the result depends on: the bytes of the file, of those
that belong to it and of the weights, the options and the rules themselves. Whatever is wrong with
an entry, it is as if it were not there. Entries are data, never code: a cache that came with a
repository can run nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Final

from upconv.converters.ir.dims import Size
from upconv.converters.ir.files import write_whole
from upconv.converters.ir.origin import Source
from upconv.converters.readers.files.json_plain import load_json
from upconv.converters.readers.files.opening import open_regular, read_regular
from upconv.converters.readers.formats import companions, decode
from upconv.linter.finding import FileReport
from upconv.linter.running.engine import CheckOptions, relative_path
from upconv.linter.running.portable import report_from, report_words

FORMAT: Final = 3
"""Raised when what an entry holds changes its meaning."""

FOLDER: Final = ".upconv_cache"

_TAG: Final = (
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# This folder is a cache of upconv; see https://bford.info/cachedir/\n"
)


@dataclass(frozen=True, slots=True)
class Cache:
    """A folder of entries. Everything in it may be deleted at any time."""

    folder: Path

    def load(self, path: str, key: str) -> FileReport | None:
        """The report stored for a file under this key, without its source."""
        try:
            entry = load_json(read_regular(self._entry(path)))
            return report_from(entry["report"]) if entry["key"] == key else None
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None  # absent, cut off, or of another version: checked again

    def store(self, path: str, key: str, report: FileReport) -> None:
        """Keep a report. A failure of ours is not kept, so that it is seen again.

        Raises OSError where the folder cannot be written.
        """
        if report.crashed:
            return
        entry = self._entry(path)
        if not entry.parent.is_dir():
            self._create(entry.parent)
        text = json.dumps({"key": key, "report": report_words(report)})
        write_whole(entry, text.encode("utf-8"), self.folder)

    def _create(self, inner: Path) -> None:
        inner.mkdir(parents=True, exist_ok=True)
        for name, text in (("CACHEDIR.TAG", _TAG), (".gitignore", "*\n")):
            file = self.folder / name
            if not file.exists():
                write_whole(file, text.encode("utf-8"))

    def _entry(self, path: str) -> Path:
        name = blake2b(path.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
        return self.folder / name[:2] / f"{name[2:]}.json"


def cache_key(data: bytes, path: str, named: bool, options: CheckOptions) -> str:
    """The key of a check of these bytes under that path, and of the files that belong to it."""
    beside = _digests(companions(path))
    words = (relative_path(path, options.root), named, options_digest(options), beside)
    return blake2b(
        repr(words).encode("utf-8", "surrogateescape") + data, digest_size=16
    ).hexdigest()


def options_digest(options: CheckOptions) -> str:
    """Everything but the file that a result depends on."""
    read = options.read
    weights = _digests((read.weights, *companions(read.weights))) if read.weights else ()
    inputs = sorted((name, _sizes(shape)) for name, shape in read.inputs.items())
    words = (
        FORMAT,
        rules_version(),
        weights,
        read.weights,
        inputs,
        read.phase,
        read.dialect,
        read.keras_bilinear,
        read.keras_backend,
        options.select,
        options.ignore,
        options.severities,
        [repr(entry) for entry in options.overrides],
        options.folds,
        options.targets,
    )
    return repr(words)


def _sizes(shape: tuple[Size, ...]) -> str:
    return "x".join(map(str, shape))


def _digests(paths: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """The files' names and digests, "" of those that cannot be read."""
    return tuple((os.path.basename(path), _digest(path)) for path in paths)


def _digest(path: str) -> str:
    try:
        stat = os.stat(path)
        return _content_digest(path, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
    except OSError:
        return ""


@lru_cache(maxsize=256)
def _content_digest(path: str, *stamps: int) -> str:
    """The digest of a file, read once for all the models that are checked with it, and again
    when its stamps are others."""
    digest = blake2b(digest_size=16)
    with open_regular(path) as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


@cache
def rules_version() -> str:
    """What tells the code of readers and rules from any other, plugins among it: the places,
    sizes and times of its files."""
    import upconv.converters
    import upconv.linter
    from upconv.linter.rule import RULES

    modules = (upconv.converters, upconv.linter)
    packages = [Path(module.__file__).parent for module in modules if module.__file__]
    files = {os.fspath(path) for folder in packages for path in folder.rglob("*.py")}
    files |= {rule.check.__code__.co_filename for rule in RULES.values()}
    return blake2b(repr(list(_stamps(files))).encode(), digest_size=16).hexdigest()


def _stamps(files: set[str]) -> Iterator[tuple[str, int, int]]:
    for file in sorted(files):
        if os.path.exists(file):
            stat = os.stat(file)
            yield file, stat.st_size, stat.st_mtime_ns


def with_source(report: FileReport, path: str, data: bytes) -> FileReport:
    """A cached report with the text its code frames show, where it has findings."""
    if not any(finding.place for finding in report.findings):
        return report
    return replace(report, source=Source(path, decode(data, path)))
