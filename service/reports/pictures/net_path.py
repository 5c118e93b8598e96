"""The path of a net: what changes sizes and where branches meet, the rest drawn together.

Layers of one size in a row are one box. A merge joins a box where all that it merges comes from
there (a residual block); else it is a box of its own. Boxes stand in rows by how much smaller
their images are, so that an encoder goes down and a decoder up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from heapq import heapify, heappop, heappush
from math import log2
from typing import Final, Literal

from upconv.converters.audit.audited import Audit
from upconv.converters.ir import operators as ops
from upconv.converters.ir.alignment import carriers
from upconv.converters.ir.model import Layer
from upconv.converters.ir.records import record
from upconv.converters.ir.shapes import Shape

BoxKind = Literal["io", "down", "up", "merge", "odd"]
Tone = Literal["", "good", "warn", "bad"]
Badges = Mapping[str, tuple[str, Tone]]
"""Layer -> what stands at it, and whether that is good."""


MOST_BOXES: Final = 900
"""Boxes that are drawn."""

WIDE: Final = 94
HIGH: Final = 38
STAIR: Final = 36
"""How far right a box in another row stands of the one before it."""

GAP: Final = 15
ROW_GAP: Final = 30
CLEAR: Final = 84
"""How far right of another a branch starts, to stand clear of the way up to that one."""

SHIFT: Final = 80
"""How far a box is moved to the right before it stands below others."""

LEFT: Final = 40
"""Room for the names of the rows."""


@record(frozen=True, slots=True)
class Box:
    """Layers that are drawn together; `value` is the last image that they make, of `shape`. `badge`
    says how what is merged lies, `verdict` whether that is good."""

    index: int
    name: str
    kind: BoxKind
    layers: tuple[str, ...]
    value: str
    shape: Shape | None
    level: int
    badge: str = ""
    verdict: Tone = ""
    x: float = 0
    y: float = 0


@record(frozen=True, slots=True)
class Edge:
    """From one box to another; `reference`: only its size is read."""

    source: int
    target: int
    reference: bool


@record(frozen=True, slots=True)
class NetPath:
    """Boxes in their places, the edges, and the rows as (how much smaller, y)."""

    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]
    rows: tuple[tuple[str, float], ...]
    width: float
    height: float
    box_of: Mapping[str, int]


@dataclass(slots=True)
class _Growing:
    """A path under construction: which box each value is in."""

    boxes: list[Box] = field(default_factory=list)
    of_value: dict[str, int] = field(default_factory=dict)
    of_layer: dict[str, int] = field(default_factory=dict)
    edges: dict[tuple[int, int], bool] = field(default_factory=dict)


def net_path(audit: Audit) -> NetPath:
    """The path of an audited model."""
    found = _Growing()
    badges = _badges(audit)
    levels = _levels(audit)
    for entry in audit.model.inputs:
        box = Box(len(found.boxes), entry.name, "io", (), entry.name, entry.shape, 0)
        found.of_value[entry.name] = box.index
        found.boxes.append(box)
    for layer in audit.model.layers:
        _enter(layer, audit, found, levels, badges)
    _with_outputs(audit, found)
    return _placed(found)


def shortened(path: NetPath) -> NetPath:
    """No more than its first MOST_BOXES boxes."""
    boxes = path.boxes[:MOST_BOXES]
    edges = (edge for edge in path.edges if max(edge.source, edge.target) < len(boxes))
    width = max((box.x for box in boxes), default=0.0) + WIDE + 8
    return replace(path, boxes=boxes, edges=tuple(edges), width=width)


def _enter(
    layer: Layer,
    audit: Audit,
    found: _Growing,
    levels: Mapping[str, int],
    badges: Badges,
) -> None:
    """Add a layer to the box that all it reads is in, or give it a box of its own."""
    sources = {found.of_value[value] for value in layer.inputs if value in found.of_value}
    value = layer.outputs[0] if layer.outputs else ""
    after = audit.shapes.get(value)
    if len(sources) == 1:
        (index,) = sources
        box = found.boxes[index]
        if (box.layers or not _starts(layer)) and _keeps(box.shape, after):
            now = replace(box, layers=(*box.layers, layer.name))
            image = after is not None and len(after) == len(box.shape or ())
            found.boxes[index] = replace(now, value=value, shape=after) if image else now
            _note(layer, index, found)
            return
    nothing: tuple[str, Tone] = ("", "")
    badge, verdict = badges.get(layer.name, nothing)
    index, level = len(found.boxes), levels.get(value, 0)
    kind = _kind(layer, sources, found, level)
    names = (layer.name,)
    found.boxes.append(Box(index, layer.name, kind, names, value, after, level, badge, verdict))
    carried = set(carriers(layer))
    for value in layer.inputs:
        if value in found.of_value:
            pair = (found.of_value[value], index)
            found.edges[pair] = found.edges.get(pair, True) and value not in carried
    _note(layer, index, found)


def _keeps(image: Shape | None, after: Shape | None) -> bool:
    """Whether what is made has the image's size, or is only on its way to that: flat, or with its
    channels in groups."""
    if image is None or after is None:
        return image is after
    return len(image) != len(after) or image[2:] == after[2:]


def _starts(layer: Layer) -> bool:
    """Whether a layer behind an input has a box of its own: the net begins with it."""
    return isinstance(layer.operator, ops.Conv | ops.ConvTranspose | ops.Resize | ops.Pool)


def _note(layer: Layer, index: int, found: _Growing) -> None:
    found.of_layer[layer.name] = index
    found.of_value.update(dict.fromkeys(layer.outputs, index))


def _kind(layer: Layer, sources: set[int], found: _Growing, level: int) -> BoxKind:
    if isinstance(layer.operator, ops.Unknown):
        return "odd"
    if isinstance(layer.operator, ops.UPSAMPLING):
        return "up"
    if len(set(carriers(layer))) > 1:
        return "merge"
    if not sources:
        return "io"
    above = min(found.boxes[index].level for index in sources)
    return "merge" if len(sources) > 1 and level <= above else "down"


def _levels(audit: Audit) -> dict[str, int]:
    """Value -> how many times its image was halved, by its place, or else by its size."""
    entries = {entry.name for entry in audit.model.inputs}
    levels = {
        place.value: round(log2(float(place.maps[0].scale)))
        for place in audit.places
        if place.root in entries and place.maps and place.maps[0].scale > 0
    }
    whole = next((s for s in map(_pixels, _inputs(audit)) if s), 0)
    for value, shape in audit.numbers.items():
        if value not in levels:
            size = _pixels(shape)
            levels[value] = round(log2(whole / size)) if whole and size else 0
    for layer in audit.model.layers:
        merged = [value for value in carriers(layer) if value in levels]
        if len({audit.numbers.get(value) for value in merged}) == 1:
            levels.update(dict.fromkeys(merged, levels[merged[0]]))
    return levels


def _inputs(audit: Audit) -> list[Shape | None]:
    return [audit.numbers.get(entry.name) for entry in audit.model.inputs]


def _pixels(shape: Shape | None) -> int:
    """The first spatial size, 0 where there is none."""
    size = shape[2] if shape is not None and len(shape) > 2 else 0
    return size if isinstance(size, int) and size > 0 else 0


def _badges(audit: Audit) -> Badges:
    """What stands at a merge: by how much its branches lie apart."""
    found: dict[str, tuple[str, Tone]] = {
        one.layer.name: ("0 px", "good") for one in audit.merges if one.verdict == "aligned"
    }
    for off in audit.misaligned:
        scaled = any(one.scale != 1 for one in off.relative)
        shift = max((one.shift for one in off.relative), key=abs)
        told = "other scale" if scaled else f"{'+' if shift > 0 else '-'}{abs(shift)} px"
        if off.kind in ("offset", "negative") and off.offsets:
            told = f"should be {off.offsets[0]}"
        found[off.layer.name] = (told, "warn" if off.small else "bad")
    return found


def _with_outputs(audit: Audit, found: _Growing) -> None:
    """Mark what leaves the net."""
    for value in audit.model.outputs:
        index = found.of_value.get(value)
        if index is not None and found.boxes[index].kind not in ("up", "merge"):
            found.boxes[index] = replace(found.boxes[index], kind="io")


@dataclass(slots=True)
class _Lane:
    """Boxes in one line. `depth`: how much smaller the images are that the first of them is made
    of; `last`: the last of them, which ends at `end`; `climbed`: where the last one stands that
    comes up from another row."""

    depth: int
    end: float
    last: int
    climbed: float = 0


def _placed(found: _Growing) -> NetPath:
    """Each box right of what it reads, in the row of its level.

    A row has a lane for each branch that would stand over another. What goes on in a branch stays
    in its lane; a branch from further down starts further right and has a lane further down, so
    that the ways up to them do not cross.
    """
    before: dict[int, list[int]] = {}
    unread: dict[int, int] = {}
    for index, target in found.edges:
        before.setdefault(target, []).append(index)
        unread[index] = unread.get(index, 0) + 1
    xs: dict[int, float] = {}
    lane_of: dict[int, _Lane] = {}
    rows: dict[int, list[_Lane]] = {}
    for box in _upper_first(found, before):
        sources = [found.boxes[index] for index in before.get(box.index, ())]
        x = float(LEFT)
        for source in sources:
            step = WIDE + GAP if source.level == box.level else STAIR
            x = max(x, xs[source.index] + step)
            unread[source.index] -= 1
        depth = max([box.level, *(source.level for source in sources)])
        own = next((lane_of[s.index] for s in sources if s.level == box.level), None)
        lanes = rows.setdefault(box.level, [])
        lane = _lane(lanes, own, x, [one for one in lanes if unread.get(one.last)])
        if lane is None:
            ways = (one.climbed for one in lanes if one.climbed and one.depth <= depth)
            x = max([x, *(way + CLEAR for way in ways)])
            lane = _Lane(depth, x, box.index)
            lanes.append(lane)
        else:
            x = max(x, lane.end + GAP)
        lane.end, lane.last = x + WIDE, box.index
        lane.climbed = x if depth > box.level else lane.climbed
        xs[box.index], lane_of[box.index] = x, lane
    return _stacked(found, xs, lane_of, rows)


def _upper_first(found: _Growing, before: Mapping[int, Sequence[int]]) -> Iterator[Box]:
    """The boxes, each behind all that it reads, and of several the one whose images are largest."""
    behind: dict[int, list[int]] = {}
    waiting = {target: len(sources) for target, sources in before.items()}
    for source, target in found.edges:
        behind.setdefault(source, []).append(target)
    ready = [(box.level, box.index) for box in found.boxes if box.index not in waiting]
    heapify(ready)
    while ready:
        _, index = heappop(ready)
        yield found.boxes[index]
        for target in behind.get(index, ()):
            waiting[target] -= 1
            if not waiting[target]:
                heappush(ready, (found.boxes[target].level, target))


def _lane(
    lanes: Sequence[_Lane], own: _Lane | None, x: float, open_: Sequence[_Lane]
) -> _Lane | None:
    """The lane of what a box goes on from, or the first one with room, if no branch in another
    lane is still to be read: the way to it would cross that. None for a new one."""
    if own is not None and own.end + GAP <= x + SHIFT:
        return own
    free = (one for one in lanes if one.end + GAP <= x + SHIFT)
    return next((one for one in free if all(other is one for other in open_)), None)


def _stacked(
    found: _Growing,
    xs: Mapping[int, float],
    lane_of: Mapping[int, _Lane],
    rows: Mapping[int, list[_Lane]],
) -> NetPath:
    """Rows one below the other, each with its lanes, those of deeper branches further down."""
    tops: dict[int, float] = {}
    heights: dict[int, float] = {}
    y = 30.0
    for level in sorted(rows):
        tops[level] = y
        for lane in sorted(rows[level], key=lambda one: one.depth):
            heights[id(lane)] = y
            y += HIGH + ROW_GAP
    boxes = tuple(
        replace(box, x=xs[box.index], y=heights[id(lane_of[box.index])]) for box in found.boxes
    )
    edges = tuple(Edge(*pair, reference) for pair, reference in found.edges.items())
    named = tuple((_row(level), top) for level, top in tops.items())
    width = max((box.x for box in boxes), default=0.0) + WIDE + 8
    return NetPath(boxes, edges, named, width, y, found.of_layer)


def _row(level: int) -> str:
    """`1`, `1/8`, `x2`."""
    return "1" if level == 0 else f"1/{2**level}" if level > 0 else f"x{2**-level}"
