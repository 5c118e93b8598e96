"""Protobuf's text format with spans: Caffe's .prototxt, TensorFlow's .pbtxt and their like.

Public face of the `prototxt_` modules:

- `load_text(path)` reads a file into a Source;
- `parse(source)` gives its tree and every syntax error in it, without knowing any schema;
- `source_comments(source)` lists the comments, which the tree leaves out;
- `Message`, `Field`, `ValueList` and `Scalar` are the tree.
"""

from __future__ import annotations

import os
from codecs import BOM_UTF8
from pathlib import Path
from typing import Final

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.ir.origin import Source, Span
from upconv.converters.readers.files.budgets import PROTOBUF_TEXT
from upconv.converters.readers.files.opening import MAX_TEXT, read_regular, reason
from upconv.converters.readers.files.prototxt.grammar import STRING_OR_COMMENT
from upconv.converters.readers.files.prototxt.parser import ParseResult, parse
from upconv.converters.readers.files.prototxt.tree import Field, Message, Scalar, Value, ValueList

__all__ = [
    "Field",
    "Message",
    "ParseResult",
    "Scalar",
    "Source",
    "Value",
    "ValueList",
    "load_text",
    "parse",
    "source_comments",
]

_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")


def load_text(path: str | Path, *, max_bytes: int = MAX_TEXT) -> Source:
    """The text of a file: UTF-8, else Latin-1; a byte order mark goes, line ends stay.

    Raises UnreadableError for a file that is missing, unreadable, binary or larger than
    `max_bytes`, and for a folder.
    """
    name = os.fspath(path)
    return Source(name, decode_text(_read(name, max_bytes), name))


def decode_text(data: bytes, path: str) -> str:
    """The text that `data` holds; raises UnreadableError for binary data."""
    if data.startswith(_UTF16):
        raise UnreadableError("UTF-16 text", path=path, hint="save the file as UTF-8")
    zero = data.find(b"\0")
    if zero >= 0:
        raise UnreadableError(
            f"binary content (a NUL byte at offset {zero}), expected text",
            path=path,
            hint="weights belong in --weights",
        )
    try:
        return data.removeprefix(BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def source_comments(source: Source) -> list[tuple[Span, str]]:
    """Every comment of a text, of as many as a text may have fields: its span from the '#' to the
    line's end, and its words.

    >>> source_comments(Source("a", "x: '#' # one"))[0][1]
    'one'
    """
    comments = []
    for match in STRING_OR_COMMENT.finditer(source.text):
        comment = match[2]
        if comment is not None:
            comment = comment.rstrip("\r")
            span = Span(source, match.start(), match.start() + len(comment))
            comments.append((span, comment[1:].strip()))
            if len(comments) == PROTOBUF_TEXT.steps:
                break
    return comments


def _read(path: str, max_bytes: int) -> bytes:
    try:
        return read_regular(path, max_bytes)
    except FileNotFoundError:
        raise UnreadableError("no such file", path=path, hint="check the path") from None
    except OSError as problem:
        raise UnreadableError(f"cannot be read: {reason(problem)}", path=path) from None
