"""Pixels that are repeated: each way to write it as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import product
from typing import Final, Literal, TypeAlias

from upconv.converters.audit.comparison.rewriting import Change, Net
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import is_constant
from upconv.converters.ir.model import Layer
from upconv.converters.ir.nearest import line_of, simple_fraction
from upconv.converters.ir.shapes import Shape


def repeated(net: Net, layer: Layer) -> Change | None:
    """Pixels repeated a whole number of times: each way to say so as one."""
    op = layer.operator
    if isinstance(op, ops.WindowUnpool) and op.kind == "tile" and op.kernel == op.stride:
        x, y = net.shape(layer.inputs[0]), net.shape(layer.outputs[0])
        whole = x is not None and y is not None and not any(op.pads_begin)
        if whole and all(b == a * f for a, b, f in zip(x[2:], y[2:], op.stride, strict=True)):  # type: ignore[index]
            plain = ops.Resize("nearest", "asymmetric", factor=op.stride)
            return Change(replace(layer, operator=plain, inputs=layer.inputs[:1]))
    if not isinstance(op, ops.Resize) or op.mode != "nearest" or op.factor is None:
        return None
    plain = ops.Resize("nearest", "asymmetric", factor=op.factor)
    return Change(replace(layer, operator=plain)) if op != plain and _repeats(op) else None


def _repeats(op: ops.Resize) -> bool:
    """Whether output i of a nearest Resize by whole factors is input q = floor(i / factor).

    i / f lies from q to q + (f-1)/f: floored it is q, and rounded with ties down where f is 2 at
    most. (i + 1/2)/f - 1/2 lies within less than 1/2 of q, and is rounded to q.
    """
    where, rounding = op.coordinate_mode, op.nearest_mode
    if op.scale is not None:
        return False
    if where == "half_pixel":
        return rounding in ("round_prefer_floor", "round_prefer_ceil")
    small = max(op.factor or (0,)) <= 2
    return where == "asymmetric" and (
        rounding == "floor" or (rounding == "round_prefer_floor" and small)
    )


Pixels: TypeAlias = tuple[int, ...]
"""Which pixels of an axis the pixels of a result are."""

MOST_PIXELS: Final = 1 << 13
"""Of an axis that is looked at pixel by pixel."""

Words: TypeAlias = tuple[
    Literal["half_pixel", "asymmetric", "align_corners"],
    Literal["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"],
]
COORDINATES: Final[tuple[Literal["asymmetric", "half_pixel", "align_corners"], ...]] = (
    *("asymmetric", "half_pixel", "align_corners"),
)
ROUNDINGS: Final[
    tuple[Literal["floor", "round_prefer_floor", "round_prefer_ceil", "ceil"], ...]
] = ("floor", "round_prefer_floor", "round_prefer_ceil", "ceil")
WORDS: Final[tuple[Words, ...]] = tuple(product(COORDINATES, ROUNDINGS))
"""(coordinates, rounding) of an interpolation to the nearest, in the order in which they are
tried."""


def nearest(net: Net, layer: Layer) -> Change | None:
    """An interpolation to the nearest pixel from one known size to another, or what takes the
    pixels that one takes, by the first words that say so."""
    shapes = net.counted(layer)
    if shapes is None or len(shapes[0]) < 3:
        return None
    x, y = shapes
    taken = _taken(layer.operator, x, y)
    op = _first_words(taken, x, y) if taken is not None else None
    if op is None or op == layer.operator:
        return None
    return Change(replace(layer, operator=op, inputs=layer.inputs[:1]))


def nearest_of_nearest(net: Net, layer: Layer) -> Change | None:
    """Two interpolations to the nearest along different axes as one."""
    first, y = net.before(layer), net.shape(layer.outputs[0]) if layer.outputs else None
    x = net.shape(first.inputs[0]) if first is not None and first.inputs else None
    between = net.shape(layer.inputs[0]) if layer.inputs else None
    if first is None or x is None or between is None or y is None:
        return None
    if not is_constant(*x[2:], *between[2:], *y[2:]) or len(x) < 3:
        return None
    if not isinstance(first.operator, ops.Resize) or not isinstance(layer.operator, ops.Resize):
        return None
    ours, theirs = _taken(first.operator, x, between), _taken(layer.operator, between, y)
    if ours is None or theirs is None:
        return None
    both = [tuple(one[at] for at in two) for one, two in zip(ours, theirs, strict=True)]
    op = _first_words(both, x, y)
    return Change(replace(layer, operator=op, inputs=first.inputs[:1]), first) if op else None


def _taken(op: ops.Operator, x: Shape, y: Shape) -> list[Pixels] | None:
    """The pixels of each axis, None for what does anything else."""
    sizes = [(int(str(a)), int(str(b))) for a, b in zip(x[2:], y[2:], strict=False)]
    if any(after > MOST_PIXELS for _, after in sizes):
        return None
    if isinstance(op, ops.Gather) and op.indices is not None and op.axis >= 2:
        found = [tuple(range(before)) for before, _ in sizes]
        found[op.axis - 2] = op.indices
        return found
    if not isinstance(op, ops.Resize) or op.mode != "nearest":
        return None
    scales = op.scale or (None,) * len(sizes)
    words = op.coordinate_mode, op.nearest_mode
    return [
        _pixels(words, *pair, Fraction(*pair) if scale is None else 1 / simple_fraction(scale))
        for pair, scale in zip(sizes, scales, strict=True)
    ]


def _pixels(words: Words, before: int, after: int, step: Fraction) -> Pixels:
    line = line_of(words[0], step, before, after)
    return tuple(min(max(line.rounded(words[1], i), 0), before - 1) for i in range(after))


def _first_words(taken: Sequence[Pixels], x: Shape, y: Shape) -> ops.Resize | None:
    sizes = [(int(str(a)), int(str(b))) for a, b in zip(x[2:], y[2:], strict=True)]
    for words in WORDS:
        made = (_pixels(words, *pair, Fraction(*pair)) for pair in sizes)
        if all(one == other for one, other in zip(taken, made, strict=True)):
            coordinates, rounding = words
            return ops.Resize("nearest", coordinates, tuple(y[2:]), nearest_mode=rounding)
    return None
