"""Comments that silence findings: `# upconv: ignore[UP201, UP202] reason`.

Without brackets the codes are the words that look like some, `# upconv: ignore UP201`; with none it
silences every rule.

A comment speaks for the layer it stands in, or for the layer that follows it (further comment
lines may stand between), or, outside of layers, for its own and the next line. Codes may be
shortened to a family, as in UP2, or given by the rule's name.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Final

from upconv.converters.ir.origin import Source, Span
from upconv.converters.ir.patterns import pattern
from upconv.converters.ir.records import record
from upconv.converters.ir.written import Comments

_MARK: Final = "upconv:"
_BEFORE_COMMENT: Final = ' \t"'
"""A notebook has its lines in quotes."""

_IGNORE: Final = pattern(r"upconv:\s*ignore\[([^\]]*)\]\s*(.*)", re.DOTALL)
_BARE: Final = pattern(r"upconv:\s*ignore(?:\s+(.*)|)", re.DOTALL)
_CODE: Final = pattern(r"UP\d{0,3}")
ALL: Final = "UP"
"""The beginning of every code: the word of a comment that names none."""

MOST: Final = 50_000
"""Comments of a text that are listened to, from its beginning; files by people have a hundredth."""

_SPOKEN_OF: Final = frozenset({"UP001", "UP005", "UP006"})
"""What such a comment cannot mean: that the file is unreadable, a crash, the comment itself."""


@record(frozen=True, slots=True)
class Ignore:
    """One comment: the codes it names, its reason, and the lines it speaks for."""

    codes: tuple[str, ...]
    reason: str
    span: Span
    first_line: int
    last_line: int

    def covering(self, code: str, name: str, line: int) -> tuple[str, ...]:
        """Its words that silence a finding of that rule on that line.

        The line that counts is the first of a finding's layer, its own where it has no layer.
        """
        return self.speaks_of(code, name) if self.first_line <= line <= self.last_line else ()

    def speaks_of(self, code: str, name: str) -> tuple[str, ...]:
        """Its words that mean that rule."""
        if self.codes == (ALL,):
            return () if code in _SPOKEN_OF else self.codes
        return tuple(w for w in self.codes if w == name or (w and code.startswith(w)))


def ignores(
    source: Source, layers: Callable[[], Iterable[Span]], comments: Comments
) -> tuple[Ignore, ...]:
    """Every ignore comment of a text, given what finds the spans of its layers and its comments."""
    if _MARK not in source.text:
        return ()
    blocks = sorted({(span.line, span.end_position[0]) for span in layers()})
    found = []
    following: dict[int, int] = {}
    for span, text in reversed(tuple(comments())[:MOST]):
        said = _said(text)
        if said is not None:
            lines = _lines_spoken_for(span.line, blocks, source, following)
            found.append(Ignore(*said, span, *lines))
    return tuple(reversed(found))


class Covering:
    """Which comments speak for a line, without a look at all of them for every finding."""

    def __init__(self, comments: Sequence[Ignore]) -> None:
        self._comments = sorted(comments, key=lambda comment: comment.first_line)
        self._firsts = [comment.first_line for comment in self._comments]
        self._lasts = list(accumulate((one.last_line for one in self._comments), max))

    def line(self, number: int) -> list[Ignore]:
        """The comments whose lines are around this one, in their order."""
        at = bisect_right(self._firsts, number)
        found = []
        while at and self._lasts[at - 1] >= number:
            at -= 1
            if self._comments[at].last_line >= number:
                found.append(self._comments[at])
        return found[::-1]


def _said(text: str) -> tuple[tuple[str, ...], str] | None:
    """The codes and the reason of an ignore comment; None for another comment.

    >>> _said("upconv: ignore[UP201, UP202] as the paper has it")
    (('UP201', 'UP202'), 'as the paper has it')
    >>> _said("upconv: ignore UP201, UP202 as the paper has it")
    (('UP201', 'UP202'), 'as the paper has it')
    >>> _said("upconv: ignore as the paper has it")
    (('UP',), 'as the paper has it')
    """
    bracketed = _IGNORE.fullmatch(text)
    if bracketed:
        return tuple(word.strip() for word in bracketed[1].split(",")), bracketed[2].strip()
    bare = _BARE.fullmatch(text)
    if bare is None:
        return None
    words = (bare[1] or "").split()
    count = next((i for i, w in enumerate(words) if not _CODE.fullmatch(w.strip(","))), len(words))
    codes = tuple(word.strip(",") for word in words[:count])
    return codes or (ALL,), " ".join(words[count:])


def _lines_spoken_for(
    line: int, blocks: Sequence[tuple[int, int]], source: Source, known: dict[int, int]
) -> tuple[int, int]:
    """First and last line that a comment on `line` covers; `known` has the first line of code
    behind those that were looked at."""
    after = bisect_right(blocks, (line, len(source.text)))
    if after and blocks[after - 1][1] >= line:
        first = blocks[after - 1]
        return min(first[0], line), first[1]
    following = known[line] = _next_code_line(line, source, known)
    if after < len(blocks) and blocks[after][0] == following:
        return line, blocks[after][1]
    return line, following


def _next_code_line(line: int, source: Source, known: Mapping[int, int]) -> int:
    """The first line after `line` that is more than a comment; a blank line ends the search."""
    last = len(source.line_starts)
    at = line + 1
    while at <= last and source.line(at).lstrip(_BEFORE_COMMENT).startswith("#"):
        if at in known:
            return known[at] if known[at] > at else line
        at += 1
    return at if at <= last else line


def unused(
    comments: Sequence[Ignore], used: Callable[[Ignore, str], bool]
) -> Iterator[tuple[Ignore, str]]:
    """(comment, code) of every code that silenced nothing."""
    return ((entry, code) for entry in comments for code in entry.codes if not used(entry, code))
