"""An audit as JSON, by the schema in `schema/audit.schema.json`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from upconv.converters.audit.audited import Audit, AxisAudit
from upconv.converters.audit.conditions import Condition
from upconv.converters.audit.formulas import Axis, formula
from upconv.converters.audit.misaligned import Misalignment
from upconv.converters.audit.positions import Position
from upconv.converters.audit.size_sets import SizeSet
from upconv.converters.ir.alignment import Maps
from upconv.converters.ir.model import Layer, ModelInput
from upconv.converters.ir.shapes import Shape
from upconv.linter.reports.wording import json_text
from upconv.service.reports.result import AskedSizes, AuditResult, ModelComparison
from upconv.service.reports.words import verdict

SCHEMA_VERSION: Final = 1
SCHEMA_PATH: Final = Path(__file__).parent / "schema" / "audit.schema.json"


def audit_json(result: AuditResult) -> str:
    """The whole audit as one JSON object."""
    return json_text(audit_record(result))


def audit_record(result: AuditResult) -> dict[str, Any]:
    """The audit as plain dicts and lists."""
    audit = result.audit
    return {
        "schema_version": SCHEMA_VERSION,
        "model": audit.model.path or audit.model.name,
        "framework": audit.model.framework,
        "verdict": verdict(audit),
        "inputs": [
            _input(was, now) for was, now in zip(audit.written, audit.model.inputs, strict=True)
        ],
        "kept": audit.kept or None,
        "layers": _layers(audit),
        "sizes": [_axis(axis) for axis in audit.axes],
        "coupled": [_coupled(one) for one in audit.found.coupled],
        "first_failures": [
            {"axis": one.axis, "size": one.size, "layer": one.layer, "reason": one.reason}
            for axis in audit.axes
            for one in axis.failures
        ],
        "misaligned": [_misaligned(one) for one in audit.misaligned],
        "merges": [{"layer": m.layer.name, "verdict": m.verdict} for m in audit.merges],
        "engines": [str(one) for one in audit.readings],
        "at": dict(audit.at),
        "asked": [_asked(one) for one in result.sizes],
        "image": _image(result),
        "differences": None if result.comparison is None else _differences(result.comparison),
    }


def _input(written: ModelInput, read: ModelInput) -> dict[str, Any]:
    return {"name": read.name, "written": _shape(written.shape), "shape": _shape(read.shape)}


def _shape(shape: Shape | None) -> list[int | str] | None:
    if shape is None:
        return None
    return [size if isinstance(size, int) else str(size) for size in shape]


def _layers(audit: Audit) -> list[dict[str, Any]]:
    places = {one.value: one for one in audit.places}
    return [_layer(layer, audit, places) for layer in audit.model.layers]


def _layer(layer: Layer, audit: Audit, places: Mapping[str, Position]) -> dict[str, Any]:
    before = audit.shapes.get(layer.inputs[0]) if layer.inputs else None
    after = audit.shapes.get(layer.outputs[0]) if layer.outputs else None
    place = places.get(layer.outputs[0]) if layer.outputs else None
    return {
        "layer": layer.name,
        "operator": type(layer.operator).__name__,
        "formula": layer_formula(layer, before, after),
        "input_shape": _shape(before),
        "output_shape": _shape(after),
        "root": None if place is None else place.root,
        "scale": None if place is None else [str(one.scale) for one in place.maps],
        "shift": None if place is None else [str(one.shift) for one in place.maps],
    }


def layer_formula(layer: Layer, before: Shape | None, after: Shape | None) -> str:
    """How the layer makes its first spatial size, "" where it keeps it."""
    if before is None or after is None or len(before) != len(after) or len(after) < 3:
        return ""
    return "" if before[2] == after[2] else formula(layer, Axis(0, before[2], after[2]))


def _axis(axis: AxisAudit) -> dict[str, Any]:
    sizes = axis.sizes
    return {
        "axis": axis.letter,
        "runs": None if sizes.runs is None else _set(sizes.runs, axis.letter),
        "same_size": None if sizes.same_size is None else _set(sizes.same_size, axis.letter),
        "known": _set(sizes.known, axis.letter),
        "because": sizes.because or None,
        "lost_by": None if axis.lost_by is None else axis.lost_by.step.layer.name,
        "why": axis.why or None,
    }


def _set(sizes: SizeSet, letter: str) -> dict[str, Any]:
    return {
        "rule": sizes.rule(letter),
        "from": sizes.start,
        "modulus": sizes.modulus,
        "rests": list(sizes.rests),
        "exceptions": list(sizes.exceptions),
    }


def _coupled(condition: Condition) -> dict[str, Any]:
    return {
        "condition": str(condition),
        "axes": sorted(condition.symbols),
        "layer": condition.layer.name,
        "any_of": [
            {"kind": one.kind, "difference": str(one.difference)} for one in condition.any_of
        ],
    }


def _maps(maps: Maps) -> dict[str, list[str]]:
    return {"scale": [str(m.scale) for m in maps], "shift": [str(m.shift) for m in maps]}


def _misaligned(off: Misalignment) -> dict[str, Any]:
    return {
        "layer": off.layer.name,
        "kind": off.kind,
        "value": off.value,
        "reference": off.reference,
        "relative": _maps(off.relative),
        "message": off.message,
        "help": off.help,
        "offsets": [str(offset) for offset in off.offsets],
        "small": off.small,
    }


def _asked(asked: AskedSizes) -> dict[str, Any]:
    return {
        "axis": asked.letter,
        "first": asked.asked[0],
        "last": asked.asked[-1],
        "step": asked.asked.step,
        "running": list(asked.running),
    }


def _image(result: AuditResult) -> dict[str, Any] | None:
    at = result.at
    if at is None:
        return None
    return {
        "sizes": dict(at.sizes),
        "runs": at.runs,
        "layer": at.layer.name if at.layer is not None else None,
        "reason": at.reason or None,
        "outputs": {name: _shape(shape) for name, shape in at.outputs.items()},
        "changes": [
            {"kind": one.kind, "sizes": dict(one.sizes), "pixels": one.pixels, "share": one.share}
            for one in at.changes
        ],
    }


def _differences(comparison: ModelComparison) -> list[dict[str, Any]]:
    return [
        {
            "kind": one.kind,
            "left": one.left or None,
            "right": one.right or None,
            "message": one.message,
            "changes_numbers": one.changes_numbers,
        }
        for one in comparison.differences
    ]
