"""What a configuration may hold: the table of keys, and how each value is checked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

from upconv.converters.ir.errors import UsageError
from upconv.linter.finding import SEVERITIES
from upconv.linter.reports import FORMATS
from upconv.linter.settings.overrides import Override

Check: TypeAlias = Callable[[str, Any], Any]


class ConfigError(ValueError):
    """A value that is not understood: the key, what is wrong, and what to write."""

    def __init__(self, key: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.key = key
        self.message = message
        self.hint = hint


def config_record(table: object, root: Path) -> dict[str, Any]:
    """Field of Config -> value. Raises ConfigError at the first thing that is not understood."""
    found = _checked(_table("upconv", table), KEYS)
    overrides = [
        *_short_form("per-file-ignores", "files", found.pop("per-file-ignores", {}), root),
        *_short_form("per-layer-ignores", "layers", found.pop("per-layer-ignores", {}), root),
        *_overrides(found.pop("overrides", []), root),
    ]
    record = {field_of(key): value for key, value in found.items()}
    return record | {"overrides": tuple(overrides)}


def _checked(table: Mapping[str, Any], keys: Mapping[str, Check]) -> dict[str, Any]:
    return {key: _known(key, keys)(key, value) for key, value in table.items()}


def _known(key: str, keys: Mapping[str, Check]) -> Check:
    if key in keys:
        return keys[key]
    from difflib import get_close_matches

    close = get_close_matches(key.replace("_", "-").lower(), keys, 1)
    hint = f"did you mean '{close[0]}'?" if close else f"there are: {', '.join(keys)}"
    raise ConfigError(key, f"unknown key '{key}'", hint)


def _short_form(
    name: str, field: str, table: Mapping[str, tuple[str, ...]], root: Path
) -> list[Override]:
    made = []
    for pattern, codes in table.items():
        files, layers = ((pattern,), ()) if field == "files" else ((), (pattern,))
        made.append(Override(f"{name}.'{pattern}'", root, files, layers, codes))
    return made


def _overrides(entries: list[dict[str, Any]], root: Path) -> list[Override]:
    return [
        Override(
            f"overrides[{index}]",
            root,
            entry.get("files", ()),
            entry.get("layers", ()),
            entry.get("ignore", ()),
            entry.get("severity", ()),
        )
        for index, entry in enumerate(entries)
    ]


# One value each.


def _strings(key: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, list) and all(isinstance(item, str) and item for item in value):
        return tuple(value)
    raise ConfigError(key, f"'{key}' is to be a list of texts", f'write {key} = ["...", "..."]')


def _codes(key: str, value: Any) -> tuple[str, ...]:
    return known_codes(_strings(key, value), lambda text: ConfigError(key, text, _LIST_RULES))


def known_codes(words: Collection[str], error: Callable[[str], Exception]) -> tuple[str, ...]:
    """Codes and prefixes in capitals; raises `error(message)` for one that no rule has, so that a
    typing error is not a silent pass. A rule's name stands for its code, "ALL" for all."""
    from upconv.linter.rules import RULES

    names = {rule.name: rule.code for rule in RULES.values()}
    codes = tuple(names.get(word.lower(), word.upper()) for word in words)
    for code in codes:
        if code != "ALL" and not any(known.startswith(code) for known in RULES):
            raise error(f"no rule's code is or begins with '{code}'")
    return codes


_LIST_RULES: Final = "`upconv rule` lists the rules"


def _severities(key: str, value: Any) -> tuple[tuple[str, Any], ...]:
    table = _table(key, value)
    _codes(key, list(table))
    return tuple((code.upper(), _severity(code, word)) for code, word in table.items())


def _severity(key: str, value: Any) -> Any:
    return _choice(SEVERITIES)(key, value)


def _choice(words: Collection[str]) -> Check:
    def check(key: str, value: Any) -> Any:
        if value in words:
            return value
        raise ConfigError(key, f"'{key}' is {value!r}", f"it takes {', '.join(words)}")

    return check


def _text(key: str, value: Any) -> str:
    if isinstance(value, str) and value:
        if not value.isprintable():
            raise ConfigError(key, f"'{key}' holds a control character")
        return value
    raise ConfigError(key, f"'{key}' is to be a text", f'write {key} = "..."')


def _dialect(key: str, value: Any) -> str:
    from upconv.converters.readers.formats import require
    from upconv.converters.readers.options import ReadOptions

    try:
        require(ReadOptions(dialect=_text(key, value)))
    except UsageError as error:
        raise ConfigError(key, error.message, error.hint) from None
    return str(value)


def _engines(key: str, value: Any) -> tuple[str, ...]:
    from upconv.linter.engines.profile import targets_of

    words = _strings(key, value)
    try:
        targets_of(words)
    except UsageError as error:
        raise ConfigError(key, error.message, error.hint) from None
    return words


def _boolean(key: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise ConfigError(key, f"'{key}' is to be true or false")


def _jobs(key: str, value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= 1024:
        return value
    raise ConfigError(key, f"'{key}' is to be a number from 1 to 1024")


def _table(key: str, value: Any) -> Mapping[str, Any]:
    if isinstance(value, dict):
        return value
    raise ConfigError(key, f"'{key}' is to be a table", f"write it under [{key}]")


def _ignores(key: str, value: Any) -> dict[str, tuple[str, ...]]:
    return {pattern: _codes(pattern, codes) for pattern, codes in _table(key, value).items()}


def _tables(key: str, value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        raise ConfigError(key, f"'{key}' is to be a list of tables", f"write [[{key}]]")
    return [_checked(_table(key, entry), OVERRIDE_KEYS) for entry in value]


OVERRIDE_KEYS: Final[Mapping[str, Check]] = {
    "files": _strings,
    "layers": _strings,
    "ignore": _codes,
    "severity": _severities,
}

KEYS: Final[Mapping[str, Check]] = {
    "select": _codes,
    "ignore": _codes,
    "severity": _severities,
    "exclude": _strings,
    "per-file-ignores": _ignores,
    "per-layer-ignores": _ignores,
    "overrides": _tables,
    "fail-on": _severity,
    "format": _choice(tuple(FORMATS)),
    "jobs": _jobs,
    "cache": _boolean,
    "cache-dir": _text,
    "baseline": _text,
    "phase": _choice(("TEST", "TRAIN")),
    "dialect": _dialect,
    "keras-bilinear": _choice(("half-pixel", "asymmetric")),
    "keras-backend": _choice(("tensorflow", "torch", "jax", "theano")),
    "target": _engines,
}
"""Key -> its check."""

_FIELDS: Final = {"severity": "severities"}


def field_of(key: str) -> str:
    """The field of Config that a key fills."""
    return _FIELDS.get(key, key.replace("-", "_"))
