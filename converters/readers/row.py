"""What the table of formats knows of each: one row, which a reader's own folder fills in.

Rows are imported at every start, so their modules import nothing but this one; whatever reads a
file is imported inside the functions that need it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from upconv.converters.ir.patterns import pattern
from upconv.converters.ir.records import record

if TYPE_CHECKING:
    from upconv.converters.ir.model import Model
    from upconv.converters.ir.source import Source
    from upconv.converters.readers.options import ReadOptions

State: TypeAlias = Literal["read", "check only", "--weights", "refused", "not built yet"]

ZIP: Final = b"PK\x03\x04"
_CONTROL: Final = pattern(rb"[\x00-\x08\x0e-\x1f\x7f]")


@record(frozen=True, slots=True)
class Head:
    """What a format is told by: the path, whether it is a folder, and a file's first bytes."""

    path: str
    data: bytes = b""
    is_folder: bool = False

    @property
    def extension(self) -> str:
        """The extension in lower case, without the dot."""
        return os.path.splitext(self.path)[1].lower().removeprefix(".")

    @property
    def is_text(self) -> bool:
        """No control characters but white space; wire formats have some in their first lengths."""
        return not self.is_folder and _CONTROL.search(self.data) is None

    @property
    def has_version(self) -> bool:
        """Whether it begins as ONNX's models do, with a number above 1 as the first field: so do
        neither Caffe's weights nor TensorFlow's graphs, and a SavedModel has a 1 there."""
        return self.data[:1] == b"\x08" and self.data[1:2] != b"\x01"


@record(frozen=True, slots=True)
class Format:
    """One format. A reader must say its name, extensions, `claim` and `open`.

    Telling it: `claim` decides by content; `claim_text` in its place for a text without a name.
    Reading it: `open` a path; `open_text` a text that is already read.
    Finding it: a search of a folder looks at files with one of the extensions but `vague` ones,
    which mostly mean something else. It takes those of `texts` unseen, since they are read anyway,
    of others those whose first bytes `sure` (else `claim`) takes, and, where there is `mentions`,
    those whose bytes it takes.
    Beside it: `companions` are the other files that reading a path reads, whether they exist or
    not. `require` raises UsageError for options that no file of the format could meet.
    `state` is what a list of formats says of it.
    """

    name: str
    extensions: tuple[str, ...]
    claim: Callable[[Head], bool]
    open: Callable[[str, ReadOptions], Model]
    state: State = "read"
    claim_text: Callable[[Head], bool] | None = None
    open_text: Callable[[Source, ReadOptions], Model] | None = None
    vague: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    sure: Callable[[Head], bool] | None = None
    mentions: Callable[[bytes], bool] | None = None
    companions: Callable[[str], Iterable[str]] = lambda path: ()
    require: Callable[[ReadOptions], None] = lambda options: None

    @property
    def searched(self) -> tuple[str, ...]:
        """The extensions that a search looks for; none where there is nothing to check."""
        checked = self.state in ("read", "check only")
        return tuple(e for e in self.extensions if checked and e not in self.vague)

    def surely(self, head: Head) -> bool:
        """Whether a file that a search came across holds a model of this format."""
        return head.extension in self.searched and (self.sure or self.claim)(head)
