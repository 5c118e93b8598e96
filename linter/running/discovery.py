"""Which files a check looks at: files named are taken as they are, folders are searched.

A search skips what .gitignore names, version control and environments. An ending makes a file
worth looking at, and its first bytes a candidate; whether it holds a model, the reader says. A
folder of TensorFlow's (SavedModel) is one candidate, and its files are none.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from upconv.converters.readers.formats import is_candidate, may_hold_model

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

NEVER: Final = frozenset({".git", ".hg", ".svn", "__pycache__", "node_modules"})


@dataclass(frozen=True, slots=True)
class Found:
    """A file to check, and whether the user named it."""

    path: Path
    named: bool


def discover(
    paths: Iterable[Path], leave_out: Callable[[Path], bool] = lambda path: False
) -> Iterator[Found]:
    """The candidates, each once, folders in the order of their names. `leave_out` is asked for
    files that a search finds, not for those that are named.

    Raises FileNotFoundError for a path that does not exist.
    """
    seen: set[Path] = set()
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(path)
        named = not path.is_dir() or may_hold_model(str(path))
        for file in [path] if named else _walk(path):
            key = file.resolve()
            if key not in seen and (named or not leave_out(file)):
                seen.add(key)
                yield Found(file, named)


def _walk(top: Path) -> Iterator[Path]:
    outer = _IgnoreFiles.around(top)
    specs: dict[str, _IgnoreFiles] = {}
    for folder, names, files in os.walk(top):
        here = Path(folder)
        rules = specs.get(str(here.parent), outer).with_folder(here)
        specs[folder] = rules
        names[:] = sorted(
            name
            for name in names
            if name not in NEVER
            and not (here / name / "pyvenv.cfg").exists()
            and not rules.ignores(here / name, folder=True)
        )
        if may_hold_model(folder):
            names.clear()
            yield here
            continue
        for name in sorted(files):
            file = here / name
            if is_candidate(str(file)) and not rules.ignores(file):
                yield file


@dataclass(frozen=True, slots=True)
class _IgnoreFiles:
    """The .gitignore files that speak for a folder, outermost first."""

    specs: tuple[tuple[Path, GitIgnoreSpec], ...] = ()

    @classmethod
    def around(cls, top: Path) -> _IgnoreFiles:
        """Those of the folders above `top`, up to the root of its repository."""
        chain = []
        for folder in top.resolve().parents:
            chain.append(folder)
            if (folder / ".git").exists():
                break
        else:
            return cls()
        found = cls()
        if not (top.resolve() / ".git").exists():
            for folder in reversed(chain):
                found = found.with_folder(folder)
        # Who names a folder that git ignores wants it searched all the same.
        return cls() if found.ignores(top, folder=True) else found

    def with_folder(self, folder: Path) -> _IgnoreFiles:
        file = folder / ".gitignore"
        if not file.is_file():
            return self
        from pathspec import GitIgnoreSpec

        lines = file.read_text("utf-8", errors="replace").splitlines()
        return _IgnoreFiles((*self.specs, (folder.resolve(), GitIgnoreSpec.from_lines(lines))))

    def ignores(self, path: Path, folder: bool = False) -> bool:
        """Whether git would ignore it: the innermost file with an opinion decides."""
        whole = path.parent.resolve() / path.name
        for root, spec in reversed(self.specs):
            if whole.is_relative_to(root):
                verdict = spec.check_file(
                    whole.relative_to(root).as_posix() + ("/" if folder else "")
                )
                if verdict.include is not None:
                    return verdict.include
        return False
