"""Paths as code hosts want them: seen from the repository's root, and as URIs."""

from __future__ import annotations

import re
from typing import Final

_NO_BYTE: Final = re.compile("[\ud800-\udc7f\udd00-\udfff]")
"""Halves of surrogate pairs that stand for no byte of a file name."""


def repository_path(path: str, prefix: str) -> str:
    """A reported path seen from the repository's root; absolute ones stay.

    >>> repository_path("net.prototxt", "models/"), repository_path("../a.prototxt", "models/")
    ('models/net.prototxt', 'a.prototxt')
    >>> repository_path("/tmp/net.prototxt", "models/")
    '/tmp/net.prototxt'
    """
    from posixpath import normpath

    if is_absolute(path):
        return path
    return normpath(prefix + path)


def relative_uri(path: str) -> str:
    """A relative path as a URI reference: reserved characters and bytes that are no UTF-8 as %XX.

    >>> relative_uri("a b/c:d#1.prototxt")
    'a%20b/c%3Ad%231.prototxt'
    """
    from urllib.parse import quote

    return quote(_NO_BYTE.sub("\ufffd", path).encode("utf-8", "surrogateescape"), safe="/~")


def file_uri(path: str) -> str:
    """An absolute path as a file URI.

    >>> file_uri("/tmp/a b.prototxt"), file_uri("C:/a.prototxt")
    ('file:///tmp/a%20b.prototxt', 'file:///C:/a.prototxt')
    """
    drive, rest = (path[:2], path[2:]) if path[1:3] == ":/" else ("", path)
    return f"file://{'/' if drive else ''}{drive}{relative_uri(rest)}"


def is_absolute(path: str) -> bool:
    """Whether a POSIX path begins at a root or, as in C:/a, at a drive."""
    return path.startswith("/") or path[1:3] == ":/"
