"""Profiles of engines: typed records, read from the tables beside this file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from upconv.converters.ir.errors import UsageError
from upconv.converters.ir.records import record
from upconv.linter.engines.condition import holds, problem
from upconv.linter.engines.facts import KNOWN, Seen, facts_of

Effect: TypeAlias = Literal["refuses", "misreads", "dies", "slow"]
Certainty: TypeAlias = Literal["measured", "read in source", "reported"]
Version: TypeAlias = tuple[int, ...]

EFFECTS: Final[Mapping[Effect, str]] = {
    "refuses": "refuses",
    "misreads": "reads otherwise",
    "dies": "ends its process on",
    "slow": "is slow on",
}
CERTAINTIES: Final[tuple[Certainty, ...]] = ("measured", "read in source", "reported")


@record(frozen=True, slots=True)
class Entry:
    """What an engine does with nodes of an operator where a condition holds of them.

    It speaks of versions from `since` on and before `until`; () is open. `as_of` is when its
    source was looked at. `case` names a model of one node that shows it.
    """

    operators: tuple[str, ...]
    when: Any
    effect: Effect
    says: str
    instead: str
    source: str
    certainty: Certainty
    as_of: date
    case: str = ""
    since: Version = ()
    until: Version = ()

    def concerns(self, version: Version) -> bool:
        """Whether any version that begins with these numbers is spoken of; all are for ()."""
        if not version:
            return True
        size = len(version)
        late = bool(self.until) and version >= self.until[:size] and (*version, 0) >= self.until
        return not late and (not self.since or version >= self.since[:size])

    def meets(self, operator: str, facts: Mapping[str, Any]) -> bool:
        return operator in self.operators and holds(self.when, facts)


@record(frozen=True, slots=True)
class Profile:
    """An engine and all that is known of it. `measured` are the versions that were run."""

    engine: str
    title: str
    as_of: date
    entries: tuple[Entry, ...]
    measured: tuple[str, ...] = ()
    note: str = ""


@record(frozen=True, slots=True)
class Target:
    """An engine that a model is to run in, of a version or of the newest that is known."""

    profile: Profile
    version: Version = ()

    @property
    def name(self) -> str:
        return "-".join((self.profile.engine, *([_dotted(self.version)] if self.version else [])))

    def entries(self) -> tuple[Entry, ...]:
        version = self.version or _version(
            self.profile.measured[-1] if self.profile.measured else ""
        )
        return tuple(one for one in self.profile.entries if one.concerns(version))

    def verdicts(self, seen: Seen) -> tuple[Entry, ...]:
        """What the engine does otherwise with a node."""
        facts = facts_of(seen)
        return tuple(one for one in self.entries() if one.meets(seen.node.operator, facts))


FOLDER: Final = Path(__file__).parent
ALL_MEASURED: Final = "all-measured"


@cache
def profiles() -> Mapping[str, Profile]:
    """Engine -> its profile. Raises ValueError for a table that is malformed: a mistake of ours."""
    found = (_profile(path) for path in sorted(FOLDER.glob("*.toml")))
    return {profile.engine: profile for profile in found}


def targets_of(words: tuple[str, ...]) -> tuple[Target, ...]:
    """The targets that are named, as in "openvino-2026"; "all-measured" is every engine that was
    run. Raises UsageError for one that nobody knows."""
    known = profiles()
    names = [
        name
        for word in words
        for name in (
            [one.engine for one in known.values() if one.measured]
            if word == ALL_MEASURED
            else [word]
        )
    ]
    return tuple(_target(name, known) for name in dict.fromkeys(names))


def _target(name: str, known: Mapping[str, Profile]) -> Target:
    if name in known:
        return Target(known[name])
    engine, _, version = name.rpartition("-")
    if engine in known and all(part.isdecimal() and len(part) < 10 for part in version.split(".")):
        return Target(known[engine], _version(version))
    hint = f"there are {', '.join(known)}, each also as in openvino-2026, and {ALL_MEASURED}"
    raise UsageError(f"unknown target '{name}'", hint=hint)


def _version(text: str) -> Version:
    return tuple(int(part) for part in text.split(".") if part.isdecimal())


def _dotted(version: Version) -> str:
    return ".".join(map(str, version))


def applies(entry: Entry) -> str:
    """The versions that an entry speaks of, in words; "" for all."""
    words = (("from", entry.since), ("before", entry.until))
    return " ".join(f"{word} {_dotted(version)}" for word, version in words if version)


_KEYS: Final = {"engine", "title", "as_of", "entry", "measured", "note"}
_ENTRY_KEYS: Final = {
    *("operator", "when", "effect", "says", "instead", "source", "certainty", "case", "versions"),
    "as_of",
}


def _profile(path: Path) -> Profile:
    table = tomllib.loads(path.read_text("utf-8"))
    _require(set(table) <= _KEYS, path, f"unknown keys {set(table) - _KEYS}")
    _require(table["engine"] == path.stem, path, "its engine is not its name")
    return Profile(
        table["engine"],
        table["title"],
        table["as_of"],
        tuple(_entry({"as_of": table["as_of"], **one}, path) for one in table["entry"]),
        tuple(table.get("measured", ())),
        table.get("note", ""),
    )


def _entry(table: Mapping[str, Any], path: Path) -> Entry:
    _require(set(table) <= _ENTRY_KEYS, path, f"unknown keys {set(table) - _ENTRY_KEYS}")
    _require(table["effect"] in EFFECTS, path, f"effect {table['effect']!r}")
    _require(table["certainty"] in CERTAINTIES, path, f"certainty {table['certainty']!r}")
    wrong = problem(table["when"], KNOWN)
    _require(not wrong, path, wrong)
    operator, versions = table["operator"], table.get("versions", {})
    return Entry(
        (operator,) if isinstance(operator, str) else tuple(operator),
        table["when"],
        table["effect"],
        table["says"],
        table["instead"],
        table["source"],
        table["certainty"],
        table["as_of"],
        table.get("case", ""),
        _version(versions.get("from", "")),
        _version(versions.get("until", "")),
    )


def _require(fact: bool, path: Path, message: str) -> None:
    if not fact:
        raise ValueError(f"{path.name}: {message}")
