"""What a net does at given sizes of its inputs: it runs, or a layer is the first that cannot."""

from __future__ import annotations

from collections.abc import Mapping

from upconv.converters.audit.explained import reason_of, sized, typical_sizes
from upconv.converters.audit.input_sizes import InputSizes
from upconv.converters.audit.neighbours import Change, accepts, changes
from upconv.converters.ir.model import Layer, Model
from upconv.converters.ir.records import record
from upconv.converters.ir.shapes import Shape


@record(frozen=True, slots=True)
class AtSizes:
    """A net at one size of each axis. `runs` is None where a layer that is not understood may ask
    for more; `layer` is the first that fails, and `reason` why; `outputs` are their shapes, None
    where it does not run; `changes` what would make the image fit."""

    sizes: Mapping[str, int]
    runs: bool | None
    layer: Layer | None
    reason: str
    outputs: Mapping[str, Shape | None]
    changes: tuple[Change, ...]


def at_sizes(model: Model, found: InputSizes, sizes: Mapping[str, int]) -> AtSizes:
    """A model, whose sizes were found, at these ones; axes that are not named have a usual size."""
    whole = running_sizes(found) | dict(sizes)
    runs = accepts(found, whole)
    if runs is not False:
        shapes = sized(model, whole).inference.shapes
        return AtSizes(
            whole, runs, None, "", {name: shapes.get(name) for name in model.outputs}, ()
        )
    layer, reason = _first_failing(model, found, whole)
    none: dict[str, Shape | None] = dict.fromkeys(model.outputs)
    return AtSizes(whole, False, layer, reason, none, tuple(changes(found, whole)))


def running_sizes(found: InputSizes, near: Mapping[str, int] | None = None) -> dict[str, int]:
    """A size of each axis at which the net runs, the nearest to `near` or to a usual one, all of
    them together where they are coupled."""
    usual = typical_sizes(found, near)
    if not found.coupled or accepts(found, usual) is not False:
        return usual
    nearest = next(changes(found, usual), None)
    return usual if nearest is None else dict(nearest.sizes)


def _first_failing(
    model: Model, found: InputSizes, sizes: Mapping[str, int]
) -> tuple[Layer | None, str]:
    failing = next((one for one in found.conditions if not one.holds(sizes)), None)
    if failing is None:
        return None, "no size of the other axes fits"
    reason = reason_of(sized(model, sizes), failing.layer)
    return failing.layer, reason or f"it needs {failing}"
