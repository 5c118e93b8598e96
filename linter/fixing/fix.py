"""Applies fixes to a text until none is left."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import Final

from upconv.converters.ir.errors import UpconvError
from upconv.converters.ir.origin import Source
from upconv.converters.readers.files.opening import read_regular
from upconv.linter.finding import FileReport, Finding, Safety
from upconv.linter.fixing.edits import offsets_of

MAX_PASSES: Final = 10
"""Fixes that overlap wait for the next pass; more passes than this are a defect of a rule."""

_BOM: Final = b"\xef\xbb\xbf"

Recheck = Callable[[Source], FileReport]


@dataclass(frozen=True, slots=True)
class Text:
    """A text file with what its bytes were: encoding and byte order mark."""

    source: Source
    encoding: str = "utf-8"
    bom: bool = False

    def encoded(self) -> bytes:
        return (_BOM if self.bom else b"") + self.source.text.encode(self.encoding)


@dataclass(frozen=True, slots=True)
class Fixed:
    """The result of fixing: the last check, the new text, and how many fixes went in."""

    report: FileReport
    text: Text
    count: int


def read_text(path: str) -> Text:
    """A file's text as the readers see it, with what is needed to write it back.

    Raises UnreadableError where it is no text, and OSError where it cannot be read.
    """
    return decoded(path, read_regular(path))


def decoded(path: str, data: bytes) -> Text:
    """The text in these bytes; raises UnreadableError where they hold none."""
    from upconv.converters.readers.formats import decode

    source = Source(path, decode(data, path))
    text = Text(source, "utf-8", data.startswith(_BOM))
    return text if text.encoded() == data else Text(source, "latin-1")


def fix_text(text: Text, report: FileReport, levels: Collection[Safety], recheck: Recheck) -> Fixed:
    """Apply the fixes of these levels, again and again until none is left.

    `report` is the check of `text`, `recheck` checks a new text. Raises UpconvError where fixes
    make something unreadable or do not come to an end; nothing is to be written then.
    """
    count = 0
    for _ in range(MAX_PASSES):
        changed, applied = apply_fixes(text.source, report.findings, levels)
        if not applied:
            return Fixed(report, text, count)
        text = replace(text, source=Source(text.source.path, changed))
        after = recheck(text.source)
        if _unreadable(after) > _unreadable(report):
            codes = ", ".join(sorted({finding.code for finding in applied}))
            raise UpconvError(
                f"the fixes of {codes} made it {after.status}: {after.reason}",
                path=text.source.path,
                hint="nothing was written; this is a defect of upconv, report it with the file",
            )
        report = after
        count += len(applied)
    raise UpconvError(
        f"fixes do not come to an end after {MAX_PASSES} passes",
        path=text.source.path,
        hint="nothing was written; this is a defect of upconv, report it with the file",
    )


def _unreadable(report: FileReport) -> int:
    """How much of a file cannot be read."""
    found = sum(finding.code == "UP001" for finding in report.findings)
    return max(found, int(report.status != "ok"))


def apply_fixes(
    source: Source, findings: Iterable[Finding], levels: Collection[Safety]
) -> tuple[str, list[Finding]]:
    """The text after one pass, and the findings whose fixes went in whole.

    A fix that touches characters of an earlier one waits for the next pass.
    """
    taken: list[tuple[int, int, str]] = []
    applied = []
    for finding in findings:
        if finding.fix is None or finding.fix.safety not in levels or not finding.fix.edits:
            continue
        edits = list(dict.fromkeys(offsets_of(finding.fix.edits, source)))
        if not any(_touch(edit, other) for edit in edits for other in taken):
            taken += edits
            applied.append(finding)
    text = source.text
    for start, end, new in sorted(taken, reverse=True):
        text = text[:start] + new + text[end:]
    return text, applied


def _touch(left: tuple[int, int, str], right: tuple[int, int, str]) -> bool:
    """Whether two edits overlap or meet; the order of two insertions at one place is unclear."""
    return left[0] <= right[1] and right[0] <= left[1]


def unified_diff(before: Source, after: Source, path: str) -> str:
    """What changed, as `diff -u` shows it and `patch -p1` takes it; "" where nothing did."""
    from difflib import unified_diff as lines_of

    old, new = _lines(before.text), _lines(after.text)
    shown = lines_of(old, new, f"a/{path}", f"b/{path}")
    ending = "\n\\ No newline at end of file\n"
    return "".join(line if line.endswith("\n") else line + ending for line in shown)


def _lines(text: str) -> list[str]:
    """Lines with their ends; only LF ends a line, as for diff and patch."""
    return [line for line in text.replace("\n", "\n\0").split("\0") if line]
