"""Patterns as in .gitignore, matched in time that grows with the product of the lengths at most.

The rules are those of `man gitignore` and git's wildmatch.c, but that a bracket ends at a slash.
What git takes for no pattern (an unclosed bracket, a lone backslash, "!") matches nothing, and
nothing that a file can hold is an error. What follows a star, up to the next, is matched at the
leftmost place and never tried again: its length is fixed, so an earlier place is as good as any.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final, TypeAlias

from upconv.converters.ir.patterns import pattern
from upconv.converters.ir.records import record

MOST: Final = 10_000
"""Patterns that are obeyed; a file with more than that is made to keep us busy."""

LONGEST: Final = 4096
"""Characters of a pattern; no path is longer."""

Segments: TypeAlias = "tuple[re.Pattern[str] | None, ...]"
"""What the names of a path are to match; None is `**`, any number of them."""


@record(frozen=True, slots=True)
class Pattern:
    """One line: whether it includes again, whether it is for folders only, and what it matches."""

    negated: bool
    only_folders: bool
    segments: Segments


@record(frozen=True, slots=True)
class Patterns:
    """The patterns of one file, in its order."""

    entries: tuple[Pattern, ...]

    def verdict(self, path: str, folder: bool = False) -> bool | None:
        """Whether a path, relative and with slashes, is matched: True, or False where a pattern
        includes it again; None where no pattern speaks of it. A matched folder takes all in it
        along.

        >>> Patterns(parsed(["*.pt", "!a.pt"])).verdict("net/a.pt")
        False
        """
        names = path.split("/")
        verdict = None
        for end in range(1, len(names) + 1):
            inner = end < len(names)
            verdict = self.verdict_alone(names[:end], folder or inner)
            if verdict:
                return True
        return verdict

    def verdict_alone(self, names: Sequence[str], folder: bool = False) -> bool | None:
        """The verdict on a path given as its names, where the folders on the way were judged
        before: the last pattern that matches decides."""
        for entry in reversed(self.entries):
            if (folder or not entry.only_folders) and _match(entry.segments, names):
                return not entry.negated
        return None


def parsed(lines: Iterable[str], most: int = MOST) -> tuple[Pattern, ...]:
    """The first `most` patterns among lines of a .gitignore."""
    found = []
    for line in lines:
        pattern = _pattern(line)
        if pattern is not None:
            found.append(pattern)
            if len(found) >= most:
                break
    return tuple(found)


def _pattern(line: str) -> Pattern | None:
    text = _without_trailing_spaces(line)
    negated = text.startswith("!")
    text = text[negated:]
    if not text or line.startswith("#") or len(text) > LONGEST:
        return None
    only_folders = text.endswith("/")
    text = text.removesuffix("/")
    anywhere = "/" not in text
    segments = _segments(text.removeprefix("/"))
    if segments is None:
        return None
    return Pattern(negated, only_folders, ((None, *segments) if anywhere else segments))


def _without_trailing_spaces(line: str) -> str:
    bare = line.rstrip(" ")
    escapes = len(bare) - len(bare.rstrip("\\"))
    return f"{bare} " if escapes % 2 and len(bare) < len(line) else bare


def _segments(text: str) -> Segments | None:
    """What the names of a path are to match; None where this is no pattern."""
    found: list[re.Pattern[str] | None] = []
    for name in text.split("/"):
        if name == "**":
            found += () if found and found[-1] is None else (None,)
            continue
        segment = _segment(name)
        if segment is None:
            return None
        found.append(segment)
    if found and found[-1] is None:  # `a/**` is what lies in a, and not a itself
        found.append(re.compile("", re.DOTALL))
    return tuple(found)


@lru_cache(1024)
def _segment(name: str) -> re.Pattern[str] | None:
    """What one name of a path is to match; None where this is no pattern.

    >>> bool(_segment("a*[0-9]?").fullmatch("abc7x")), _segment("[z-a]").fullmatch("m")
    (True, None)
    """
    pieces: list[list[str]] = [[]]
    try:
        for token in _tokens(name):
            if token == "*":
                pieces.append([])
            else:
                pieces[-1].append(token)
    except ValueError:
        return None
    first, *others = ("".join(piece) for piece in pieces)
    if not others:
        return re.compile(rf"{first}\Z", re.DOTALL) if name else None
    between = "".join(f"(?>.*?{other})" for other in others[:-1] if other)
    return re.compile(rf"{first}{between}.*{others[-1]}\Z", re.DOTALL)


def _tokens(name: str) -> Iterator[str]:
    """The pattern's items as regular expressions of one character each, and "*".

    Raises ValueError where it ends within one.
    """
    at = 0
    while at < len(name):
        character = name[at]
        at += 1
        if character == "[":
            token, at = _bracket(name, at)
            yield token
        elif character == "\\":
            if at == len(name):
                raise ValueError("a backslash at the end")
            yield re.escape(name[at])
            at += 1
        else:
            yield {"*": "*", "?": "."}.get(character) or re.escape(character)


_NAMED: Final = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "blank": r" \t",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r" \t\n\r\f\v",
    "upper": "A-Z",
    "xdigit": "0-9a-fA-F",
}
_CLASS: Final = pattern(r"\[:([a-z]+):\]")
_ITEM: Final = pattern(r"\\?(.)(?:-(?!\])\\?(.))?", re.DOTALL)


def _bracket(name: str, at: int) -> tuple[str, int]:
    """(the regular expression of a set of characters, the place after it)."""
    negated = name[at : at + 1] in ("!", "^")
    at += negated
    items: list[str] = []
    start = at
    while at == start or name[at : at + 1] != "]":
        known = _CLASS.match(name, at)
        item = known or _ITEM.match(name, at)
        if item is None or (known and known[1] not in _NAMED):
            raise ValueError("a bracket that is not closed, or a class that is not known")
        at = item.end()
        items.append(_NAMED[known[1]] if known else _range(item[1], item[2] or item[1]))
    inner = "".join(items)
    if not inner:
        return ("." if negated else r"(?!)."), at + 1
    return f"[{'^' if negated else ''}{inner}]", at + 1


def _range(first: str, last: str) -> str:
    """A range of a set; one that runs backwards holds nothing."""
    return f"{re.escape(first)}-{re.escape(last)}" if first <= last else ""


def _match(segments: Segments, names: Sequence[str]) -> bool:
    """Whether segments match a whole path; a `**` is tried at the leftmost place and, where what
    follows it does not fit, one name further on."""
    at, name, star, resume = 0, 0, -1, 0
    while name < len(names):
        wanted = segments[at] if at < len(segments) else _NOTHING
        if wanted is None:
            star, resume = at, name
            at += 1
        elif wanted.match(names[name]):
            at, name = at + 1, name + 1
        elif star >= 0:
            resume += 1
            at, name = star + 1, resume
        else:
            return False
    return all(segment is None for segment in segments[at:])


_NOTHING: Final = pattern(r"(?!)")
