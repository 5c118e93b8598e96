"""Crops and merges whose pixels do not lie at one place, and the offsets that would mend them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Final, Literal

from upconv.converters.ir import operators as ops
from upconv.converters.ir.alignment import AxisMap, Maps
from upconv.converters.ir.model import Layer, Model
from upconv.converters.ir.places import Coordinates, CropFit, drift
from upconv.converters.ir.records import record
from upconv.converters.ir.shapes import Shape, provably_differ

HALF: Final = Fraction(1, 2)
Shapes = Mapping[str, Shape | None]


@record(frozen=True, slots=True)
class Misalignment:
    """A layer whose inputs `value` and `reference` lie apart: pixel i of the reference lies at
    relative(i) of the value, one map for each axis of `axes` (0 is the first spatial one).

    `kind`: "offset" (whole offsets mend it), "negative" (only a negative one would), "fraction"
    (less than a pixel, which no whole offset mends), "merge" (one scale, another place) or "scale".
    `offsets`: what a Crop ought to have. `small`: nowhere a pixel or more.
    """

    layer: Layer
    value: str
    reference: str
    axes: tuple[int, ...]
    relative: Maps
    kind: Literal["offset", "negative", "fraction", "merge", "scale"]
    message: str
    help: str
    small: bool
    offsets: tuple[Fraction, ...] = ()


def crop_misalignments(coordinates: Coordinates, shapes: Shapes) -> Iterator[Misalignment]:
    """Every Crop that is off, with its right offset."""
    for fit in coordinates.crops:
        if not fit.same_scale:
            yield _other_scale(fit, shapes)
        elif any(fit.residuals):
            yield _misfit(fit)


def _misfit(fit: CropFit) -> Misalignment:
    """What is wrong with the offset of a Crop whose two inputs have one scale."""
    worst = max(map(abs, fit.residuals))
    value, reference = fit.layer.inputs[:2]
    right = tuple(one.shift for one in fit.relative)
    lies = f"pixel i of '{reference}' lies at i{signed(right)} of '{value}'"
    kind: Literal["offset", "negative", "fraction"] = "offset"
    if worst < 1:
        kind = "fraction"
        message = f"no whole offset aligns the crop: {lies}, {_gap(worst)} from offset "
        message += _list(fit.given)
        help_text = "give one branch another pad or kernel, or live with it"
    elif min(right) <= -1:
        kind = "negative"
        message = f"no offset aligns the crop: {lies}, and an offset cannot be negative"
        help_text = f"enlarge '{value}' (a smaller pad in its upsampling), or the pad before it"
    else:
        message = f"offset {_list(fit.given)} is off: {lies}, so it must be {_offsets(right)}"
        help_text = f"set offset: {_offsets(right)}"
    small = kind == "fraction"
    return Misalignment(
        fit.layer, value, reference, fit.axes, fit.relative, kind, message, help_text, small, right
    )


def _other_scale(fit: CropFit, shapes: Shapes) -> Misalignment:
    value, reference = fit.layer.inputs[:2]
    shape = shapes.get(reference)
    strayed = [
        drift(AxisMap(one.scale, one.shift - offset), shape[axis + 2] if shape else None)
        for one, offset, axis in zip(fit.relative, fit.given, fit.axes, strict=True)
    ]
    ratio = next(one.scale for one in fit.relative if one.scale != 1)
    message = f"no offset aligns the crop: a pixel of '{reference}' is {extent(ratio)} of '{value}'"
    help_text = "bring both to one scale first: check the strides on both branches"
    return Misalignment(
        fit.layer,
        value,
        reference,
        fit.axes,
        fit.relative,
        "scale",
        message,
        help_text,
        _small(strayed),
    )


@record(frozen=True, slots=True)
class Judged:
    """A merge: whether its inputs lie at one place, and how they do not. "unknown": an input of
    another size, or with another root, is not judged."""

    layer: Layer
    verdict: Literal["aligned", "off", "unknown"]
    off: Misalignment | None = None


def judged_merges(model: Model, coordinates: Coordinates, shapes: Shapes) -> Iterator[Judged]:
    """Every Eltwise and Concat of channels with several inputs that have pixels."""
    for layer in model.layers:
        op, first = layer.operator, shapes.get(layer.inputs[0]) if layer.inputs else None
        merges = isinstance(op, ops.Eltwise) or (isinstance(op, ops.Concat) and op.axis in (1, -3))
        if merges and len(set(layer.inputs)) > 1 and (first is None or len(first) > 2):
            yield _of_merge(layer, coordinates, shapes)


def merge_misalignments(
    model: Model, coordinates: Coordinates, shapes: Shapes
) -> Iterator[Misalignment]:
    """Every merge of which an input does not lie where the first one does."""
    for one in judged_merges(model, coordinates, shapes):
        if one.off is not None:
            yield one.off


def _of_merge(layer: Layer, coordinates: Coordinates, shapes: Shapes) -> Judged:
    first = layer.inputs[0]
    shape = shapes.get(first)
    verdict: Literal["aligned", "unknown"] = "aligned"
    for value in dict.fromkeys(layer.inputs[1:]):
        other = shapes.get(value)
        fits = shape is not None and other is not None
        if not fits or any(map(provably_differ, (shape or ())[2:], (other or ())[2:])):
            verdict = "unknown"
            continue
        maps = coordinates.relative(first, value)
        if maps is None:
            verdict = "unknown"
        elif any(one != AxisMap() for one in maps):
            assert shape is not None
            return Judged(layer, "off", _misplacement(layer, (first, value), maps, shape))
    return Judged(layer, verdict)


def _misplacement(layer: Layer, names: tuple[str, str], maps: Maps, shape: Shape) -> Misalignment:
    first, value = names
    strays = [drift(one, size) for one, size in zip(maps, shape[2:], strict=True)]
    scaled = next((one.scale for one in maps if one.scale != 1), None)
    kind: Literal["merge", "scale"] = "merge" if scaled is None else "scale"
    if scaled is None:
        message = f"the branches are misaligned: pixel i of '{value}' lies at "
        message += f"i{signed(tuple(one.shift for one in maps))} of '{first}'"
        help_text = "change a kernel or a pad on one branch, or crop it with the aligned offset"
    else:
        message = f"the branches have different scales: a pixel of '{value}' is "
        message += f"{extent(scaled)} of '{first}'"
        known = [pixels for pixels in strays if pixels is not None]
        message += f", {float(max(known)):.3g} pixels apart at the far end" if known else ""
        help_text = "check the strides and the resizing on both branches"
    axes = tuple(range(len(maps)))
    return Misalignment(layer, first, value, axes, maps, kind, message, help_text, _small(strays))


def _small(strays: list[Fraction | None]) -> bool:
    return all(pixels is not None and pixels < 1 for pixels in strays)


def _list(values: tuple[int, ...]) -> str:
    return str(values[0]) if len(set(values)) == 1 else ", ".join(map(str, values))


def signed(shifts: tuple[Fraction, ...]) -> str:
    """`+31`, or `+5, +4 (one an axis)`.

    >>> signed((Fraction(31), Fraction(31))), signed((Fraction(1, 2), Fraction(-4)))
    ('+31', '+1/2, -4 (one an axis)')
    """
    texts = [f"{'-' if shift < 0 else '+'}{abs(shift)}" for shift in shifts]
    return texts[0] if len(set(texts)) == 1 else f"{', '.join(texts)} (one an axis)"


def _gap(pixels: Fraction) -> str:
    return "half a pixel" if pixels == HALF else f"{pixels} of a pixel"


def _offsets(right: tuple[Fraction, ...]) -> str:
    """The right offsets as the file would give them; both neighbours of a half."""
    texts = [str(s) if s.denominator == 1 else _neighbours(s) for s in right]
    return texts[0] if len(set(texts)) == 1 else ", ".join(texts)


def _neighbours(shift: Fraction) -> str:
    low = shift.numerator // shift.denominator
    if shift - low == HALF:
        return f"{max(low, 0)} or {low + 1}"
    return str(max(round(shift), 0))


def extent(ratio: Fraction) -> str:
    """`2 pixels`, `1/2 pixel`.

    >>> extent(Fraction(2)), extent(Fraction(1, 2))
    ('2 pixels', '1/2 pixel')
    """
    number = str(ratio) if ratio.denominator < 100 else f"{float(ratio):.5g}"
    return f"{number} pixel{'' if ratio <= 1 else 's'}"
