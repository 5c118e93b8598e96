"""Everything that an audit says of a model, in one record: sizes, why, where its pixels lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from upconv.converters.audit.at_sizes import running_sizes
from upconv.converters.audit.blame import Culprit
from upconv.converters.audit.conditions import Condition
from upconv.converters.audit.explained import (
    FirstFailure,
    first_failures,
    lost_by,
    sized,
    why_text,
)
from upconv.converters.audit.input_sizes import AxisSizes, InputSizes, input_sizes
from upconv.converters.audit.misaligned import (
    Judged,
    Misalignment,
    crop_misalignments,
    judged_merges,
)
from upconv.converters.audit.positions import Interpolation, Position, interpolations, positions
from upconv.converters.audit.readings import OtherReading, other_readings
from upconv.converters.ir.inference import infer
from upconv.converters.ir.model import Model, ModelInput
from upconv.converters.ir.places import Coordinates
from upconv.converters.ir.records import record
from upconv.converters.ir.shapes import Shape

MOST_EXPLAINED: Final = 40
"""Failures of a letter that are looked into: each infers the whole model at a size."""


@record(frozen=True, slots=True)
class AxisAudit:
    """One letter: its sizes, the layers that fail first, what loses the pixel, and why sizes have
    to divide by something ("" where they need not)."""

    sizes: AxisSizes
    failures: tuple[FirstFailure, ...]
    lost_by: Culprit | None
    why: str

    @property
    def letter(self) -> str:
        return self.sizes.axis


@record(frozen=True, slots=True)
class Audit:
    """A model that was read with letters for the sizes of its images.

    `plain` is the model as the file has it, and `kept` says why sizes in it could not be read as
    letters. `shapes` are formulas in the letters; `at` are usual sizes at which it runs,
    and `places` and what follows it are there, where sizes bear on them.
    """

    model: Model
    plain: Model
    kept: str
    shapes: Mapping[str, Shape | None]
    found: InputSizes
    axes: tuple[AxisAudit, ...]
    at: Mapping[str, int]
    numbers: Mapping[str, Shape | None]
    places: tuple[Position, ...]
    interpolated: tuple[Interpolation, ...]
    crops: tuple[Misalignment, ...]
    merges: tuple[Judged, ...]
    readings: tuple[OtherReading, ...]

    @property
    def written(self) -> tuple[ModelInput, ...]:
        """The inputs as the file has them."""
        return self.plain.inputs

    @property
    def refused(self) -> Condition | None:
        """What a model without an open size asks for in vain, None where it runs."""
        if self.axes:
            return None
        return next((one for one in self.found.conditions if not one.holds({})), None)

    @property
    def misaligned(self) -> tuple[Misalignment, ...]:
        """Crops and merges that are off, in the order of the layers."""
        off = {one.layer.name: one for one in self.crops}
        off |= {one.layer.name: one.off for one in self.merges if one.off is not None}
        return tuple(off[layer.name] for layer in self.model.layers if layer.name in off)

    @property
    def freed(self) -> tuple[tuple[ModelInput, ModelInput], ...]:
        """(as the file has it, as it was read) of each input whose numbers became letters."""
        pairs = zip(self.written, self.model.inputs, strict=True)
        return tuple(pair for pair in pairs if _numbers(pair[0]) > _numbers(pair[1]))


def _numbers(entry: ModelInput) -> int:
    return sum(isinstance(size, int) for size in entry.shape or ())


def _explained(model: Model, found: InputSizes, axis: AxisSizes) -> AxisAudit:
    """A letter with the reasons of its failures; of very many, of those that come again and again
    and of the first others."""
    telling = sorted(axis.failures, key=lambda one: one.sizes.is_finite)[:MOST_EXPLAINED]
    few = replace(axis, failures=tuple(one for one in axis.failures if one in telling))
    return AxisAudit(
        axis,
        tuple(first_failures(model, found, few)),
        lost_by(model, found, few),
        why_text(model, found, few),
    )


def _own_sizes(written: Sequence[ModelInput], model: Model) -> dict[str, int]:
    """Letter -> the number that stands for it in the file, where one does."""
    sizes = (
        (str(letter), size)
        for was, now in zip(written, model.inputs, strict=False)
        for size, letter in zip(was.shape or (), now.shape or (), strict=False)
    )
    return {letter: size for letter, size in sizes if isinstance(size, int)}


def audited(model: Model, plain: Model | None = None, kept: str = "") -> Audit:
    """What can be said of a model with letters for sizes.

    >>> from upconv.converters.ir.dims import symbol
    >>> from upconv.converters.ir.model import Layer
    >>> from upconv.converters.ir.operators import Pool
    >>> pool = Pool("max", (2,), (2,), (1,), (0,), (0,), "floor", "never", False)
    >>> net = Model("net", "", "caffe", (ModelInput("x", (1, 3, symbol("W"))),), ("y",),
    ...             (Layer("pool", pool, ("x",), ("y",)),))
    >>> [(one.letter, one.sizes.runs.rule("W")) for one in audited(net).axes]
    [('W', 'W >= 2')]
    """
    found = input_sizes(model)
    at = running_sizes(found, _own_sizes((plain or model).inputs, model))
    inference = sized(model, at).inference
    numbers = inference.shapes
    coordinates = Coordinates(model, numbers)
    axes = (_explained(model, found, axis) for axis in found.axes)
    return Audit(
        model,
        plain or model,
        kept,
        infer(model).shapes,
        found,
        tuple(axes),
        at,
        numbers,
        tuple(positions(model, numbers)),
        tuple(interpolations(model, numbers)),
        tuple(crop_misalignments(coordinates, numbers)),
        tuple(judged_merges(model, coordinates, numbers)),
        tuple(other_readings(model, inference, at)),
    )
