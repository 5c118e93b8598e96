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
from typing import Final

from upconv.converters.readers.files.opening import read_regular
from upconv.converters.readers.formats import FORMATS, may_hold_model
from upconv.linter.settings.patterns import MOST, Patterns, parsed

PYTHON_SUFFIXES: Final = frozenset({".py", ".ipynb"})
"""Endings of code, of which only that with upsampling in it is a candidate."""

SUFFIXES: Final = tuple(
    dict.fromkeys(
        suffix
        for entry in FORMATS
        for suffix in (f".{extension}" for extension in entry.searched)
        if suffix not in PYTHON_SUFFIXES
    )
)
"""Endings that models have; what such a file holds is for its content to say."""

_TEXT_SUFFIXES: Final = (".prototxt", ".prototext", ".prototmp", ".pbtxt")
"""Endings of texts, which are read anyway: looking at them first would be reading them twice."""

MAX_IGNORE_FILE: Final = 1 << 20
"""Bytes of a .gitignore; a larger one is not obeyed, so that nothing is lost with it."""

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
    seen: set[str] = set()
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(path)
        named = not path.is_dir() or may_hold_model(str(path))
        for file in [path] if named else _walk(path):
            key = os.path.realpath(file)
            if key not in seen and (named or not leave_out(file)):
                seen.add(key)
                yield Found(file, named)


def _walk(top: Path) -> Iterator[Path]:
    """The candidates below a folder; a list of folders instead of a recursion, since trees may be
    as deep as paths are long."""
    waiting = [(top, os.path.realpath(top), _IgnoreFiles.around(top))]
    while waiting:
        here, real, outer = waiting.pop()
        if may_hold_model(str(here)):
            yield here
            continue
        rules = outer.with_folder(real)
        folders, files = _content(here)
        for name in files:
            file = here / name
            if _is_candidate(file) and not rules.ignores(os.path.join(real, name)):
                yield file
        inner = [
            (here / name, os.path.join(real, name), rules)
            for name in folders
            if _is_searched(here / name)
            and not rules.ignores(os.path.join(real, name), folder=True)
        ]
        waiting += reversed(inner)


def _content(folder: Path) -> tuple[list[str], list[str]]:
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
        pass  # as git does: what cannot be listed is not searched
    return sorted(folders), sorted(files)


def _is_searched(folder: Path) -> bool:
    return folder.name not in NEVER and not os.path.exists(folder / "pyvenv.cfg")


def _is_candidate(file: Path) -> bool:
    """Whether the ending says so; most Python files have nothing to do with models, and what
    they mention is cheaper to find than to parse."""
    suffix = file.suffix.lower()
    if suffix in _TEXT_SUFFIXES:
        return os.path.isfile(file)  # no pipe, no device, no link to one or to nothing
    if suffix in SUFFIXES:
        return may_hold_model(str(file))
    return file.suffix in PYTHON_SUFFIXES and mentions_upsampling(file)


def mentions_upsampling(file: Path) -> bool:
    """Whether code mentions a call that is looked for, and a framework that has it."""
    from upconv.converters.readers.python_source.mentions import mentions

    try:
        return mentions(read_regular(file))
    except OSError:
        return False


@dataclass(frozen=True, slots=True)
class _IgnoreFiles:
    """The .gitignore files that speak for a folder, outermost first, each with its folder."""

    specs: tuple[tuple[str, Patterns], ...] = ()

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
        found = cls()
        if not os.path.exists(os.path.join(real, ".git")):
            for folder in reversed(chain):
                found = found.with_folder(str(folder))
        # Who names a folder that git ignores wants it searched all the same.
        return cls() if found.takes(real) else found

    def with_folder(self, folder: str) -> _IgnoreFiles:
        """With the file in a folder, where there is one; of files in files, so many patterns count
        as one may have."""
        try:
            text = read_regular(os.path.join(folder, ".gitignore"), MAX_IGNORE_FILE)
        except OSError:
            return self
        left = MOST - sum(len(patterns.entries) for _, patterns in self.specs)
        lines = text.decode("utf-8", "replace").splitlines()
        return _IgnoreFiles((*self.specs, (folder, Patterns(parsed(lines, max(left, 0))))))

    def takes(self, folder: str) -> bool:
        """Whether git would ignore a folder, or one that it lies in."""
        return bool(self._verdict(folder, lambda patterns, inner: patterns.verdict(inner, True)))

    def ignores(self, path: str, folder: bool = False) -> bool:
        """Whether git would ignore what lies in a folder that it does not ignore: the innermost
        file with an opinion decides."""
        return bool(
            self._verdict(
                path, lambda patterns, inner: patterns.verdict_alone(inner.split("/"), folder)
            )
        )

    def _verdict(self, path: str, ask: Callable[[Patterns, str], bool | None]) -> bool | None:
        for folder, patterns in reversed(self.specs):
            inner = os.path.relpath(path, folder).replace(os.sep, "/")
            verdict = ask(patterns, inner)
            if verdict is not None:
                return verdict
        return None
