"""The sizes that run, as a strip from 1 on: a rule that one sees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from upconv.converters.audit.size_sets import NONE, SizeSet
from upconv.service.reports.pictures.svg import picture, rect, text, words

WIDTH: Final = 960
BAND: Final = 26
TOP: Final = 6
LIMITS: Final = (256, 512, 1024, 2048)


def limit_of(runs: SizeSet) -> int:
    """How far a strip goes: until the rule has been seen several times."""
    late = max(runs.exceptions, default=0)
    wanted = max(runs.start + 6 * runs.modulus, late + late // 8)
    return next((limit for limit in LIMITS if limit >= wanted), LIMITS[-1])


def strip(letters: Sequence[str], runs: SizeSet, same: SizeSet | None) -> str:
    """The strip of letters with one rule, whose `same` sizes give an output as large."""
    limit = limit_of(runs)
    scale = WIDTH / limit
    body = [rect(0, TOP, WIDTH, BAND, "none", ' rx="3"')]
    inside = same or NONE
    for first, last in _stretches(runs & ~inside, limit):
        body.append(rect((first - 1) * scale, TOP, (last - first + 1) * scale, BAND, "runs"))
    for first, last in _stretches(inside, limit):
        body.append(rect((first - 1) * scale, TOP, (last - first + 1) * scale, BAND, "same"))
    for size in range(0, limit + 1, limit // 8):
        at = max(size, 1)
        anchor = "start" if size == 0 else "end" if size == limit else "middle"
        x = 0.0 if size == 0 else (at - 0.5) * scale
        body.append(text(x, TOP + BAND + 15, at, "dim", f' text-anchor="{anchor}"'))
    body += [_marker(letter, limit) for letter in letters]
    title = f"sizes of {letters[0]} from 1 to {limit}: {runs.rule(letters[0])} run"
    return picture(WIDTH, TOP + BAND + 20, title, "".join(body), fluid=True)


def _marker(letter: str, limit: int) -> str:
    """Where a page shows the size that was typed in; outside until it does."""
    data = f'data-letter="{words(letter)}" data-strip="{limit}"'
    return f'<line class="you" {data} x1="-9" x2="-9" y1="0" y2="{TOP + BAND + 3}"/>'


def _stretches(sizes: SizeSet, limit: int) -> Iterator[tuple[int, int]]:
    """The members up to a limit, in stretches without a gap."""
    first = sizes.above(1)
    while first is not None and first <= limit:
        gap = (~sizes).above(first)
        last = limit if gap is None else min(gap - 1, limit)
        yield first, last
        first = sizes.above(last + 1)
