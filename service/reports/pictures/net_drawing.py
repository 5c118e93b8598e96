"""The path of a net as a drawing."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Final

from upconv.service.reports.pictures.net_path import HIGH, WIDE, Box, Edge, NetPath
from upconv.service.reports.pictures.svg import number, picture, text, words

LONGEST: Final = 14
"""Characters of a name in a box."""

ROUND: Final = 6

LISTED: Final = 8
"""Layers of a box that its title names."""

SMALLEST: Final = 0.72
"""How far the drawing shrinks to fit where it is shown, before it is scrolled."""

_FRAME: Final = f"h{WIDE - 8}q4 0 4 4v{HIGH - 8}q0 4-4 4h-{WIDE - 8}q-4 0-4-4v-{HIGH - 8}q0-4 4-4z"
"""The way around a box, from the end of its first corner."""


def drawing(path: NetPath, sizes: dict[int, str], marks: dict[int, str]) -> str:
    """Boxes with names and sizes, the edges behind them. `sizes`: what a box shows as its size;
    `marks`: attributes of that text, from which a page computes it anew."""
    body = [*_rows(path), _edges(path, reference=True), _edges(path, reference=False)]
    body += _frames(path)
    body += [_box(box, sizes.get(box.index, ""), marks.get(box.index, "")) for box in path.boxes]
    count = len(path.boxes)
    title = f"the path of the net in {count} boxes, smaller images further down"
    return picture(path.width, path.height, title, "".join(body), least=SMALLEST)


def _rows(path: NetPath) -> Iterator[str]:
    for name, y in path.rows:
        yield text(0, y + HIGH / 2 + 4, name, "dim mono")


def _frames(path: NetPath) -> Iterator[str]:
    """All boxes as one path, and all bars of a kind: thousands of elements are slow to open."""
    frames = "".join(f"M{number(box.x + 4)} {number(box.y)}{_FRAME}" for box in path.boxes)
    yield f'<path class="box" d="{frames}"/>'
    bars: dict[str, list[str]] = {}
    for box in path.boxes:
        bar = f"M{number(box.x)} {number(box.y + 1)}h3v{HIGH - 2}h-3z"
        bars.setdefault(box.kind, []).append(bar)
    for kind, ways in bars.items():
        yield f'<path class="{kind}" d="{"".join(ways)}"/>'


def _box(box: Box, size: str, mark: str) -> str:
    more = f" +{len(box.layers) - 1}" if len(box.layers) > 1 else ""
    room = LONGEST - len(more)
    name = box.name if len(box.name) <= room else f"{box.name[: room - 1]}…"
    shown = [
        _title(box, name),
        text(9, 15, f"{name}{more}"),
        text(9, 29, size, "dim mono", mark),
    ]
    if box.badge:
        shown.append(text(18, -4, box.badge, box.verdict))
    place = f"translate({number(box.x)} {number(box.y)})"
    return f'<g data-box="{box.index}" transform="{place}">{"".join(shown)}</g>'


def _title(box: Box, shown: str) -> str:
    """What is not shown of a box: its whole name, and the layers in it."""
    if shown == box.name and len(box.layers) < 2:
        return ""
    layers = ", ".join(box.layers[:LISTED]) + (" ..." if len(box.layers) > LISTED else "")
    return f"<title>{words(layers or box.name)}</title>"


def _edges(path: NetPath, reference: bool) -> str:
    """All edges of a kind as one path."""
    placed = _Places(path)
    ways = [placed.way(edge) for edge in path.edges if edge.reference is reference]
    kind = "edge ref" if reference else "edge"
    return f'<path class="{kind}" d="{"".join(ways)}"/>' if ways else ""


class _Places:
    """Which boxes stand in a line with others, so that edges can go around them."""

    def __init__(self, path: NetPath) -> None:
        self._boxes = path.boxes
        self._lines: dict[float, list[float]] = {}
        for box in path.boxes:
            self._lines.setdefault(box.y, []).append(box.x)
        for line in self._lines.values():
            line.sort()

    def way(self, edge: Edge) -> str:
        """The path of an edge."""
        a, b = self._boxes[edge.source], self._boxes[edge.target]
        line = self._lines[a.y]
        blocked = a.y == b.y and bisect_left(line, b.x) - bisect_right(line, a.x) > 0
        return _way(a, b, blocked)


def _way(a: Box, b: Box, blocked: bool) -> str:
    """Down and right, right and up, or straight on; over what stands between in one row."""
    if a.y == b.y:
        if not blocked:
            return f"M{number(a.x + WIDE)} {number(a.y + HIGH / 2)}H{number(b.x)}"
        top = a.y - 18
        return (
            f"M{number(a.x + WIDE - 12)} {number(a.y)}V{number(top + ROUND)}"
            f"q0 -{ROUND} {ROUND} -{ROUND}H{number(b.x + 12 - ROUND)}"
            f"q{ROUND} 0 {ROUND} {ROUND}V{number(b.y)}"
        )
    if a.y < b.y:
        x, y = a.x + 18, b.y + HIGH / 2
        if b.x <= x + ROUND:
            return f"M{number(b.x + 12)} {number(a.y + HIGH)}V{number(b.y)}"
        return (
            f"M{number(x)} {number(a.y + HIGH)}V{number(y - ROUND)}"
            f"q0 {ROUND} {ROUND} {ROUND}H{number(b.x)}"
        )
    x, y = b.x + WIDE - 18, a.y + HIGH / 2
    if x <= a.x + WIDE + ROUND:
        return f"M{number(x)} {number(a.y)}V{number(b.y + HIGH)}"
    return (
        f"M{number(a.x + WIDE)} {number(y)}H{number(x - ROUND)}"
        f"q{ROUND} 0 {ROUND} -{ROUND}V{number(b.y + HIGH)}"
    )
