"""A baseline: findings that are known, so that only new ones are reported.

A finding is recognised by its fingerprint, which has no line numbers in it. The file also says
code, path and layer of each, so that a reader of a diff sees what was accepted.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from upconv.converters.ir.errors import UsageError
from upconv.converters.ir.files import write_whole
from upconv.converters.readers.files.json_plain import load_json
from upconv.converters.readers.files.opening import read_regular, reason
from upconv.linter.finding import CRASHED, FileReport, Finding, Silenced

VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Baseline:
    """Fingerprint -> {"code", "path", "layer"} of known findings."""

    entries: Mapping[str, Mapping[str, str]]

    def split(self, report: FileReport) -> tuple[FileReport, int]:
        """The report with new findings only, and how many are known."""
        new = tuple(f for f in report.findings if not self.knows(f))
        known = tuple(Silenced(f, "baseline") for f in report.findings if self.knows(f))
        return replace(report, findings=new, silenced=(*report.silenced, *known)), len(known)

    def knows(self, finding: Finding) -> bool:
        return finding.fingerprint in self.entries and finding.code not in NEVER_KNOWN

    def stale(self, run: Run) -> dict[str, Mapping[str, str]]:
        """The entries that the run judged and did not find again."""
        found = {finding.fingerprint for file in run.files for finding in file.findings}
        return {key: e for key, e in self.entries.items() if run.judged(e) and key not in found}

    def updated(self, run: Run) -> Baseline:
        """With the run's findings for the entries it judged; others stay."""
        kept = {key: entry for key, entry in self.entries.items() if not run.judged(entry)}
        return Baseline(kept).with_findings(f for file in run.files for f in file.findings)

    def with_findings(self, findings: Iterable[Finding]) -> Baseline:
        """With these as well, but for what cannot be accepted."""
        found = (one for one in findings if one.code not in NEVER_KNOWN)
        return Baseline({**self.entries, **{one.fingerprint: _entry(one) for one in found}})

    def without(self, keys: Iterable[str]) -> Baseline:
        gone = set(keys)
        return Baseline({k: entry for k, entry in self.entries.items() if k not in gone})


@dataclass(frozen=True)
class Run:
    """All findings of a run, known ones among them, and which codes it looked for; paths are
    relative to `root`."""

    files: Sequence[FileReport]
    root: Path
    wants: Callable[[str], bool]

    def judged(self, entry: Mapping[str, str]) -> bool:
        """Whether an entry would have been found if it still held: its file was checked for its
        code, or is gone."""
        if not self.wants(entry["code"]):
            return False
        return entry["path"] in self._checked or not os.path.exists(self.root / entry["path"])

    @cached_property
    def _checked(self) -> frozenset[str]:
        return frozenset(file.path for file in self.files)


NEVER_KNOWN: Final = frozenset({CRASHED})
"""What cannot be accepted: a failure of ours."""


def _entry(finding: Finding) -> dict[str, str]:
    return {"code": finding.code, "path": finding.path, "layer": finding.layer}


def read_baseline(path: str | Path) -> Baseline:
    """Raises UsageError where the file is missing or is no baseline."""
    try:
        record = load_json(read_regular(path))
    except FileNotFoundError:
        hint = "--write-baseline makes it"
        raise UsageError("no such baseline", path=str(path), hint=hint) from None
    except OSError as problem:
        raise UsageError(f"cannot be read: {reason(problem)}", path=str(path)) from None
    except ValueError as problem:
        raise UsageError(f"is no baseline: {problem}", path=str(path), hint=_AGAIN) from None
    return Baseline(_entries(record, str(path)))


_AGAIN: Final = "write it again with --write-baseline"


def _entries(record: Any, path: str) -> dict[str, Mapping[str, str]]:
    try:
        if record["version"] != VERSION:
            raise UsageError(
                f"is a baseline of version {record['version']!r:.20}", path=path, hint=_AGAIN
            )
        return {
            entry["fingerprint"]: {word: str(entry[word]) for word in ("code", "path", "layer")}
            for entry in record["findings"]
        }
    except (KeyError, TypeError) as problem:
        raise UsageError(f"is no baseline: {problem!r}", path=path, hint=_AGAIN) from None


def write_baseline(path: str | Path, baseline: Baseline) -> None:
    """Write it, whole or not at all, in an order that makes small diffs. Raises OSError."""
    rows = [{"fingerprint": key, **entry} for key, entry in baseline.entries.items()]
    rows.sort(key=lambda row: (row["path"], row["code"], row["layer"], row["fingerprint"]))
    text = json.dumps({"version": VERSION, "findings": rows}, indent=1, ensure_ascii=False) + "\n"
    write_whole(path, text.encode("utf-8", "backslashreplace"))  # half pairs, as JSON writes them
