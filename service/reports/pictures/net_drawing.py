"""The path of a net as a drawing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from upconv.service.reports.pictures.net_path import HIGH, WIDE, Box, Edge, NetPath
from upconv.service.reports.pictures.svg import number, picture, rect, text, words

LONGEST: Final = 14
"""Characters of a name in a box."""

ROUND: Final = 6


def drawing(path: NetPath, sizes: dict[int, str], marks: dict[int, str]) -> str:
    """Boxes with names and sizes, the edges behind them. `sizes`: what a box shows as its size;
    `marks`: attributes of that text, from which a page computes it anew."""
    body = [*_rows(path)]
    body += [_edge(edge, path) for edge in path.edges]
    body += [_box(box, sizes.get(box.index, ""), marks.get(box.index, "")) for box in path.boxes]
    count = len(path.boxes)
    title = f"the path of the net in {count} boxes, smaller images further down"
    return picture(path.width, path.height, title, "".join(body))


def _rows(path: NetPath) -> Iterator[str]:
    for name, y in path.rows:
        yield text(0, y + HIGH / 2 + 4, name, "dim mono")


def _box(box: Box, size: str, mark: str) -> str:
    more = f" +{len(box.layers) - 1}" if len(box.layers) > 1 else ""
    room = LONGEST - len(more)
    name = box.name if len(box.name) <= room else f"{box.name[: room - 1]}…"
    shown = [
        f"<title>{words(_title(box))}</title>",
        rect(0, 0, WIDE, HIGH, "box", ' rx="4"'),
        rect(0, 0, 3, HIGH, box.kind, ' rx="1.5"'),
        text(9, 15, f"{name}{more}"),
        text(9, 29, size, "dim mono", mark),
    ]
    if box.badge:
        shown.append(text(WIDE, -4, box.badge, box.verdict, ' text-anchor="end"'))
    place = f"translate({number(box.x)} {number(box.y)})"
    return f'<g data-box="{box.index}" transform="{place}">{"".join(shown)}</g>'


def _title(box: Box) -> str:
    shape = "x".join(map(str, box.shape)) if box.shape is not None else "of unknown shape"
    layers = ", ".join(box.layers[:8]) + (" ..." if len(box.layers) > 8 else "")
    return f"{box.name} ({layers}) {shape}" if layers else f"{box.name} {shape}"


def _edge(edge: Edge, path: NetPath) -> str:
    a, b = path.boxes[edge.source], path.boxes[edge.target]
    kind = "edge ref" if edge.reference else "edge"
    return f'<path class="{kind}" d="{_way(a, b, path)}"/>'


def _way(a: Box, b: Box, path: NetPath) -> str:
    """Down and right, right and up, or straight on; over what stands between in one row."""
    if a.y == b.y:
        if not any(a.x < c.x < b.x and c.y == a.y for c in path.boxes):
            return f"M{number(a.x + WIDE)} {number(a.y + HIGH / 2)}H{number(b.x)}"
        top = a.y - 13
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
