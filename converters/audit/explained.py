"""Why a net fails at a size, in numbers that a reader can follow, and what loses the pixel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from upconv.converters.audit.blame import (
    Culprit,
    change,
    culprit,
    divided_text,
    fixed_text,
    mismatch,
    pixels,
    worst,
)
from upconv.converters.audit.formulas import Axis, formula
from upconv.converters.audit.input_sizes import AxisSizes, InputSizes
from upconv.converters.audit.one_letter import Failure
from upconv.converters.audit.size_sets import NONE
from upconv.converters.audit.ways import Step, ancestry, common_ancestor, steps
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, Symbol, evaluate, substitute
from upconv.converters.ir.errors import ShapeError
from upconv.converters.ir.inference import Inference, infer
from upconv.converters.ir.model import Layer, Model
from upconv.converters.ir.open_sizes import NO_SIZES
from upconv.converters.ir.records import record

TYPICAL: Final = 224
"""What the other axes are while one is looked at: their first size from here on that runs."""


@record(frozen=True, slots=True)
class Sized:
    """A model at one size of its inputs."""

    model: Model
    inference: Inference
    producers: Mapping[str, Layer]


@record(frozen=True, slots=True)
class FirstFailure:
    """The least size of one axis at which a layer is the first to fail, and why it does."""

    axis: str
    size: int
    failure: Failure
    layer: str
    reason: str


def sized(model: Model, sizes: Mapping[str, int]) -> Sized:
    """A model with numbers for these letters of its inputs."""

    def number(size: Size) -> Size:
        return substitute(
            size, lambda leaf: sizes.get(leaf.name) if isinstance(leaf, Symbol) else None
        )

    inputs = tuple(
        replace(one, shape=None if one.shape is None else tuple(map(number, one.shape)))
        for one in model.inputs
    )
    plain = replace(model, inputs=inputs)
    return Sized(plain, infer(plain), plain.producers())


def typical_sizes(found: InputSizes, near: Mapping[str, int] | None = None) -> dict[str, int]:
    """A size of each axis that runs, the nearest to `near` or to a usual one."""
    sizes: dict[str, int] = {}
    for axis in found.axes:
        wanted = (near or {}).get(axis.axis, TYPICAL if axis.axis not in NO_SIZES else 1)
        inside = axis.runs or axis.known
        sizes[axis.axis] = inside.above(wanted) or inside.below(wanted) or wanted
    return sizes


def first_failures(model: Model, found: InputSizes, axis: AxisSizes) -> Iterator[FirstFailure]:
    """Each layer that fails first at some size of an axis, at the least such size."""
    others = typical_sizes(found)
    for failure in axis.failures:
        at = sized(model, {**others, axis.axis: failure.first})
        layer = failure.condition.layer
        reason = reason_of(at, layer) or f"it needs {failure.condition}"
        yield FirstFailure(axis.axis, failure.first, failure, layer.name, reason)


@record(frozen=True, slots=True)
class Example:
    """A size at which a layer fails, and why in a few words."""

    size: int
    layer: Layer
    reason: str


def example_of(model: Model, found: InputSizes, axis: AxisSizes) -> Example | None:
    """A typical size that does not run: of a failure that comes again and again, where there is
    one."""
    failure = min(axis.failures, key=lambda one: one.sizes.is_finite, default=None)
    if failure is None:
        return None
    size, layer = _telling_size(failure), failure.condition.layer
    at = sized(model, {**typical_sizes(found), axis.axis: size})
    return Example(size, layer, _in_few_words(at, failure, axis.axis, size))


def _in_few_words(at: Sized, failure: Failure, letter: str, size: int) -> str:
    layer, relation = failure.condition.layer, failure.condition.any_of[0]
    differing = mismatch(at, layer)
    blamed = culprit(differing) if differing is not None else None
    told = f": {loss_text(blamed)}" if blamed is not None else ""
    if differing is not None and not isinstance(layer.operator, ops.Crop):
        left, right = differing.sizes
        return f"its inputs are {left} and {right}{told}"
    if relation.symbols != {letter} or len(failure.condition.any_of) > 1:
        return f"it needs {failure.condition}"
    off = evaluate(relation.difference, {letter: size})
    return f"its input is {pixels(off)} {'too small' if off < 0 else 'off'}{told}"


def reason_of(at: Sized, layer: Layer) -> str:
    """Why a layer fails at a size, with the arithmetic that leads to it; empty where it does not.

    An output without a pixel is reported as what makes it.
    """
    error = next((one for one in at.inference.errors if one.layer == layer.name), None)
    if error is not None and error.kind == "merge":
        differing = mismatch(at, layer)
        if differing is not None:
            return str(differing)
    told = _arithmetic(at, layer, error)
    message = error.message if error is not None else ""
    return ": ".join(part for part in (message, told) if part)


def _arithmetic(at: Sized, layer: Layer, error: ShapeError | None) -> str:
    """The formula of the first axis that has no pixel."""
    before = at.inference.shapes.get(layer.inputs[0]) if layer.inputs else None
    after = error.guess[0] if error is not None and error.guess else None
    after = after or at.inference.shapes.get(layer.outputs[0])
    if before is None or after is None or len(before) != len(after):
        return ""
    empty = (a for a, size in enumerate(after) if a > 1 and isinstance(size, int) and size < 1)
    axis = next(empty, None)
    return "" if axis is None else formula(layer, Axis(axis - 2, before[axis], after[axis]))


def lost_by(model: Model, found: InputSizes, axis: AxisSizes) -> Culprit | None:
    """The layer whose rounding makes sizes fail at a merge, or the output another size.

    Asked at the least size that fails behind the last layer that merely needs a larger input; of
    a net that runs everywhere, at the least one whose output is larger or smaller.
    """
    others = typical_sizes(found)
    for failure in sorted(axis.failures, key=lambda one: (one.sizes.is_finite, one.first)):
        at = sized(model, {**others, axis.axis: _telling_size(failure)})
        differing = mismatch(at, failure.condition.layer)
        blamed = culprit(differing) if differing is not None else None
        if blamed is not None:
            return blamed
    return _lost_at_the_end(model, found, axis)


def why_text(model: Model, found: InputSizes, axis: AxisSizes) -> str:
    """Why sizes have to divide by something, in a sentence: `'pool1', 'pool2' divide the size by 4,
    and the merges want back what is rounded there`, or `'up' makes 8 of every size`. Empty where no
    merge is the reason.
    """
    others, dividing = typical_sizes(found), dict[str, Step]()
    for failure in axis.failures:
        at = sized(model, {**others, axis.axis: _telling_size(failure)})
        differing = mismatch(at, failure.condition.layer)
        if differing is None:
            continue
        fixed = fixed_text(differing)
        if fixed:
            return fixed
        for step in max(differing.ways, key=len):
            if step.factor < 1:
                dividing[step.layer.outputs[0]] = step
    if not dividing:
        return ""
    at = sized(model, {})
    chain = max((ancestry(at, value) for value in dividing), key=len)
    kept = [dividing[value] for value in reversed(chain) if value in dividing]
    return divided_text(kept)


def _telling_size(failure: Failure) -> int:
    """A failing size that is large enough for every layer."""
    return failure.sizes.above(TYPICAL) or failure.first


def _lost_at_the_end(model: Model, found: InputSizes, axis: AxisSizes) -> Culprit | None:
    if axis.runs is None or axis.same_size is None:
        return None
    other_size = axis.runs & ~axis.same_size
    if NONE in (other_size, axis.same_size):
        return None
    size = other_size.above(TYPICAL) or other_size.above(1)
    assert size is not None
    at = sized(model, {**typical_sizes(found), axis.axis: size})
    for entry in model.inputs:
        for index, one in enumerate(entry.shape or ()):
            if str(one) == axis.axis and index > 1:
                return _worst_to_an_output(at, entry.name, index, size)
    return None


def _worst_to_an_output(at: Sized, entry: str, axis: int, size: int) -> Culprit | None:
    for value in at.model.outputs:
        shape = at.inference.shapes.get(value)
        if shape is None or axis >= len(shape) or common_ancestor(at, value, entry) != entry:
            continue
        after = shape[axis]
        if isinstance(after, int) and after != size:
            way: list[Step] = steps(at, value, entry, axis)
            return worst([(way, 1 if after > size else -1)])
    return None


def loss_text(blamed: Culprit) -> str:
    """`'pool3' rounded 37.5 up to 38`."""
    return f"'{blamed.step.layer.name}' {change(blamed.step)}"
