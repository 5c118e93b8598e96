"""The readings of a Resize that engines are known to have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer
from upconv.converters.ir.written import OnnxNode
from upconv.converters.reference.coordinates import (
    Indices,
    SourceCoordinates,
    source_coordinates,
)
from upconv.converters.reference.interpolation import KERNELS, Taps
from upconv.converters.reference.run import run_layer

Array = NDArray[np.float64]

CHOICES: Final[dict[str, tuple[Any, ...]]] = {
    "mode": ("nearest", "linear", "cubic"),
    "coordinate_mode": ("half_pixel", "asymmetric", "align_corners"),
    "nearest_mode": ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil"),
    "cubic_a": (-0.75, -0.5),
    "antialias": (False, True),
    "exclude_outside": (False, True),
}
WORDS: Final = {"coordinate_mode": "coordinates"}
_CUT_OFF: Final = "coordinates below 0 are rounded towards 0: the first pixels are one place off"
_NEAR_EDGE: Final = "pixels outside of the input are left out of the mean"
RELATIVE: Final = 2.0**-9
"""Of the largest value: what float16 and float32 round, and no other reading does."""


def readings(layer: Layer, node: OnnxNode, x: Array, got: Array, right: Array) -> Iterator[str]:
    """Each reading that gives what the engine computed, those with the fewest changes first."""
    op = layer.operator
    assert isinstance(op, ops.Resize)
    if got.shape == x.shape and np.array_equal(got, x):
        yield "nothing was resized"
        return
    if got.ndim != x.ndim or got.shape[:2] != x.shape[:2]:
        return
    sized = "" if got.shape == right.shape else f"the size is {_by(got)} and not {_by(right)}"
    for changes, changed in _changed(op, got):
        one_input = replace(layer, operator=changed, inputs=layer.inputs[:1])
        tries = [("", run_layer(one_input, (x,))[0])]
        if changed.mode == "cubic" and not changed.antialias and not changed.exclude_outside:
            tries.append((_CUT_OFF, _cut_off(changed, x)))
        for moved, made in tries:
            if same(got, made):
                told = [one for one in (sized, *changes, moved) if one]
                yield "; ".join(told or [_NEAR_EDGE if op.antialias else "another rounding"])


def right_but_for_ties(layer: Layer, x: Array, got: Array, right: Array) -> bool:
    """Whether nearest interpolation differs only where a coordinate that float32 cannot have falls
    between two pixels: there rounding decides, and either is right."""
    op = layer.operator
    assert isinstance(op, ops.Resize)
    if op.mode != "nearest" or got.shape != right.shape:
        return False
    agrees = got == right
    for signs in product((-1, 1), repeat=x.ndim - 2):
        made = x
        for axis, sign in enumerate(signs):
            made = made.take(
                _nudged(op, axis, x.shape[axis + 2], got.shape[axis + 2], sign), axis + 2
            )
        agrees |= got == made
    return bool(agrees.all())


def _nudged(op: ops.Resize, axis: int, size: int, out: int, sign: int) -> Indices:
    """The pixels of an axis, its coordinates a little off where float32 rounds them."""
    found = source_coordinates(size, out, op.coordinate_mode, scale_of(op, axis))
    exact = found.denominator & (found.denominator - 1) == 0
    nudge = 0 if exact else sign
    fine = 1 << 20
    moved = SourceCoordinates(
        tuple(n * fine + nudge * found.denominator for n in found.numerators),
        found.denominator * fine,
        found.share,
    )
    return np.clip(moved.nearest(op.nearest_mode), 0, size - 1)


def scale_of(op: ops.Resize, axis: int) -> float | None:
    """The factor of an axis; None where it is the ratio of the sizes."""
    if op.scale is not None:
        return op.scale[axis]
    return op.factor[axis] if op.factor is not None else None


def _cut_off(op: ops.Resize, x: Array) -> Array:
    """Cubic interpolation whose coordinates below 0 are rounded towards 0, but for their fraction:
    the taps of the first pixels lie one place off."""
    assert op.size is not None
    made = x
    for axis, (size, out) in enumerate(zip(x.shape[2:], op.size, strict=True)):
        assert isinstance(out, int)
        found = source_coordinates(size, out, op.coordinate_mode, scale_of(op, axis))
        offsets = np.arange(-1, 3)
        index = np.trunc(found.values()).astype(np.int64)[:, None] + offsets
        weight = KERNELS["cubic"].value(offsets - found.fractions()[:, None], op.cubic_a)
        made = Taps(np.clip(index, 0, size - 1), weight).apply(made, axis + 2)
    return made


def same(got: Array, made: Array) -> bool:
    """Whether two results differ by rounding at most."""
    if got.shape != made.shape:
        return False
    return bool((np.abs(got - made) <= RELATIVE * max(float(np.abs(made).max()), 1.0)).all())


def _by(values: Array) -> str:
    return "x".join(map(str, values.shape[2:]))


def _changed(op: ops.Resize, got: Array) -> Iterator[tuple[list[str], ops.Resize]]:
    """(what is read otherwise, the record of that), for the size that the engine gave."""
    size = tuple(got.shape[2:])
    scales = [("", op.scale)] + ([("a fractional scale is computed anew from the sizes", None)]
                                 if op.scale is not None else [])  # fmt: skip
    tries = []
    for values in product(*CHOICES.values()):
        chosen = dict(zip(CHOICES, values, strict=True))
        if _counts(chosen, op):
            names = [n for n, v in chosen.items() if v != getattr(op, n) and _speaks(n, chosen, op)]
            words = [_said(name, getattr(op, name), chosen[name]) for name in names]
            tries += [(words, chosen, scale) for scale in scales]
    for words, chosen, (rescaled, scale) in sorted(tries, key=lambda one: (len(one[0]), one[2][0])):
        record = replace(op, factor=None, size=size, scale=scale, **chosen)
        yield ([rescaled] if rescaled else []) + words, record


def _counts(chosen: dict[str, Any], op: ops.Resize) -> bool:
    """Whether the settings mean anything together, and no setting varies that does not count."""
    mode = chosen["mode"]
    if mode != "nearest" and chosen["nearest_mode"] != CHOICES["nearest_mode"][0]:
        return False
    if mode != "cubic" and chosen["cubic_a"] != CHOICES["cubic_a"][0]:
        return False
    if mode == "nearest" and (chosen["antialias"] or chosen["exclude_outside"]):
        return False
    return mode == op.mode or not (chosen["antialias"] or chosen["exclude_outside"])


def _speaks(name: str, chosen: dict[str, Any], op: ops.Resize) -> bool:
    own = {"nearest_mode": "nearest", "cubic_a": "cubic"}
    return name not in own or own[name] == chosen["mode"] == op.mode


def _said(name: str, meant: Any, read: Any) -> str:
    word = WORDS.get(name, name)
    if isinstance(meant, bool):
        return f"{word} is ignored" if meant else f"{word} is added"
    return f"{word} {meant} is read as {read}"
