"""What rules yielded, in its order, and what repeats in a file told once with its count.

A file may have a hundred thousand of a finding. So a `Judged` is all that is made of each hit; only
those that are told become findings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from upconv.converters.ir.records import record
from upconv.linter.finding import Fix, Place, Severity, Silencer
from upconv.linter.hit import Hit
from upconv.linter.rule import Rule

MOST: Final = 1000
"""Findings of one rule and severity that a file has one by one; the others are one finding. A file
with more has them all for one reason, and nobody reads them."""


@record(frozen=True, slots=True)
class Judged:
    """A hit with its rule, where it is shown, whose layer it is, how bad it is, and what silences
    it, and why."""

    rule: Rule
    hit: Hit
    place: Place | None
    layer: str
    severity: Severity
    cause: tuple[Silencer, str] | None

    @property
    def order(self) -> tuple[int, int, str, str]:
        """What findings of a file are sorted by: the place, then the code."""
        at = (self.place.line, self.place.column) if self.place else (0, 0)
        return (*at, self.rule.code, self.layer)

    @property
    def said(self) -> tuple[object, ...]:
        """All that a reader sees of it: twice the same is said once."""
        hit = self.hit
        return (*self.order, self.place, hit.message, hit.help, self.severity, hit.fix)


Numbered: TypeAlias = tuple[Judged, int]
"""With how many of its rule and layer were before it."""


def numbered(judged: Iterable[Judged]) -> list[Numbered]:
    """What was found, in order of place. Silenced ones are counted too: a comment leaves the
    fingerprints of the others as they are."""
    seen: Counter[tuple[str, str]] = Counter()
    found = []
    for one in sorted({one.said: one for one in judged}.values(), key=lambda one: one.order):
        key = (one.rule.code, one.layer)
        found.append((one, seen[key]))
        seen[key] += 1
    return found


@record(slots=True)
class Group:
    """What is told as one finding: the first, all of them, and whether they are `alike`, or what a
    rule found beyond MOST."""

    first: Numbered
    alike: bool
    members: list[Judged]

    @property
    def count(self) -> str:
        """What is said behind the first one's message."""
        others = self._elsewhere()
        if not others:
            return ""
        of = "" if self.alike else f" of {self.first[0].rule.code}"
        return f" (and {len(others)} more{of}, {_where(others[0])})"

    @property
    def fix(self) -> Fix | None:
        """The fixes of one safety, the mildest that there is, as one."""
        fixes = [one.hit.fix for one in self.members if one.hit.fix is not None]
        if len(fixes) < 2 or not self._elsewhere():
            return self.first[0].hit.fix if not fixes else fixes[0]
        safety = min((fix.safety for fix in fixes), key=("safe", "unsafe", "display").index)
        alike = [fix for fix in fixes if fix.safety == safety]
        edits = dict.fromkeys(edit for fix in alike for edit in fix.edits)
        return Fix(safety, tuple(edits), tuple(edit for fix in alike for edit in fix.nodes))

    def _elsewhere(self) -> Sequence[Judged]:
        """One for each other place; a layer that a reader makes several of is one place."""
        if len(self.members) == 1:
            return ()
        here = self.first[0].place or self.first[0].layer
        others = {one.place or one.layer: one for one in reversed(self.members)}
        return [one for place, one in reversed(others.items()) if place != here]


def grouped(found: Iterable[Numbered], folds: bool = True) -> list[Group]:
    """What is told as one, in order: hits of one rule, one kind and one severity, and whatever a
    rule found beyond MOST. Where nothing `folds`, each is told."""
    if not folds:
        return [Group(entry, True, [entry[0]]) for entry in found]
    groups: dict[object, Group] = {}
    told: Counter[tuple[str, str]] = Counter()
    for at, (one, number) in enumerate(found):
        kind = one.rule.kind(one.hit)
        family = (one.rule.code, one.severity)
        key: object = (*family, at if kind is None else kind)
        if key not in groups and told[family] >= MOST:
            key = (*family, None)
        if key in groups:
            groups[key].members.append(one)
        else:
            told[family] += 1
            groups[key] = Group((one, number), told[family] <= MOST, [one])
    return list(groups.values())


def _where(one: Judged) -> str:
    if one.place is not None:
        return f"first at line {one.place.line}"
    return f"first layer '{one.layer}'" if one.layer else "in the same file"
