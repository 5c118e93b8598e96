"""What a check yields: findings with places and fingerprints, files with a status, a summary."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any, Final, Literal, TypeAlias

from upconv.converters.ir.origin import Source, Span
from upconv.converters.ir.records import record

Severity: TypeAlias = Literal["error", "warning", "info"]
Safety: TypeAlias = Literal["safe", "unsafe", "display"]
Status: TypeAlias = Literal["ok", "unreadable", "skipped"]
Silencer: TypeAlias = Literal["comment", "configuration", "baseline"]

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
"""From the worst down."""

CRASHED: Final = "UP006"
"""The code of a failure of ours, which nothing silences."""

UNCHECKED: Final = frozenset({"UP001", CRASHED})
"""Codes which say that a file, or a part of it, was not checked: no choice of rules drops them."""


@record(frozen=True, slots=True)
class Edit:
    """Replaces the characters between two places by `text`; lines and columns count from 1,
    columns in code points, the end excluded."""

    start_line: int
    start_column: int
    end_line: int
    end_column: int
    text: str


@record(frozen=True, slots=True)
class NodeEdit:
    """Attributes of a node of an ONNX file that are dropped, and lists of whole numbers that are
    written. The node is the one that writes the value `output`."""

    output: str
    dropped: tuple[str, ...]
    written: tuple[tuple[str, tuple[int, ...]], ...]


@record(frozen=True, slots=True)
class Fix:
    """Edits that mend a finding, of a text or of the nodes of an ONNX file. "safe" keeps every
    number, "unsafe" may change results, "display" is only ever shown."""

    safety: Safety
    edits: tuple[Edit, ...] = ()
    nodes: tuple[NodeEdit, ...] = ()


@record(frozen=True, slots=True)
class Place:
    """A stretch of text; lines and columns from 1, columns in code points, the end excluded."""

    line: int
    column: int
    end_line: int
    end_column: int


def place_of(span: Span) -> Place:
    """Where a span stands. What goes over several lines is shown by its first line.

    >>> place_of(Span(Source("a", "layer {\\n}"), 0, 9))
    Place(line=1, column=1, end_line=1, end_column=8)
    """
    line, column = span.source.position(span.start)
    end_line, end_column = span.end_position
    if end_line > line:
        end_line, end_column = line, len(span.source.line(line).rstrip()) + 1
    return Place(line, column, end_line, max(end_column, column))


@record(frozen=True, slots=True)
class Finding:
    """One finding. `place` is None in binary files; `layer` is "" where it concerns none.

    `path` is POSIX and relative to the configuration root. `help` is the next step.
    """

    code: str
    name: str
    severity: Severity
    path: str
    place: Place | None
    layer: str
    message: str
    help: str = ""
    fix: Fix | None = None
    fingerprint: str = ""


@record(frozen=True, slots=True)
class Silenced:
    """A finding that is not reported: by what it is silenced, and the reason that is given."""

    finding: Finding
    by: Silencer
    reason: str = ""


@record(frozen=True, slots=True)
class FileReport:
    """One checked file. `source` is its text, for code frames; None where it is binary.

    `used` names the configuration's ignores that silenced something. `traces` are the tracebacks of
    failures of ours.
    """

    path: str
    format: str
    status: Status
    reason: str = ""
    findings: tuple[Finding, ...] = ()
    source: Source | None = None
    silenced: tuple[Silenced, ...] = ()
    used: tuple[str, ...] = ()
    traces: tuple[str, ...] = ()

    @property
    def crashed(self) -> bool:
        """Whether a reader or a rule of ours failed, which is never the user's fault."""
        return any(finding.code == CRASHED for finding in self.findings)


@record(frozen=True, slots=True)
class Report:
    """Everything one run says, files in the order they were checked.

    `prefix` leads from the repository's root to the configuration root, which the paths are
    relative to: "" or ending in "/". Code hosts look paths up from the repository's root.
    `fail_on` is the mildest severity that counts as a failure. `shows_silenced`: formats that can
    mark findings as silenced are to have them too. `passed_over` has the kinds of files that a
    search came across and did not check, with their numbers, the most frequent first.
    """

    files: tuple[FileReport, ...]
    prefix: str = ""
    fail_on: Severity = "error"
    shows_silenced: bool = False
    passed_over: tuple[tuple[str, int], ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(finding for file in self.files for finding in file.findings)

    @property
    def silenced(self) -> tuple[Silenced, ...]:
        return tuple(one for file in self.files for one in file.silenced)

    def __repr__(self) -> str:
        return f"<Report: {_written(self, 'summary')}>"

    def __str__(self) -> str:
        return _written(self, "text")

    def count(self, severity: Severity) -> int:
        return sum(finding.severity == severity for finding in self.findings)

    def fails(self, threshold: Severity | None = None) -> bool:
        """Whether any finding is at or above a severity, `fail_on` where none is given."""
        return any(at_least(f.severity, threshold or self.fail_on) for f in self.findings)


def _written(report: Report, how: str) -> str:
    """A report as text. The module that writes it is found when it is asked for: it is made of
    reports."""
    write: Callable[[Report], str] = getattr(import_module("upconv.linter.reports.text"), how)
    return write(report)


def at_least(severity: Severity, threshold: Severity) -> bool:
    """Whether a severity is as bad as the threshold, or worse.

    >>> at_least("error", "warning"), at_least("info", "warning")
    (True, False)
    """
    return SEVERITIES.index(severity) <= SEVERITIES.index(threshold)


def fingerprint(code: str, path: str, layer: str, occurrence: int) -> str:
    """32 hex digits that stay the same while lines move.

    sha256 of code, path, layer and the n-th occurrence of these three, counted from 0.

    >>> fingerprint("UP201", "a.prototxt", "up", 0)[:8]
    '59c86ec5'
    """
    words = "\0".join((code, path, layer, str(occurrence)))
    digest: str = _sha256()(words.encode("utf-8", "surrogatepass")).hexdigest()
    return digest[:32]


@cache
def _sha256() -> Callable[[bytes], Any]:
    """The interpreter's own, as its `random` module takes it: hashlib loads OpenSSL first, which
    takes longer than a small net's check."""
    for name in ("_sha256", "_sha2", "hashlib"):  # Python 3.11; 3.12 and later; any other
        try:
            function: Callable[[bytes], Any] = import_module(name).sha256
            return function
        except ImportError:
            continue
    raise AssertionError("hashlib always has sha256")
