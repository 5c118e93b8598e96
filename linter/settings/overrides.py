"""Settings of the configuration that hold for some files and some layers only."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from upconv.converters.ir.records import record
from upconv.linter.settings.patterns import Patterns, parsed

if TYPE_CHECKING:
    from upconv.linter.finding import Severity


@record(frozen=True, slots=True)
class Override:
    """Settings for the files and the layers that match; no pattern matches all.

    `files` are patterns as in .gitignore, from `root`; `layers` are shell patterns. `label` says
    where the configuration has it.
    """

    label: str
    root: Path
    files: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    severities: tuple[tuple[str, Severity], ...] = ()


def longest_prefix(code: str, prefixes: Iterable[str]) -> int:
    """The length of the longest prefix of a code, -1 where none fits; "ALL" fits all with 0.

    >>> longest_prefix("UP201", ["UP1", "UP2"]), longest_prefix("UP201", ["UP1"])
    (3, -1)
    """
    fits = (0 if p == "ALL" else len(p) for p in prefixes if p == "ALL" or code.startswith(p))
    return max(fits, default=-1)


class Overrides:
    """Those of a configuration's overrides that hold for one file; remembers which were of use."""

    def __init__(
        self,
        entries: Sequence[Override],
        severities: Sequence[tuple[str, Severity]],
        path: Path,
    ) -> None:
        self._entries = [entry for entry in entries if _holds_for_file(entry, path)]
        self._severities = severities
        self._used: dict[str, None] = {}

    @property
    def used(self) -> tuple[str, ...]:
        """`label: code` of each entry that silenced a finding."""
        return tuple(self._used)

    def ignores(self, code: str, layer: str) -> bool:
        """Whether a finding of that code on that layer is silenced; "" is no layer."""
        if not self._entries:
            return False
        found = [
            ignore_label(entry, word)
            for entry in self._entries
            if _holds_for_layer(entry, layer)
            for word in entry.ignore
            if longest_prefix(code, (word,)) >= 0
        ]
        self._used.update(dict.fromkeys(found))
        return bool(found)

    def severity(self, code: str, layer: str) -> Severity | None:
        """The severity that is set; the last override wins over earlier ones and the general
        table, and in each the longest prefix."""
        if not self._entries and not self._severities:
            return None
        tables = [e.severities for e in self._entries if _holds_for_layer(e, layer)]
        for table in (*reversed(tables), self._severities):
            fitting = [entry for entry in table if longest_prefix(code, entry[:1]) >= 0]
            if fitting:
                return max(fitting, key=lambda entry: longest_prefix(code, entry[:1]))[1]
        return None


def ignore_label(entry: Override, word: str) -> str:
    """How an idle ignore of the configuration is named."""
    return f"{entry.label}: {word}"


def _holds_for_layer(entry: Override, layer: str) -> bool:
    if not entry.layers:
        return True
    from fnmatch import fnmatchcase

    return bool(layer) and any(fnmatchcase(layer, pattern) for pattern in entry.layers)


def _holds_for_file(entry: Override, path: Path) -> bool:
    return not entry.files or matches_file(entry.files, entry.root, path)


def matches_file(patterns: Iterable[str], root: Path, path: Path) -> bool:
    """Whether patterns, as in a .gitignore that lies in `root`, match a path.

    >>> matches_file(["old/", "*.pt"], Path("/net"), Path("/net/old/a.prototxt"))
    True
    """
    whole, top = os.path.realpath(path), os.path.realpath(root)
    if not whole.startswith(os.path.join(top, "")):
        return False
    inside = os.path.relpath(whole, top).replace(os.sep, "/")
    return bool(_patterns(tuple(patterns)).verdict(inside))


@lru_cache(64)
def _patterns(lines: tuple[str, ...]) -> Patterns:
    return Patterns(parsed(lines))
