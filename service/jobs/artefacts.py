"""What a job leaves: which files of a child are taken over, and what they are called at the end."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from upconv.service.jobs.spec import Named
from upconv.service.jobs.steps import CERTIFICATE, FOUND, ONNX
from upconv.service.jobs.store import Store

JSON: Final = "application/json"
BYTES: Final = "application/octet-stream"

TYPES: Final[Mapping[str, str]] = {
    "report.json": JSON,
    "report.sarif": "application/sarif+json",
    "report.txt": "text/plain; charset=utf-8",
    "files.json": JSON,
    CERTIFICATE: JSON,
    ONNX: BYTES,
    f"{ONNX}.data": BYTES,
    f"{ONNX}.failed": BYTES,
    f"{ONNX}.failed.data": BYTES,
    "audit.json": JSON,
    "audit.txt": "text/plain; charset=utf-8",
    "audit.html": "text/html; charset=utf-8",
    FOUND: JSON,
}
"""Artefact -> its media type. Nothing else of what a child leaves is looked at."""


def artefacts_of(
    folder: Path, store: Store, limit: int, known: Collection[str]
) -> tuple[Named, ...]:
    """The files that a child left, kept in the store, but for those that earlier steps have made.
    Raises OSError and TooLargeError."""
    there = {name: folder / name for name in TYPES if name not in known}
    names = [name for name, path in there.items() if path.is_file() and not path.is_symlink()]

    def kept(name: str) -> Named:
        blob = store.put_file(there[name], limit)
        return Named(name, blob.sha256, blob.size)

    if not names:
        return ()
    with ThreadPoolExecutor(len(names)) as threads:  # each waits for the disk, and all for the same
        return tuple(threads.map(kept, names))


def final_artefacts(steps: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What a job comes to: its last step's answer, the counts of all, and the artefacts.

    An ONNX file that did not pass has the name that the command line leaves it under, and one whose
    proof was not finished is not among them: nobody ships it by accident.
    """
    last = steps[-1]
    files: dict[str, Any] = {}
    summary: dict[str, Any] = {}
    for step in steps:
        summary |= step.get("summary", {})
        files |= {words[0]: words for words in step.get("artefacts", ())}
    left_out = {FOUND}
    if "reason" in last or f"{ONNX}.failed" in files:
        left_out |= {ONNX, f"{ONNX}.data"}
    kept = [words for name, words in files.items() if name not in left_out]
    return {**last, "summary": summary, "artefacts": kept}
