"""SVG as text: what every picture is made of, and the colours of all of them."""

from __future__ import annotations

from html import escape
from typing import Final

from upconv.service.reports.words import printable

PALETTE: Final = """\
:root{--paper:#fcfcfa;--card:#fff;--ink:#1d2329;--dim:#5d6770;--line:#d9dde0;--soft:#eef1f3;\
--accent:#2b6a99;--good:#24714f;--warn:#9a5a00;--bad:#ad322a}
@media (prefers-color-scheme:dark){:root{--paper:#14181b;--card:#1a1f23;--ink:#e4e7e9;\
--dim:#9ba5ad;--line:#303840;--soft:#22292e;--accent:#82b6de;--good:#6fc59c;--warn:#e3a95c;\
--bad:#f08d83}}
@media print{:root{--paper:#fff;--card:#fff;--ink:#111;--dim:#555;--line:#ccc;--soft:#f1f1f1;\
--accent:#2b6a99;--good:#24714f;--warn:#9a5a00;--bad:#ad322a}}
"""
"""The colours, light, dark and printed, as CSS variables."""

STYLE: Final = """\
svg.pic{display:block;font:11px ui-sans-serif,system-ui,sans-serif;overflow:visible}
svg.pic text{fill:var(--ink)}svg.pic .dim{fill:var(--dim)}
svg.pic .mono{font-family:ui-monospace,SFMono-Regular,Menlo,monospace}
svg.pic .box{fill:var(--card);stroke:var(--line)}
svg.pic .edge{fill:none;stroke:var(--dim)}
svg.pic .ref{stroke-dasharray:3 3;opacity:.55}svg.pic .rule{stroke:var(--line);fill:none}
svg.pic .runs{fill:var(--accent);opacity:.38}svg.pic .same{fill:var(--accent)}
svg.pic .none{fill:var(--soft)}svg.pic .you{stroke:var(--ink);stroke-width:1.5}
svg.pic .up{fill:var(--accent)}svg.pic .down{fill:var(--dim)}svg.pic .merge{fill:var(--good)}
svg.pic .io{fill:var(--ink)}svg.pic .odd{fill:var(--warn)}
svg.pic .good{fill:var(--good)}svg.pic .warn{fill:var(--warn)}svg.pic .bad{fill:var(--bad)}
svg.pic .fails text{fill:var(--bad);font-weight:600}
svg.pic .heat{fill:var(--accent)}svg.pic .cold{fill:var(--bad)}
svg.pic .plot{fill:none;stroke:var(--accent);stroke-width:1.5}
"""
"""What the classes of the pictures look like; it wants PALETTE."""


def words(text: object) -> str:
    """A file's words as SVG and HTML may hold them; control characters are shown as "?"."""
    return escape(printable(str(text)), quote=True)


def number(value: float) -> str:
    """A coordinate, as short as it may be.

    >>> number(3.0), number(2.25)
    ('3', '2.25')
    """
    return f"{value:.2f}".rstrip("0").rstrip(".") or "0"


def text(x: float, y: float, content: object, kind: str = "", more: str = "") -> str:
    """Words at a place; `kind` are their classes, `more` further attributes, which are ours."""
    classes = f' class="{kind}"' if kind else ""
    return f'<text x="{number(x)}" y="{number(y)}"{classes}{more}>{words(content)}</text>'


def rect(x: float, y: float, width: float, height: float, kind: str, more: str = "") -> str:
    """A rectangle."""
    place = f'x="{number(x)}" y="{number(y)}" width="{number(width)}" height="{number(height)}"'
    return f'<rect {place} class="{kind}"{more}/>'


def picture(
    width: float,
    height: float,
    title: str,
    body: str,
    *,
    fluid: bool = False,
    least: float = 1,
) -> str:
    """A picture of that size with a title for who cannot see it; `fluid`: as wide as its place, and
    with a `least` below 1 no smaller than that part of its size."""
    size = f'width="{number(width)}" height="{number(height)}"' if not fluid else 'width="100%"'
    if least < 1:
        size += f' style="max-width:100%;min-width:{number(least * width)}px;height:auto"'
    box = f'viewBox="0 0 {number(width)} {number(height)}"'
    return f'<svg class="pic" role="img" {size} {box} aria-label="{words(title)}">{body}</svg>'


def standalone(svg: str) -> str:
    """A picture as a file of its own, as docs have it."""
    opened = svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    head, sign, rest = opened.partition(">")
    return f"{head}{sign}<style>{PALETTE}{STYLE}</style>{rest}\n"
