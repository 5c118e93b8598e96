"""What tests share and is no fixture."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def shared_folder() -> Path:
    """Where goldens and corpora are looked for; it may be absent."""
    return Path(os.environ.get("UPCONV_SHARED") or ROOT.parent / "shared")


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
