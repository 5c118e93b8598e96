"""Which files a check looks at: files named are taken as they are, folders are searched.

A search skips what .gitignore names and git does not track, version control and environments. An
ending makes a file worth looking at, and its first bytes a candidate; whether it holds a model, the
reader says. A folder of TensorFlow's (SavedModel) is one candidate, and its files are none. What is
passed over and might have been a model is told, kind by kind, so that it can be counted.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from upconv.converters.readers.files.opening import read_regular
from upconv.converters.readers.formats import is_candidate, may_hold_model, unread_kind
from upconv.linter.running.tracked import tracked
from upconv.linter.settings.patterns import MOST, Patterns, parsed

NEVER: Final = frozenset({".git", ".hg", ".svn", "__pycache__", "node_modules"})

MARKS: Final = ("pyvenv.cfg", "CACHEDIR.TAG")
"""Files in folders that are no part of a repository: environments, and caches, ours among them."""

MAX_IGNORE_FILE: Final = 1 << 20

IGNORED: Final = "named by .gitignore"
IGNORED_FOLDERS: Final = "folders named by .gitignore"
UNREADABLE_FOLDERS: Final = "folders that cannot be read"
EXCLUDED: Final = "excluded"

Note = Callable[[str], None]
"""Is told the kind of each file that is passed over."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file to check, and whether the user named it."""

    path: Path
    named: bool


def discover(
    paths: Iterable[Path],
    leave_out: Callable[[Path], bool] = lambda path: False,
    note: Note = lambda kind: None,
) -> Iterator[Found]:
    """The candidates, each once, folders in the order of their names. `leave_out` is asked for
    files that a search finds, not for those that are named.

    A folder that cannot be read ends nothing; `note` is told of it.

    Raises FileNotFoundError for a path that does not exist.
    """
    seen: set[str] = set()
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(path)
        named = not path.is_dir() or may_hold_model(str(path))
        for file in [path] if named else _walk(path, note):
            key = os.path.realpath(file)
            if key in seen:
                continue
            if named or not leave_out(file):
                seen.add(key)
                yield Found(file, named)
            else:
                note(EXCLUDED)


def _walk(top: Path, note: Note) -> Iterator[Path]:
    """The candidates below a folder; a list of folders instead of a recursion, since trees may be
    as deep as paths are long."""
    waiting = [(top, os.path.realpath(top), _IgnoreFiles.around(top))]
    while waiting:
        here, real, outer = waiting.pop()
        if may_hold_model(str(here)):
            yield here
            continue
        rules = outer.with_folder(real)
        folders, files = _content(here, note)
        for name in files:
            if _takes(here / name, os.path.join(real, name), rules, note):
                yield here / name
        entered = [name for name in folders if _enters(os.path.join(real, name), rules, note)]
        waiting += [(here / name, os.path.join(real, name), rules) for name in reversed(entered)]


def _content(folder: Path, note: Note) -> tuple[list[str], list[str]]:
    """(folders, other names) in a folder, sorted; nothing where it may not be read. Links to
    folders are not followed."""
    folders, files = [], []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                else:
                    files.append(entry.name)
    except OSError:
        note(UNREADABLE_FOLDERS)
    return sorted(folders), sorted(files)


def _enters(folder: str, rules: _IgnoreFiles, note: Note) -> bool:
    marks = (os.path.join(folder, mark) for mark in MARKS)
    if os.path.basename(folder) in NEVER or any(map(os.path.exists, marks)):
        return False
    if rules.ignores(folder, folder=True):
        note(IGNORED_FOLDERS)
        return False
    return True


def _takes(file: Path, real: str, rules: _IgnoreFiles, note: Note) -> bool:
    candidate = is_candidate(str(file))
    kind = IGNORED if candidate else unread_kind(str(file))
    if not kind:
        return False
    if rules.ignores(real):
        note(IGNORED)
        return False
    if not candidate:
        note(kind)
    return candidate


@dataclass(frozen=True, slots=True)
class _IgnoreFiles:
    """The .gitignore files that speak for a folder, outermost first, each with its folder, and the
    root of the repository it is in, which knows what they do not speak for."""

    specs: tuple[tuple[str, Patterns], ...] = ()
    repository: str = ""

    @classmethod
    def around(cls, top: Path) -> _IgnoreFiles:
        """Those of the folders above `top`, up to the root of its repository."""
        real = os.path.realpath(top)
        chain = []
        for folder in Path(real).parents:
            chain.append(folder)
            if os.path.exists(folder / ".git"):
                break
        else:
            return cls()
        found = cls(repository=str(chain[-1]))
        if not os.path.exists(os.path.join(real, ".git")):
            for folder in reversed(chain):
                found = found.with_folder(str(folder))
        # Who names a folder that git ignores wants it searched all the same.
        return cls() if found.names(real, folder=True) else found

    def with_folder(self, folder: str) -> _IgnoreFiles:
        """With what a folder's own files say; of files in files, so many patterns count as one may
        have."""
        own = folder if os.path.exists(os.path.join(folder, ".git")) else self.repository
        try:
            text = read_regular(os.path.join(folder, ".gitignore"), MAX_IGNORE_FILE)
        except OSError:
            return _IgnoreFiles(self.specs, own)
        left = MOST - sum(len(patterns.entries) for _, patterns in self.specs)
        lines = text.decode("utf-8", "replace").splitlines()
        patterns = Patterns(parsed(lines, max(left, 0)))
        return _IgnoreFiles((*self.specs, (folder, patterns)), own)

    def ignores(self, path: str, folder: bool = False) -> bool:
        """Whether git would ignore it: it is named, and neither tracked nor leads to what is."""
        if not self.names(path, folder):
            return False
        return not self.repository or not tracked(Path(self.repository)).holds(Path(path), folder)

    def names(self, path: str, folder: bool = False) -> bool:
        """Whether the files name it, or a folder that it lies in: the innermost with an opinion
        decides."""
        for root, patterns in reversed(self.specs):
            inner = os.path.relpath(path, root).replace(os.sep, "/")
            verdict = patterns.verdict(inner, folder)
            if verdict is not None:
                return verdict
        return False
