"""What tests share and is no fixture."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent


def shared_folder() -> Path:
    """Where goldens and corpora are looked for; it may be absent."""
    return Path(os.environ.get("UPCONV_SHARED") or ROOT.parent / "shared")


ABSENT = "nothing in the shared folder (name it in UPCONV_SHARED)"
"""How the reason of every test begins that skips for want of recorded outputs."""


def shared_file(path: str) -> Path:
    """A file or folder of the shared folder; the test skips, and the summary counts it, where it is
    not there."""
    found = shared_folder() / path
    if not found.exists():
        pytest.skip(f"{ABSENT}: {found}")
    return found


def is_absence(report: Any) -> bool:
    """Whether a test was skipped for want of recorded outputs, one that would have had a case for
    each of them among them."""
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
    return ABSENT in reason or "got empty parameter set" in reason


@dataclass(frozen=True, slots=True)
class Golden:
    """Compares texts with stored files, or writes the files.

    A golden file is never edited by hand: it is written here and reviewed as a diff.
    """

    write: bool

    def __call__(self, path: Path, text: str) -> None:
        """Raise AssertionError, through a plain ==, where `text` is not what `path` holds."""
        if self.write:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode("utf-8"))
            return
        assert path.is_file(), f"{path} does not exist; write it with `make golden`"
        assert text == path.read_bytes().decode("utf-8"), f"{path} differs; see `make golden`"
