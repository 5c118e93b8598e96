"""The path of a net as a drawing: its lines do not cross, nor run behind boxes."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

import pytest

from tests.converters.audit.nets import HEAD, NETS, conv, deconv, merge, pool
from upconv.converters.readers.options import ReadOptions
from upconv.service.reports.pictures.net_drawing import _Places
from upconv.service.reports.pictures.net_path import HIGH, WIDE, Box, Edge, NetPath, net_path
from upconv.service.work.auditing import audit_model

Line = tuple[float, float, float, float]
"""x and y of both ends."""


def drawn(text: str, folder: Path) -> NetPath:
    path = folder / "net.prototxt"
    path.write_text(text, encoding="utf-8")
    return net_path(audit_model(str(path), ReadOptions()))


def lines(way: str) -> list[Line]:
    """The straight parts of the path of an edge."""
    found: list[Line] = []
    x = y = 0.0
    for kind, words in re.findall(r"([MHVq])([^MHVq]*)", way):
        numbers = [float(one) for one in re.findall(r"-?[\d.]+", words)]
        was = x, y
        match kind:
            case "M":
                x, y = numbers
            case "H":
                (x,) = numbers
            case "V":
                (y,) = numbers
            case "q":
                x, y = x + numbers[2], y + numbers[3]
        if kind in "HV":
            found.append((*was, x, y))
    return found


def cross(one: Line, other: Line) -> bool:
    """Whether a line from side to side and one from top to bottom cross."""
    for flat, steep in ((one, other), (other, one)):
        if flat[1] == flat[3] and steep[0] == steep[2]:
            wide, high = sorted((flat[0], flat[2])), sorted((steep[1], steep[3]))
            if wide[0] < steep[0] < wide[1] and high[0] < flat[1] < high[1]:
                return True
    return False


def behind(line: Line, box: Box) -> bool:
    """Whether a line runs through a box."""
    wide, high = sorted((line[0], line[2])), sorted((line[1], line[3]))
    inside = wide[0] < box.x + WIDE - 1 and wide[1] > box.x + 1
    return inside and high[0] < box.y + HIGH - 1 and high[1] > box.y + 1


def crossings(path: NetPath) -> list[tuple[str, ...]]:
    places = _Places(path)
    ways = {edge: lines(places.way(edge)) for edge in path.edges if not edge.reference}
    name = [box.name for box in path.boxes]

    def named(edge: Edge) -> str:
        return f"{name[edge.source]}-{name[edge.target]}"

    found: list[tuple[str, ...]] = []
    for (a, ours), (b, theirs) in combinations(ways.items(), 2):
        apart = a.source != b.source and a.target != b.target
        if apart and any(cross(one, other) for one in ours for other in theirs):
            found.append((named(a), named(b)))
    for edge, way in ways.items():
        for box in path.boxes:
            other = box.index not in (edge.source, edge.target)
            if other and any(behind(line, box) for line in way):
                found.append((named(edge), box.name))
    return found


@pytest.mark.parametrize("name", NETS)
def test_no_lines_cross(name: str, tmp_path: Path) -> None:
    assert crossings(drawn(NETS[name](), tmp_path)) == []


@pytest.mark.parametrize("deepest_first", [False, True])
def test_branches_from_every_stage(deepest_first: bool, tmp_path: Path) -> None:
    """Side outputs of six stages, whatever their order in the file."""
    text, current = HEAD, "data"
    for level in range(6):
        text += conv(f"stage{level}", current) + pool(f"pool{level}", f"stage{level}")
        current = f"pool{level}"
    sides = range(1, 7)
    for level in reversed(sides) if deepest_first else sides:
        factor = 2**level
        words = f"kernel_size: {factor} stride: {factor}"
        text += deconv(f"up{level}", f"pool{level - 1}", words)
    text += merge("fuse", " ".join(f"up{level}" for level in sides), "Concat")
    assert crossings(drawn(text, tmp_path)) == []
