"""A configuration as a file that says the same, so that people see what holds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from upconv.linter.settings.config import Config
from upconv.linter.settings.config_values import field_of

if TYPE_CHECKING:
    from upconv.linter.settings.overrides import Override

DEFAULTS: Final = {
    "select": "all rules",
    "ignore": "none",
    "exclude": "none",
    "fail-on": "error",
    "format": "text",
    "jobs": "1 for few files, else one a processor",
    "cache": "where more than one file is checked",
    "cache-dir": ".upconv_cache beside the configuration",
    "baseline": "none",
    "phase": "TEST",
    "dialect": "none",
    "keras-bilinear": "what the file's version means",
    "keras-backend": "what the file records, else tensorflow",
    "target": "none",
}
"""Key -> what holds where nothing is said."""


def as_toml(config: Config) -> str:
    """The configuration as an upconv.toml; what nobody says is a comment with what holds then."""
    head = f"# {config.path or 'no configuration'}; paths are relative to {config.root}"
    return "\n".join([head, *_lines(config)]) + "\n"


def _lines(config: Config) -> Iterator[str]:
    for key, default in DEFAULTS.items():
        value = getattr(config, field_of(key))
        said = value not in (None, ())
        yield f"{key} = {_value(value)}" if said else f"# {key}: {default}"
    if config.severities:
        yield from ("", "[severity]", *_table(config.severities))
    for entry in config.overrides:
        yield from ("", "[[overrides]]", *_override(entry))


def _override(entry: Override) -> Iterator[str]:
    for key in ("files", "layers", "ignore"):
        if getattr(entry, key):
            yield f"{key} = {_value(getattr(entry, key))}"
    if entry.severities:
        yield f"severity = {{ {', '.join(_table(entry.severities))} }}"


def _table(entries: Sequence[tuple[str, str]]) -> list[str]:
    return [f"{json.dumps(key)} = {_value(value)}" for key, value in entries]


def _value(value: Any) -> str:
    """TOML's texts, numbers, lists and booleans are JSON's, but for the escapes of half pairs."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
