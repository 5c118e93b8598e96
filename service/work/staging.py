"""Where a conversion writes: beside its target first, and nothing that is read or written twice."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final

from upconv.converters.ir.errors import UpconvError, UsageError
from upconv.converters.ir.temporaries import remove_folder, temporary_folder


class Staging:
    """A hidden folder beside the wanted file, in which a model is written before it is shown.

    As a context manager it removes the folder; what was published stays. A target that is a
    link stays one: the file behind it is written.

    Raises UsageError where the target's folder does not exist, or the target is there and is no
    file.
    """

    def __init__(self, target: Path) -> None:
        from upconv.converters.onnx_writer import require_place

        target = _behind_links(target)
        require_place(target)
        for suffix in SUFFIXES:
            with suppress(FileNotFoundError):
                os.lstat(f"{target}{suffix}")  # an OSError where such a name is too long
        self.target = target
        try:
            self._handle, self.folder = temporary_folder(target.parent)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(target)) from None

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
        remove_folder(self._handle, self.folder)
        if isinstance(error, OSError | UpconvError):
            self._name_target(error)

    def _name_target(self, error: OSError | UpconvError) -> None:
        """Let an error speak of the file that was asked for, not of the hidden one."""
        hidden, shown = str(self.path), str(self.target)
        if isinstance(error, OSError):
            error.filename = str(error.filename or shown).replace(hidden, shown)
        else:
            error.message = error.message.replace(hidden, shown)
            error.path = error.path.replace(hidden, shown)

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
        from upconv.converters.onnx_writer import move_model

        failed = self.target.with_name(self.target.name + ".failed")
        move_model(self.path, failed)
        if self.target.exists():
            os.replace(self.target, self.target.with_name(self.target.name + ".previous"))
        return failed


def place_made(target: str, made: Mapping[str, bytes]) -> None:
    """Write the files of a conversion that was done elsewhere, by their suffixes, as it would have
    left them here. Raises OSError."""
    from upconv.converters.ir.files import write_whole

    for suffix in sorted(made, reverse=True):  # weights before the model that names them
        write_whole(f"{target}{suffix}", made[suffix])
    if "" in made:
        for suffix in (".failed", ".failed.data"):
            Path(f"{target}{suffix}").unlink(missing_ok=True)
    elif made and os.path.exists(target):
        os.replace(target, f"{target}.previous")


SUFFIXES: Final = ("", ".data", ".failed", ".failed.data", ".previous")
"""What a conversion may put behind its target's name."""


def _behind_links(path: Path) -> Path:
    """The file that a link leads to, there or not, or the path itself; OSError where links lead in
    a circle."""
    if not path.is_symlink():
        return path
    with suppress(FileNotFoundError):
        os.stat(path)
    return Path(os.path.realpath(path))


def require_apart(targets: Iterable[str], sources: Iterable[str]) -> None:
    """Raise UsageError where a file that is to be written is one that is read, or two are one."""
    taken: dict[str, str] = {os.path.realpath(path): "it is read" for path in sources if path}
    for path in targets:
        real = os.path.realpath(path)
        if real in taken:
            raise UsageError(f"cannot be written, since {taken[real]}", path=path,
                             hint="name another file")  # fmt: skip
        taken[real] = "something else is written there"


def write_text(path: str, content: str) -> None:
    """Write a report, whole or not at all. Raises what `report_place` raises, and OSError."""
    from upconv.converters.ir.files import write_whole

    target = report_place(path)
    if target.exists() and not target.is_file():
        target.write_text(content, encoding="utf-8")  # a pipe or a device cannot be replaced
        return
    write_whole(target, content.encode("utf-8"))


def report_place(path: str) -> Path:
    """Where a report of that name is written, behind links: a file or a pipe.

    Raises UsageError where none can be, OSError where links lead in a circle.
    """
    target = _behind_links(Path(path))
    if target.is_dir():
        raise UsageError("is a folder; name a file", path=path)
    if not target.parent.is_dir():
        raise UsageError("its folder does not exist", path=path, hint=f"mkdir -p {target.parent}")
    return target
