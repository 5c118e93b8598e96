"""A finding that repeats in a file, told once with its count."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from upconv.linter.finding import Finding, Fix


def folded(findings: Iterable[tuple[Finding, str | None]]) -> tuple[Finding, ...]:
    """The findings in their order, those of one rule, one kind and one severity as the first.

    Each comes with its kind, None where it stands for itself. The first keeps its place and its
    fingerprint, and gets the fixes of all.
    """
    groups: dict[object, list[Finding]] = {}
    for at, (finding, kind) in enumerate(findings):
        key = at if kind is None else (finding.code, kind, finding.severity)
        groups.setdefault(key, []).append(finding)
    return tuple(_one(found) for found in groups.values())


def _one(found: Sequence[Finding]) -> Finding:
    first = found[0]
    # A layer that a reader makes several of is one place.
    others = list({one.place or one.layer: one for one in found if _elsewhere(one, first)}.values())
    if not others:
        return first
    more = f" (and {len(others)} more, {_where(others[0])})"
    return replace(first, message=first.message + more, fix=_together(found))


def _elsewhere(one: Finding, first: Finding) -> bool:
    return (one.place or one.layer) != (first.place or first.layer)


def _where(finding: Finding) -> str:
    if finding.place is not None:
        return f"first at line {finding.place.line}"
    return f"first layer '{finding.layer}'" if finding.layer else "in the same file"


def _together(found: Iterable[Finding]) -> Fix | None:
    """The fixes of one safety, the mildest that there is, as one."""
    fixes = [finding.fix for finding in found if finding.fix is not None]
    if not fixes:
        return None
    safety = min((fix.safety for fix in fixes), key=("safe", "unsafe", "display").index)
    alike = [fix for fix in fixes if fix.safety == safety]
    edits = dict.fromkeys(edit for fix in alike for edit in fix.edits)
    return Fix(safety, tuple(edits), tuple(edit for fix in alike for edit in fix.nodes))
