"""Text for people: each finding with its line, a caret under the place, and the next step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from upconv.converters.ir.origin import Source
from upconv.linter.finding import SEVERITIES, Finding, Place, Report
from upconv.linter.reports.colour import PLAIN, Paint
from upconv.linter.reports.wording import one_line, passed_over, told

WIDTH: Final = 120
"""Columns of code shown; longer lines are cut around the caret."""

LONGEST: Final = 20 * WIDTH
"""Characters of a line that are looked at."""

_TAB: Final = "    "


def text(report: Report, *, colour: bool = False, quiet: bool = False) -> str:
    """All findings with code frames, and, but where `quiet`, a summary line. What --fix mends is
    marked with [*]."""
    paint = Paint(colour)
    blocks = [
        "\n".join(_finding(finding, file.source, paint))
        for file in report.files
        for finding in file.findings
    ]
    if not quiet:
        blocks.append("\n".join([summary(report, paint), *_fixable(report)]))
    return "\n\n".join(blocks) + "\n" if blocks else ""


def _fixable(report: Report) -> Iterator[str]:
    """How many findings have a fix, by what applies it."""
    levels = [finding.fix.safety for finding in report.findings if finding.fix is not None]
    safe, unsafe = levels.count("safe"), levels.count("unsafe")
    if safe:
        more = f", {unsafe} more with --unsafe-fixes" if unsafe else ""
        yield f"[*] {safe} fixable with --fix{more}"
    elif unsafe:
        yield f"{unsafe} fixable with --fix --unsafe-fixes, which change numbers"


def _finding(finding: Finding, source: Source | None, paint: Paint) -> Iterator[str]:
    place = f":{finding.place.line}:{finding.place.column}" if finding.place else ""
    yield (
        f"{paint('path', one_line(finding.path) + place)}: "
        f"{paint(finding.severity, f'{finding.severity}[{finding.code}]')} "
        f"{paint('dim', finding.name)}{_mark(finding)}: {one_line(told(finding))}"
    )
    if finding.place is not None and source is not None:
        yield from _frame(finding.place, source, paint, finding.severity)
    if finding.help:
        yield f"  {paint('help', 'help:')} {one_line(finding.help)}"


def _mark(finding: Finding) -> str:
    return " [*]" if finding.fix is not None and finding.fix.safety == "safe" else ""


def _frame(place: Place, source: Source, paint: Paint, severity: str) -> Iterator[str]:
    """The line before, the line itself, the caret, and the line after that opens a block.

    Tabs become four spaces, so that the caret stands where the place is.
    """
    gutter = len(str(place.line + 1))
    bar = paint("frame", "|")
    opens = _line(source, place.line, -1).rstrip().endswith("{")
    inside = _line(source, place.line)[:1] in (" ", "\t")
    if inside and place.line > 1 and _line(source, place.line - 1).strip(" \t\r}"):
        yield _context_line(place.line - 1, source, paint, gutter)
    left = 0 if place.column < LONGEST - WIDTH else place.column - LONGEST // 2
    line = _line(source, place.line, left)
    start = len(_expanded(line[: place.column - 1 - left]))
    length = max(len(_expanded(line[: place.end_column - 1 - left])) - start, 1)
    shown, start = _window(_expanded(line), start)
    caret = "^" * min(length, max(len(shown) - start, 1))
    yield f"  {paint('frame', str(place.line).rjust(gutter))} {bar} {shown}"
    yield f"  {' ' * gutter} {bar} {' ' * start}{paint(severity, caret)}"
    if opens and place.line < len(source.line_starts):
        yield _context_line(place.line + 1, source, paint, gutter)


def _context_line(number: int, source: Source, paint: Paint, gutter: int) -> str:
    shown = _expanded(_line(source, number))[:WIDTH]
    return f"  {paint('frame', str(number).rjust(gutter))} {paint('frame', '|')} {shown}"


def _line(source: Source, number: int, left: int = 0) -> str:
    """At most LONGEST characters of a line from the column `left` on, or its last ones (-1): a file
    may be one line, with a finding at every word."""
    start, end = source.line_bounds(number)
    first = max(end - LONGEST, start) if left < 0 else min(start + left, end)
    return source.text[first : min(first + LONGEST, end)]


def _expanded(line: str) -> str:
    """What a terminal shows: tabs as spaces, control characters as '?'."""
    return "".join(c if c.isprintable() else "?" for c in line.replace("\t", _TAB))


def _window(line: str, start: int) -> tuple[str, int]:
    """At most WIDTH characters of a line around `start`, and where that is in them."""
    if len(line) <= WIDTH:
        return line, start
    first = max(min(start - WIDTH // 3, len(line) - WIDTH), 0)
    return line[first : first + WIDTH], start - first


def summary(report: Report, paint: Paint = PLAIN) -> str:
    """How many findings of which severity, in how many files, on one line."""
    counts = [
        paint(severity, f"{count} {severity}{'' if count == 1 else 's'}")
        for severity in SEVERITIES
        if (count := report.count(severity))
    ]
    statuses = [file.status for file in report.files]
    checked = len(statuses) - statuses.count("skipped")
    files = f"{checked} file{'' if checked == 1 else 's'} checked"
    for status, what in (("unreadable", "unreadable"), ("skipped", "skipped (no model)")):
        if status in statuses:
            files += f", {statuses.count(status)} {what}"
    if report.passed_over:
        files += f", {passed_over(report.passed_over)}"
    silenced = sum(one.by == "comment" for one in report.silenced)
    tail = f" ({silenced} silenced by comments)" if silenced else ""
    return f"{', '.join(counts) or 'no findings'}; {files}{tail}"
