"""The fixes of single words: a field that is misspelt, an ignore that silences nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from upconv.linter.finding import Fix
from upconv.linter.fixing.edits import replace_span, replace_text

if TYPE_CHECKING:
    from upconv.converters.ir.origin import Span
    from upconv.converters.ir.written import Block
    from upconv.linter.running.suppress import Ignore


def respelt(root: Block, where: Span, near: Sequence[str]) -> Fix | None:
    """The field of that name gets the known name that was meant, of those that are `near`; None
    where that is not clear, where its block has that field already, or where it belongs into
    another block."""
    alike = [name for name in near if "." not in name]
    close = [name for name in alike if is_one_slip(where.text, name)]
    meant = close or alike
    if len(meant) != 1 or root.around(where).has(meant[0]):
        return None
    return Fix("safe" if close else "unsafe", (replace_span(where, meant[0]),))


def is_one_slip(one: str, other: str) -> bool:
    """Whether one letter too many, too few or wrong, or two swapped, tell two words apart.

    >>> is_one_slip("stirde", "stride"), is_one_slip("pad_hh", "pad_h"), is_one_slip("pat", "tap")
    (True, True, False)
    """
    start = _common(one, other)
    one, other = one[start:], other[start:]
    end = _common(one[::-1], other[::-1])
    one, other = one[: len(one) - end], other[: len(other) - end]
    return (
        len(one + other) == 1
        or len(one) == len(other) == 1
        or (len(one) == 2 and one == other[::-1])
    )


def _common(one: str, other: str) -> int:
    """How many letters two words begin with alike."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def drop_ignore(comment: Ignore, code: str) -> Fix:
    """The code goes from an ignore comment; with its last code the comment goes, and the line
    too where nothing else is on it."""
    source, start, end = comment.span.source, comment.span.start, comment.span.end
    if len(comment.codes) > 1:
        left = list(comment.codes)
        left.remove(code)
        start += comment.span.text.index("[") + 1
        end = start + source.text[start:end].index("]")
        return Fix("unsafe", (replace_text(source, start, end, ", ".join(left)),))
    while start and source.text[start - 1] in " \t":
        start -= 1
    if start == 0 or source.text[start - 1] == "\n":
        while end < len(source.text) and source.text[end - 1] != "\n":
            end += 1
    return Fix("unsafe", (replace_text(source, start, end, ""),))
