"""Changes of a text as an editor applies them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from lsprotocol import types

from upconv.service.lsp.diagnostics import span_range
from upconv.service.lsp.positions import Lines

if TYPE_CHECKING:
    from upconv.service.lsp.documents import Document


class Editor(Protocol):
    """Who applies the changes."""

    def can(self, capability: str) -> bool:
        """Whether it understands something."""


MOST_LINES: Final = 2000
"""Changed lines that are compared one by one; of more, the whole stretch is replaced."""


def text_edits(lines: Lines, after: str) -> list[types.TextEdit]:
    """What makes another text of this one: few characters, so that cursors and marks stay."""
    return [
        types.TextEdit(span_range(lines, start, end), text)
        for start, end, text in differences(lines.text, after)
    ]


def differences(before: str, after: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, new text) of the lines that differ.

    >>> list(differences("a\\nb\\nc\\n", "a\\nB\\nc\\n"))
    [(2, 4, 'B\\n')]
    """
    from difflib import SequenceMatcher

    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    old_middle, new_middle = old[head : len(old) - tail], new[head : len(new) - tail]
    at = len("".join(old[:head]))
    starts = [at]
    for line in old_middle:
        starts.append(starts[-1] + len(line))
    if max(len(old_middle), len(new_middle)) > MOST_LINES:
        yield starts[0], starts[-1], "".join(new_middle)
        return
    matcher = SequenceMatcher(None, old_middle, new_middle, autojunk=False)
    for tag, left, right, start, end in matcher.get_opcodes():
        if tag != "equal":
            yield starts[left], starts[right], "".join(new_middle[start:end])


def _common(old: list[str], new: list[str]) -> int:
    """How many lines are the same from the beginning on."""
    pairs = enumerate(zip(old, new, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(old), len(new)))


Change: TypeAlias = "tuple[Document, Iterable[types.TextEdit]]"
"""A text and its edits."""


def workspace_edit(editor: Editor, *changes: Change) -> types.WorkspaceEdit:
    """The edits of some texts, for the versions that they were made for where the editor can
    tell."""
    if not editor.can("workspace.workspace_edit.document_changes"):
        return types.WorkspaceEdit(changes={one.shot.uri: list(edits) for one, edits in changes})
    return types.WorkspaceEdit(
        document_changes=[
            types.TextDocumentEdit(
                types.OptionalVersionedTextDocumentIdentifier(one.shot.uri, one.shot.version),
                list(edits),
            )
            for one, edits in changes
        ]
    )
