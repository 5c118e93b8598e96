"""A `.keras` file: a ZIP archive with metadata.json, config.json and model.weights.h5.

Keras stores its members without compression, so the weights are a range of bytes of the archive
itself and are read where they lie. Every size is bounded before anything is unpacked.
"""

from __future__ import annotations

import mmap
import tempfile
from typing import Final

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.readers.files.wire import map_file
from upconv.converters.readers.files.zip_archive import STORED, Member, Zip

MAX_TEXT: Final = 1 << 25
FREE_BYTES: Final = 1 << 26
MAX_RATIO: Final = 10
"""Unpacked over packed bytes beyond those; trained weights hardly compress at all."""

CONFIG: Final = "config.json"
METADATA: Final = "metadata.json"
WEIGHTS: Final = ("model.weights.h5", "model.weights.npz")


class KerasArchive:
    """An opened archive. Raises UnreadableError where the file is no archive of Keras."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._zip = Zip(map_file(path, "Keras archive"), path)
        if CONFIG not in self._zip.members:
            raise UnreadableError(f"an archive without {CONFIG}, so not a Keras model", path=path)

    def text(self, name: str) -> str:
        """A JSON member as text, "" where there is none."""
        member = self._zip.members.get(name)
        if member is None:
            return ""
        try:
            return self._zip.read(member, MAX_TEXT).decode("utf-8")
        except UnicodeDecodeError:
            raise UnreadableError(f"its {name} is no UTF-8 text", path=self.path) from None

    def weights(self) -> memoryview | None:
        """The bytes of the weights' file, None where the archive has none."""
        for name in WEIGHTS:
            member = self._zip.members.get(name)
            if member is not None:
                if name.endswith(".npz"):
                    raise UnreadableError("weights as .npz are not read", path=self.path)
                return self._bytes(member)
        return None

    def _bytes(self, member: Member) -> memoryview:
        begin, end = self._zip.span(member)
        if member.method == STORED and member.stored_size == member.size:
            return self._zip.view[begin:end]
        return self._unpacked(member)

    def _unpacked(self, member: Member) -> memoryview:
        """The member in a file without a name, which goes when nobody looks at it any more."""
        if member.size > MAX_RATIO * member.stored_size + FREE_BYTES:
            raise UnreadableError(
                f"{member.name} would unpack from {member.stored_size} to {member.size} bytes",
                path=self.path,
            )
        try:
            with tempfile.TemporaryFile() as target:
                for piece in self._zip.pieces(member):
                    target.write(piece)
                target.flush()
                return memoryview(mmap.mmap(target.fileno(), 0, access=mmap.ACCESS_READ))
        except (OSError, ValueError) as error:  # a full disk, or nothing in it
            raise UnreadableError(
                f"{member.name} cannot be unpacked: {error}", path=self.path
            ) from None
