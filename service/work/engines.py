"""The profiles of engines, for people and as JSON."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

from upconv.linter.engines.condition import words
from upconv.linter.engines.profile import CERTAINTIES, Entry, Profile, applies, profiles


def engine_lines(today: date) -> list[str]:
    """A line for each engine: its versions that were run, its entries by certainty, its age."""
    found = list(profiles().values())
    width = max(len(profile.engine) for profile in found)
    return [f"{one.engine:{width}}  {_counted(one)}  {_age(one, today)}" for one in found]


def _counted(profile: Profile) -> str:
    counts = Counter(entry.certainty for entry in profile.entries)
    told = ", ".join(f"{counts[kind]:2} {kind}" for kind in CERTAINTIES)
    return f"{', '.join(profile.measured) or '-':10}  {told}"


def _age(profile: Profile, today: date) -> str:
    days = max((today - profile.as_of).days, 0)
    return f"as of {profile.as_of}, {days} {'day' if days == 1 else 'days'} old"


def engine_record(profile: Profile, today: date) -> dict[str, Any]:
    """A profile as JSON has it."""
    return {
        "engine": profile.engine,
        "title": profile.title,
        "note": profile.note,
        "measured": list(profile.measured),
        "as_of": profile.as_of.isoformat(),
        "age_days": max((today - profile.as_of).days, 0),
        "entries": [_entry_record(entry) for entry in profile.entries],
    }


def _entry_record(entry: Entry) -> dict[str, Any]:
    return {
        "operators": list(entry.operators),
        "when": words(entry.when),
        "versions": applies(entry),
        "effect": entry.effect,
        "says": entry.says,
        "instead": entry.instead,
        "source": entry.source,
        "certainty": entry.certainty,
        "case": entry.case,
        "as_of": entry.as_of.isoformat(),
    }
