"""Tensors in files beside the model: the one place that opens a file which a model names.

A model is a stranger's, and so are the names in it. They are followed only below the model's own
folder: no absolute path, no "..", through no symbolic link, to no device, and not to a file that
has a second name (a hard link), which an unpacked archive may have put there to read another file
of ours (CVE-2022-25882, CVE-2024-27318, CVE-2026-34447 of onnx's own loader).
"""

from __future__ import annotations

import errno
import mmap
import os
import re
import stat
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import field
from typing import Final

from upconv.converters.ir.errors import UnreadableError, UpconvError
from upconv.converters.ir.records import record
from upconv.converters.readers.files.wire import Wire, map_file
from upconv.converters.readers.onnx.messages import Message

EXTERNAL: Final = 1
MAX_COMPONENTS: Final = 64
_FOREIGN: Final = re.compile(r"[\x00\\]|^[A-Za-z]:")
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)


@record(frozen=True, slots=True)
class Folder:
    """The folder of a model, and the files below it that were opened so far."""

    path: str
    opened: dict[str, Wire] = field(default_factory=dict)

    def file(self, location: str) -> Wire:
        """The file at a location that a model names; UnreadableError where it may not be read."""
        if location not in self.opened:
            parts = _parts(location, self.path)
            where = os.path.join(self.path, *parts)
            self.opened[location] = Wire(_mapped(self.path, parts, where), where)
        return self.opened[location]


def folder_of(path: str) -> Folder:
    """The folder in which a model's own data lie."""
    return Folder(os.path.dirname(path) or ".")


def _parts(location: str, folder: str) -> list[str]:
    """The components of a relative path that stays below the folder."""
    parts = [part for part in location.split("/") if part not in ("", ".")]
    outside = location.startswith("/") or ".." in parts or _FOREIGN.search(location)
    if outside or not parts or len(parts) > MAX_COMPONENTS:
        raise UnreadableError(
            f"its data are to be read from {location!r}, which is no path inside its own folder",
            path=folder,
            hint="a model must not name files elsewhere; do not trust this one",
        )
    return parts


def _mapped(folder: str, parts: Sequence[str], where: str) -> memoryview:
    """The file below the folder, each component opened without following a link."""
    try:
        handle = _opened(folder, parts)
    except (OSError, ValueError) as error:
        is_link = getattr(error, "errno", None) in (errno.ELOOP, errno.ENOTDIR, errno.EMLINK)
        reason = "a symbolic link, or lies behind one" if is_link else ""
        raise _refused(where, reason or getattr(error, "strerror", None) or str(error)) from None
    try:
        info = os.fstat(handle)
        if not stat.S_ISREG(info.st_mode):
            raise _refused(where, "no regular file")
        if info.st_nlink > 1:
            raise _refused(where, "a hard link, a file that has another name too")
        if not info.st_size:
            return memoryview(b"")
        return memoryview(mmap.mmap(handle, 0, access=mmap.ACCESS_READ))
    finally:
        os.close(handle)


def _opened(folder: str, parts: Sequence[str]) -> int:
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0) | _NO_LINK
    if os.open not in os.supports_dir_fd:
        return _opened_by_path(folder, parts, flags)
    at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    for index, part in enumerate(parts):
        is_last = index == len(parts) - 1
        try:
            deeper = os.open(part, flags | (0 if is_last else os.O_DIRECTORY), dir_fd=at)
        finally:
            os.close(at)
        at = deeper
    return at


def _opened_by_path(folder: str, parts: Sequence[str], flags: int) -> int:
    """Where the system cannot open a file relative to an open folder."""
    path = folder
    for part in parts:
        path = os.path.join(path, part)
        if os.path.islink(path):
            raise OSError(errno.ELOOP, "is a link", path)
    return os.open(path, flags)


def _refused(where: str, reason: str) -> UnreadableError:
    hint = "put a copy of the file into the model's folder (git lfs pull, where it is kept there)"
    return UnreadableError(f"the model's data cannot be read: {reason}", path=where, hint=hint)


@record(frozen=True, slots=True)
class Range:
    """Bytes start..end of a file."""

    wire: Wire
    start: int
    end: int


def external_range(tensor: Message, folder: Folder, size: int) -> Range:
    """Where the `size` bytes of a tensor lie, in the file that it names."""
    entries = {e.text("key"): e.text("value") for e in tensor.messages("external_data", "entry")}
    wire = folder.file(entries.get("location", ""))
    offset = _number(tensor, entries.get("offset", "0"), "offset")
    length = _number(tensor, entries.get("length", str(size)), "length")
    if length != size:
        raise tensor.fail(f"{length} bytes of data for a tensor of {size}")
    if offset + length > len(wire.view):
        raise tensor.fail(
            f"its data are bytes {offset} to {offset + length} of a file of {len(wire.view)}"
        )
    return Range(wire, offset, offset + length)


def _number(tensor: Message, text: str, what: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise tensor.fail(f"the {what} {text!r} of its data")
    return int(text)


def companions(path: str) -> list[str]:
    """The files that the tensors of a model's graph lie in; none where it cannot be read."""
    found: dict[str, None] = {}
    with suppress(UpconvError):
        folder = os.path.dirname(path) or "."
        with closing(_Mapped(path)) as mapped:
            graph = Message(mapped.wire, "model").message("graph", "graph")
            for tensor in graph.messages("initializer", "tensor") if graph else ():
                if tensor.integer("data_location") == EXTERNAL:
                    for entry in tensor.messages("external_data", "entry"):
                        if entry.text("key") == "location":
                            found[entry.text("value")] = None
        return [os.path.join(folder, *_parts(name, folder)) for name in found]
    return []


class _Mapped:
    """A file's map for a short while."""

    def __init__(self, path: str) -> None:
        self.wire = Wire(map_file(path, "ONNX model"), path)

    def close(self) -> None:
        self.wire.view.release()
