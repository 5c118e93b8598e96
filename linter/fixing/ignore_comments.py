"""Ignore comments put into a text, each above the line that a finding is shown at."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from upconv.converters.ir.origin import Source
from upconv.linter.finding import CRASHED, FileReport
from upconv.linter.fixing.fix import Recheck, Text

NOT_SILENCED: Final = frozenset({"UP001", "UP005", CRASHED})
"""What --add-ignore lets stand: what was not checked, and comments that silence nothing."""

_Word: TypeAlias = tuple[int, str]
"""A line and a code that is to be silenced there."""


@dataclass(frozen=True, slots=True)
class Commented:
    """A text with comments, how many findings they silence, and why the others stay, or "" where
    none does."""

    text: Text
    count: int
    why: str = ""


def add_comments(text: Text, report: FileReport, reason: str, recheck: Recheck) -> Commented:
    """Silence what can be silenced, and nothing else: a comment that would silence nothing, or
    would make the file another one, is left out.

    `report` is the check of `text` with each finding told for itself, and `recheck` checks so.
    """
    open_ = [finding for finding in report.findings if finding.code not in NOT_SILENCED]
    words = {(f.place.line, f.code) for f in open_ if f.place is not None}
    for _ in range(2):
        made = replace(text, source=with_comments(text.source, words, reason))
        after = recheck(made.source)
        if after.status != report.status or _counts(after, "UP001") > _counts(report, "UP001"):
            return Commented(text, 0, "its format has no place for a comment there")
        idle = _idle(after, report, words)
        if not idle:
            break
        words -= idle
    count = len(after.silenced) - len(report.silenced)
    why = "no comment reaches the layer" if len(open_) > count else ""
    return Commented(made, count, why) if count and not idle else Commented(text, 0, why)


def _counts(report: FileReport, code: str) -> int:
    return sum(finding.code == code for finding in report.findings)


def _idle(after: FileReport, before: FileReport, words: Collection[_Word]) -> set[_Word]:
    """The words of our comments that silenced nothing: each line has moved by the comments that
    stand above it."""
    if _counts(after, "UP005") <= _counts(before, "UP005"):
        return set()
    lines = sorted({line for line, _ in words})
    ours = {line + at: line for at, line in enumerate(lines)}
    return {
        word
        for finding in after.findings
        if finding.code == "UP005" and finding.place is not None and finding.place.line in ours
        for word in words
        if word[0] == ours[finding.place.line] and f"'{word[1]}'" in finding.message
    }


def with_comments(source: Source, words: Iterable[_Word], reason: str) -> Source:
    """The text with one comment above each of these lines.

    >>> print(with_comments(Source("a", "x {\\n  pad: 1\\n}"), {(2, "UP202")}, "so be it").text)
    x {
      # upconv: ignore[UP202] so be it
      pad: 1
    }
    """
    codes: dict[int, set[str]] = {}
    for line, code in words:
        codes.setdefault(line, set()).add(code)
    text = source.text
    for line in sorted(codes, reverse=True):
        start, end = source.line_bounds(line)
        shown = source.text[start:end]
        indent = shown[: len(shown) - len(shown.lstrip())]
        break_ = "\r\n" if source.text[end : end + 1] == "\r" else "\n"
        comment = f"# upconv: ignore[{', '.join(sorted(codes[line]))}] {reason}"
        if source.landmark(start + len(indent) + 1):  # a cell's line is a string of its notebook
            comment = json.dumps(f"{comment}\n", ensure_ascii=False) + ","
        text = f"{text[:start]}{indent}{comment}{break_}{text[start:]}"
    return Source(source.path, text)
