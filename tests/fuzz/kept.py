"""Inputs that failed, each kind of failure once, in build/fuzz/TARGET."""

from __future__ import annotations

import traceback
from hashlib import sha256
from pathlib import Path
from typing import Final

BUILD: Final = Path("build", "fuzz")


class Kept:
    """The failures of one harness; two are the same where type, function and words agree."""

    def __init__(self, name: str) -> None:
        self.folder = BUILD / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.seen: set[str] = set()

    def keep(self, data: bytes, error: BaseException) -> None:
        """Write the input down and say what happened, unless its like was seen before."""
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if "upconv" in frame.filename] or list(frames)
        words = "".join(c for c in str(error)[:160] if not c.isdigit())
        key = f"{type(error).__name__} {ours[-1].name} {words}"
        if key not in self.seen:
            self.seen.add(key)
            file = self.folder / sha256(data).hexdigest()[:20]
            file.write_bytes(data)
            place = " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(ours[-3:]))
            print(f"  {file}: {type(error).__name__}: {str(error)[:200]} ({place})", flush=True)
