"""Texts that are open in the editor, kept as it has them, change by change.

pygls keeps texts too, but splits lines where Python does (a form feed, U+2028) and moves a place
behind a line's end by one: after some edits its text would be another than the editor's.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from pygls.uris import to_fs_path

from upconv.converters.ir.records import record
from upconv.converters.ir.source import Pieces
from upconv.service.lsp.positions import Lines

if TYPE_CHECKING:
    from asyncio import Future

    from upconv.converters.ir.dims import Size


@record(frozen=True, slots=True)
class Snapshot:
    """A text at one version, which does not change while it is looked at. `inputs` are sizes that
    the user set for it."""

    uri: str
    path: str
    version: int
    text: str
    inputs: Mapping[str, tuple[Size, ...]] = field(default_factory=dict)


class Document:
    """One open text. `task` is the look at its present version, once somebody has asked for it,
    `deep` a version's number, the look at it with the weights beside it, and what of that lasts."""

    def __init__(
        self, uri: str, version: int, text: str, encoding: str = "utf-16", language: str = ""
    ) -> None:
        self.lines = Lines(text, encoding)
        self.shot = Snapshot(uri, _named(path_of(uri), language), version, text)
        self.task: Future[Any] | None = None
        self.deep: Any = None
        self.sized: Any = None
        self.tree: Any = None
        self.pieces = Pieces()

    def change(self, version: int, changes: Iterable[Any]) -> None:
        """Apply the changes of one notification, each to the result of the one before."""
        text = self.shot.text
        for one in changes:
            text = self._changed(one)
            self.lines = Lines(text, self.lines.encoding)
        self.shot = replace(self.shot, version=version, text=text)
        self.forget()

    def forget(self) -> None:
        """Let a look at the text that was be of no use any more."""
        if self.task is not None:
            self.task.cancel()
        self.task = None

    def _changed(self, change: Any) -> str:
        """A change without a range is the whole text."""
        where = getattr(change, "range", None)
        if where is None:
            return str(change.text)
        start, end = (
            self.lines.offset((place.line, place.character)) for place in (where.start, where.end)
        )
        text = self.lines.text
        return f"{text[:start]}{change.text}{text[max(start, end) :]}"


def path_of(uri: str) -> str:
    """The path of a file; what is no file (an editor's unsaved text) keeps its last words.

    >>> path_of("file:///a%20b/net.prototxt"), path_of("untitled:Untitled-1")
    ('/a b/net.prototxt', 'Untitled-1')
    """
    path: str | None = to_fs_path(uri) if uri.startswith("file:") else None
    return path or unquote(urlsplit(uri).path).rpartition("/")[2] or uri


_ENDINGS: Final = {"python": ".py", "json": ".json", "prototxt": ".prototxt", "pbtxt": ".pbtxt"}
"""What the editor calls a language -> how its files end."""


def _named(path: str, language: str) -> str:
    """A path that says what is in the text, where one that was never saved does not."""
    return path if os.path.splitext(path)[1] else path + _ENDINGS.get(language, "")
