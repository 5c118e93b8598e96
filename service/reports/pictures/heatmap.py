"""A table of numbers as a picture: a kernel, an overlap, sums of phases."""

from __future__ import annotations

from itertools import groupby
from math import isnan
from typing import Any, Final

from upconv.service.reports.pictures.svg import number, picture

STEPS: Final = 8
"""Shades."""

MOST: Final = 48
"""Cells along an axis; larger tables are drawn by every n-th of their cells."""


def heatmap(values: Any, title: str, size: float = 120, most: float | None = None) -> str:
    """values (rows, columns), zero in the paper's colour, `most` (their largest magnitude) in full;
    negative ones in the colour of faults."""
    table = _thinned(values)
    top = float(abs(table).max()) if most is None else most
    rows, columns = table.shape
    cell = size / max(rows, columns)
    shades: dict[int, list[str]] = {}
    for y, row in enumerate(table.tolist()):
        at = 0
        for shade, cells in groupby(row, key=lambda value: _shade(value, top)):
            count = sum(1 for _ in cells)
            if shade:
                shades.setdefault(shade, []).append(f"M{at} {y}h{count}v1h-{count}z")
            at += count
    frame = (
        f'<rect class="rule" width="{columns}" height="{rows}" stroke-width="{number(1 / cell)}"/>'
    )
    paths = "".join(_path(shade, parts) for shade, parts in sorted(shades.items()))
    body = f'<g transform="scale({number(cell)})" shape-rendering="crispEdges">{paths}{frame}</g>'
    return picture(columns * cell, rows * cell, title, body)


def _path(shade: int, parts: list[str]) -> str:
    kind = "heat" if shade > 0 else "cold"
    return f'<path class="{kind}" opacity="{number(abs(shade) / STEPS)}" d="{"".join(parts)}"/>'


def _shade(value: float, top: float) -> int:
    """-STEPS to STEPS; only zero, and what is next to it, is 0."""
    if top <= 0 or isnan(value):
        return 0
    share = min(abs(value) / top, 1.0)
    shade = max(round(share * STEPS), 1 if share > 0.01 else 0)
    return shade if value > 0 else -shade


def _thinned(values: Any) -> Any:
    step = max(-(-max(values.shape) // MOST), 1)
    return values[::step, ::step]
