"""Names of uploaded files: what may become a path inside of a job's own, fresh folder.

The store knows files by their content. A name is used in one place only, where a job lays its files
out, since readers look for files beside each other; and it gets there only through `safe_name`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from upconv.converters.ir.errors import UsageError

LONGEST: Final = 1000
LONGEST_PART: Final = 240
DEEPEST: Final = 20

_FORBIDDEN: Final = re.compile(r'[\x00-\x1f\x7f\\:*?"<>|\ud800-\udfff]')
_REPOSITORY: Final = ".git"


class ClashError(UsageError):
    """Two files cannot be laid out together."""


def safe_name(text: str) -> str:
    """The name itself, of a file inside of a folder.

    >>> safe_name("nets/fcn.prototxt")
    'nets/fcn.prototxt'

    Raises UsageError for one that could mean anything else on any system: absolute, with "..",
    with a drive or a stream, endless, or of a repository, whose settings git would follow.
    """
    parts = text.split("/")
    if not text or len(text.encode("utf-8", "replace")) > LONGEST or len(parts) > DEEPEST:
        raise _refused(text, "it is empty, too long or too deep")
    if _FORBIDDEN.search(text):
        raise _refused(text, "it has a character that no file should have in its name")
    for part in parts:
        if part.strip(" .") == "" or part != part.rstrip(" .") or len(part) > LONGEST_PART:
            raise _refused(text, f"'{part:.40}' is no name of a file or folder")
        if part.lower() == _REPOSITORY:
            raise _refused(text, "it belongs to a repository")
    return text


def require_tree(names: Iterable[str]) -> None:
    """Raise ClashError where two names are one, or one is a folder of another, on systems that do
    not tell letters' cases apart too."""
    seen: dict[str, str] = {}
    for name in names:
        if name.casefold() in seen:
            raise _clash(name, "there are two of it")
        seen[name.casefold()] = name
    for name in seen.values():
        above = name.casefold()
        while "/" in above:
            above = above.rpartition("/")[0]
            if above in seen:
                raise _clash(seen[above], "it is a file and a folder")


def _refused(text: str, why: str) -> UsageError:
    return UsageError(f"the name {text[:80]!r} is refused: {why}", hint="use relative names")


def _clash(text: str, why: str) -> ClashError:
    return ClashError(f"the name {text[:80]!r} is refused: {why}", hint="give each a name")
