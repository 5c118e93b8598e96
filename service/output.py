"""Files written whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

from converters.errors import UsageError


class Staging:
    """A hidden folder beside the wanted file, in which a model is written before it is shown.

    As a context manager it removes the folder; what was published stays.

    Raises UsageError where the target's folder does not exist or the target is a folder.
    """

    def __init__(self, target: Path) -> None:
        if target.is_dir():
            raise UsageError("is a folder; name a file", path=str(target))
        if not target.parent.is_dir():
            raise UsageError(
                "its folder does not exist", path=str(target), hint=f"mkdir -p {target.parent}"
            )
        self.target = target
        self.folder = Path(tempfile.mkdtemp(prefix=".upconv-", dir=target.parent))

    @property
    def path(self) -> Path:
        """Where to write: the target's own name, inside the staging folder."""
        return self.folder / self.target.name

    def __enter__(self) -> Staging:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def publish(self) -> Path:
        """Move the model to its target, weights first; an older TARGET.failed goes."""
        data = self.path.with_name(self.path.name + ".data")
        if data.exists():
            os.replace(data, self.target.with_name(data.name))
        os.replace(self.path, self.target)
        failed = self.target.with_name(self.target.name + ".failed")
        for stale in (failed, failed.with_name(failed.name + ".data")):
            stale.unlink(missing_ok=True)
        return self.target

    def publish_failed(self) -> Path:
        """Move the model to TARGET.failed; an older TARGET is kept as TARGET.previous."""
        from converters.onnx_writer import move_model

        failed = self.target.with_name(self.target.name + ".failed")
        move_model(self.path, failed)
        if self.target.exists():
            os.replace(self.target, self.target.with_name(self.target.name + ".previous"))
        return failed


def write_text(path: str, content: Any) -> None:
    """Write a report through a temporary file; a Verification becomes JSON."""
    from converters.verify import Verification, as_json

    if isinstance(content, Verification):
        content = json.dumps(as_json(content), indent=2) + "\n"
    target = Path(path)
    if not target.parent.is_dir():
        raise UsageError("its folder does not exist", path=path, hint=f"mkdir -p {target.parent}")
    handle, name = tempfile.mkstemp(prefix=".upconv-", dir=target.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(content)
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
