"""Rules of other packages, found by the entry point group `upconv.rules`.

An entry names a module; importing it registers its rules with `upconv.linter.rule.rule`. Looking
for entries costs next to nothing where there are none: the machinery of `importlib.metadata` is
imported only where a package's entry_points.txt names the group.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import cache
from typing import Final

from upconv.converters.ir.errors import UsageError

GROUP: Final = "upconv.rules"


@cache
def load_plugins() -> tuple[str, ...]:
    """Import every plugin, once; returns "name (package version)" of each.

    Raises UsageError, naming the package, where one cannot be imported.
    """
    if not any(_names_group(file) for file in _entry_files()):
        return ()
    from importlib.metadata import entry_points

    found = sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value))
    loaded = []
    for entry in found:
        package = f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value
        try:
            entry.load()
        except Exception as problem:
            reason = f"{type(problem).__name__}: {problem}"
            raise UsageError(
                f"the rules of plugin '{entry.name}' ({package}) cannot be loaded: {reason}",
                hint="mend the package, or uninstall it",
            ) from problem
        loaded.append(f"{entry.name} ({package})")
    return tuple(loaded)


def _entry_files() -> Iterator[str]:
    """The entry_points.txt of every package on the path."""
    for folder in dict.fromkeys(sys.path):
        try:
            names = os.listdir(folder or ".")
        except OSError:
            continue  # a zip file, or a folder that is not there
        for name in names:
            if name.endswith((".dist-info", ".egg-info")):
                yield os.path.join(folder, name, "entry_points.txt")


def _names_group(file: str) -> bool:
    try:
        with open(file, "rb", buffering=0) as stream:
            return f"[{GROUP}]".encode() in stream.read()
    except OSError:
        return False  # most packages have none
