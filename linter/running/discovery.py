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
from typing import TYPE_CHECKING, Final

from upconv.converters.readers.formats import is_candidate, may_hold_model, unread_kind
from upconv.linter.running.tracked import tracked

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

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
    seen: set[Path] = set()
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(path)
        named = not path.is_dir() or may_hold_model(str(path))
        for file in [path] if named else _walk(path, note):
            key = file.resolve()
            if key in seen:
                continue
            if named or not leave_out(file):
                seen.add(key)
                yield Found(file, named)
            else:
                note(EXCLUDED)


def _walk(top: Path, note: Note) -> Iterator[Path]:
    outer = _IgnoreFiles.around(top)
    specs: dict[str, _IgnoreFiles] = {}
    for folder, names, files in os.walk(top, onerror=lambda error: note(UNREADABLE_FOLDERS)):
        here = Path(folder)
        rules = specs.get(str(here.parent), outer).with_folder(here)
        specs[folder] = rules
        if may_hold_model(folder):
            names.clear()
            yield here
            continue
        names[:] = sorted(name for name in names if _enters(here / name, rules, note))
        yield from (here / name for name in sorted(files) if _takes(here / name, rules, note))


def _enters(folder: Path, rules: _IgnoreFiles, note: Note) -> bool:
    if folder.name in NEVER or any(os.path.exists(folder / mark) for mark in MARKS):
        return False
    if rules.ignores(folder, folder=True):
        note(IGNORED_FOLDERS)
        return False
    return True


def _takes(file: Path, rules: _IgnoreFiles, note: Note) -> bool:
    candidate = is_candidate(str(file))
    kind = IGNORED if candidate else unread_kind(str(file))
    if not kind:
        return False
    if rules.ignores(file):
        note(IGNORED)
        return False
    if not candidate:
        note(kind)
    return candidate


@dataclass(frozen=True, slots=True)
class _IgnoreFiles:
    """The .gitignore files that speak for a folder, outermost first, and the root of the repository
    it is in, which knows what they do not speak for."""

    specs: tuple[tuple[Path, GitIgnoreSpec], ...] = ()
    repository: Path | None = None

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
        found = cls(repository=chain[-1])
        if not (top.resolve() / ".git").exists():
            for folder in reversed(chain):
                found = found.with_folder(folder)
        # Who names a folder that git ignores wants it searched all the same.
        return cls() if found.names(top, folder=True) else found

    def with_folder(self, folder: Path) -> _IgnoreFiles:
        """With what a folder's own files say."""
        own = folder.resolve() if os.path.exists(folder / ".git") else self.repository
        lines = _lines(folder / ".gitignore")
        if lines is None:
            return _IgnoreFiles(self.specs, own)
        from pathspec import GitIgnoreSpec

        spec = GitIgnoreSpec.from_lines(lines)
        return _IgnoreFiles((*self.specs, (folder.resolve(), spec)), own)

    def ignores(self, path: Path, folder: bool = False) -> bool:
        """Whether git would ignore it: it is named, and neither tracked nor leads to what is."""
        if not self.names(path, folder):
            return False
        whole = path.parent.resolve() / path.name
        return self.repository is None or not tracked(self.repository).holds(whole, folder)

    def names(self, path: Path, folder: bool = False) -> bool:
        """Whether the files name it: the innermost with an opinion decides."""
        whole = path.parent.resolve() / path.name
        for root, spec in reversed(self.specs):
            if whole.is_relative_to(root):
                verdict = spec.check_file(
                    whole.relative_to(root).as_posix() + ("/" if folder else "")
                )
                if verdict.include is not None:
                    return verdict.include
        return False


def _lines(file: Path) -> list[str] | None:
    """The lines of a .gitignore, None where there is none that can be read."""
    try:
        if not file.is_file() or file.stat().st_size > MAX_IGNORE_FILE:
            return None
        return file.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return None
