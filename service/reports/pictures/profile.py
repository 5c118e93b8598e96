"""A row of numbers as steps: what an image of ones becomes from its border to its middle."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from typing import Final

from upconv.service.reports.pictures.svg import number, picture, text

WIDTH: Final = 200
HEIGHT: Final = 90
MOST: Final = 64


def profile(values: Sequence[float], title: str) -> str:
    """The first of the values as a line of steps, with the line at 1 that they ought to keep."""
    shown = [0.0 if isnan(value) else value for value in values[:MOST]]
    top = max(1.0, *shown) * 1.15
    low = min(0.0, *shown)
    step = WIDTH / len(shown)
    scale = (HEIGHT - 16) / (top - low)

    def y(value: float) -> str:
        return number(HEIGHT - 8 - (value - low) * scale)

    way = f"M0 {y(shown[0])}" + "".join(
        f"V{y(value)}H{number((n + 1) * step)}" for n, value in enumerate(shown)
    )
    body = f'<path class="rule" d="M0 {y(1)}H{WIDTH}" stroke-dasharray="3 3"/>'
    body += f'<path class="rule" d="M0 {y(0)}H{WIDTH}"/>'
    body += f'<path class="plot" d="{way}"/>'
    body += text(WIDTH, float(y(1)) - 3, "1", "dim", ' text-anchor="end"')
    return picture(WIDTH, HEIGHT, title, body)
