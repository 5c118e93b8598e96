"""Text files laid out: what would change, or what was written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from upconv.converters.ir.errors import UsageError
from upconv.converters.ir.files import write_whole
from upconv.converters.ir.origin import Source
from upconv.converters.ir.records import record
from upconv.converters.readers.formats import laid_out
from upconv.linter.fixing.fix import Text, decoded, read_text, unified_diff


@record(frozen=True, slots=True)
class Formatted:
    """One file: its text as it was and as it is laid out."""

    path: str
    before: Source
    after: Source
    data: bytes

    @property
    def differs(self) -> bool:
        return self.before.text != self.after.text

    @property
    def diff(self) -> str:
        """What changes, as `diff -u` shows it."""
        return unified_diff(self.before, self.after, Path(self.path).as_posix())


def format_bytes(path: str, data: bytes) -> Formatted:
    """The text in these bytes, laid out; the encoding and a byte order mark stay.

    Raises UnreadableError where it is no text of protobuf's, or is broken.
    """
    return _formatted(decoded(path, data))


def format_file(path: str, write: bool) -> Formatted:
    """A file laid out, and written, whole or not at all, where that changes it.

    Raises UsageError for a folder, UnreadableError as `format_bytes`, and OSError.
    """
    if Path(path).is_dir():
        raise UsageError("a folder, expected files", path=path, hint=f"as in {path}/*.prototxt")
    found = _formatted(read_text(path))
    if write and found.differs:
        write_whole(path, found.data)
    return found


def _formatted(text: Text) -> Formatted:
    path = text.source.path
    after = Source(path, laid_out(text.source))
    return Formatted(path, text.source, after, replace(text, source=after).encoded())
