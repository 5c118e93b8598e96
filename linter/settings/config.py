"""Configuration: `upconv.toml`, or `[tool.upconv]` in pyproject.toml.

The closest file wins, whole: the search goes from a folder upwards and stops at the first file
that speaks of upconv; an upconv.toml comes before a pyproject.toml of the same folder. What a
file says is checked against the table `KEYS`, and `config.schema.json` says the same to editors.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from upconv.converters.ir.errors import UsageError
from upconv.converters.ir.patterns import pattern
from upconv.converters.ir.records import record
from upconv.converters.readers.files.opening import read_regular, reason
from upconv.linter.settings.overrides import Override

if TYPE_CHECKING:
    from upconv.linter.finding import Severity

OWN_FILE: Final = "upconv.toml"
SHARED_FILE: Final = "pyproject.toml"
MAX_BYTES: Final = 1 << 20
"""Of a file of settings."""
MOST_PARTS: Final = 64
_PART: Final = r"""(?:[\w\-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')"""
_KEYS: Final = pattern(
    rf"""(?P<long>(?:{_PART}[ \t]*+\.[ \t]*+){{{MOST_PARTS}}})"""
    r"""|[\w\-]++|"(?:[^"\\\n]|\\.)*+"?|'[^'\n]*+'?|[^\w\-"']++"""
)
"""Each match takes in all of a word, a text or what lies between, so that none is read twice."""

_OURS: Final = pattern(
    r"""^[ \t]*+\[?\[?[ \t]*+["']?tool["']?\s*(?:\.\s*["']?upconv\b|\]|=)""", re.MULTILINE
)
"""What a pyproject.toml with our table has on some line; most have none and are not parsed."""


@record(frozen=True, slots=True)
class Config:
    """What one file says; None and () where it says nothing. `path` is "" where there is none.

    `root` is the folder of the file, which its paths and patterns are relative to.
    """

    root: Path
    path: str = ""
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    severities: tuple[tuple[str, Severity], ...] = ()
    overrides: tuple[Override, ...] = ()
    fail_on: Severity | None = None
    format: str | None = None
    jobs: int | None = None
    cache: bool | None = None
    cache_dir: str | None = None
    baseline: str | None = None
    phase: str | None = None
    dialect: str | None = None
    keras_bilinear: str | None = None
    keras_backend: str | None = None
    target: tuple[str, ...] = ()


def read_config(path: str | Path) -> Config:
    """The configuration in a file that was named, as by --config.

    Raises UsageError where the file is missing, is no TOML, or says what nobody understands.
    """
    found = _read(Path(path))
    if found is None:
        raise UsageError("has no [tool.upconv] table", path=str(path))
    return found


def closest_config(folder: Path, seen: Found | None = None) -> Config:
    """The configuration that holds for the files in a folder; an empty one, with the folder as
    its root, where there is none. `seen` remembers what folders hold, for as long as it is kept.

    Raises UsageError as `read_config`.
    """
    whole = Path(os.path.realpath(folder))
    return _closest(whole, {} if seen is None else seen) or Config(whole)


Found: TypeAlias = "dict[Path, Config | None]"


def _closest(folder: Path, seen: Found) -> Config | None:
    if folder not in seen:
        files = (folder / name for name in (OWN_FILE, SHARED_FILE))
        configs = (_read(file) for file in files if file.is_file())
        mine = next((config for config in configs if config is not None), None)
        top = folder.parent == folder
        seen[folder] = mine or (None if top else _closest(folder.parent, seen))
    return seen[folder]


def _read(path: Path) -> Config | None:
    """The configuration in a file; None for a pyproject.toml that does not speak of upconv."""
    try:
        text = read_regular(path, MAX_BYTES).decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError("is not UTF-8 text", path=str(path)) from None
    except OSError as problem:
        raise UsageError(f"cannot be read: {reason(problem)}", path=str(path)) from None
    shared = path.name == SHARED_FILE
    if shared and not _OURS.search(text):
        return None
    table = _parsed(text, path)
    if shared:
        tool = table.get("tool")
        table = tool.get("upconv") if isinstance(tool, dict) else None
    if table is None:
        return None
    return _config(table, path, text)


def _parsed(text: str, path: Path) -> Any:
    import tomllib

    long = next((match for match in _KEYS.finditer(text) if match["long"]), None)
    if long is not None:  # which Python's reader takes apart in time that grows with the square
        line = text.count("\n", 0, long.start()) + 1
        raise UsageError(f"has a key of more than {MOST_PARTS} parts", path=f"{path}:{line}")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise UsageError("is no TOML: nested too deep", path=str(path)) from None
    except ValueError as problem:  # TOMLDecodeError, and a number of more digits than Python reads
        raise UsageError(f"is no TOML: {problem}", path=str(path)) from None


def _config(table: object, path: Path, text: str) -> Config:
    from upconv.linter.settings.config_values import ConfigError, config_record

    root = Path(os.path.realpath(path)).parent
    try:
        record = config_record(table, root)
    except ConfigError as problem:
        line = _line_of(text, problem.key)
        place = f"{path}:{line}" if line else str(path)
        raise UsageError(problem.message, path=place, hint=problem.hint) from None
    return replace(Config(root, str(path)), **record)


def _line_of(text: str, key: str) -> int:
    """The line that first has a key, 0 where none has."""
    word = re.compile(rf"""(?:^|[\s.\[{{,])["']?{re.escape(key)}["']?\s*(?:[=.\]])""")
    lines = enumerate(text.splitlines(), 1)
    return next((number for number, line in lines if word.search(line)), 0)
