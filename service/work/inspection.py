"""What was found of a model: records, as JSON, and as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from upconv.converters.ir.records import record
from upconv.converters.ir.table import columns, shape_text

if TYPE_CHECKING:
    from upconv.converters.ir.dims import Size
    from upconv.converters.ir.model import Shape

Weights: TypeAlias = Literal["none", "stored", "missing"]
Stage: TypeAlias = Literal["conversion", "proof"]


@record(frozen=True, slots=True)
class Value:
    """A tensor: its name, and its sizes, formulas where they are open; None where unknown."""

    name: str
    shape: Shape | None


@record(frozen=True, slots=True)
class InspectedLayer:
    """One layer.

    `type` is the source's word for it. `parameters` counts its weights' numbers, `multiplications`
    the products of a convolution, an inner or a matrix product (None where sizes are unknown).
    `reason` says why it is not understood, "" where it is. `line` and `code` are where it is
    written, in the file and in the program that made the file.
    """

    layer: str
    operator: str
    type: str
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    parameters: int
    weights: Weights
    multiplications: Size | None
    reason: str
    line: int | None
    code: str


@record(frozen=True, slots=True)
class Block:
    """What keeps a model from being converted, or a conversion from being proven."""

    stage: Stage
    layer: str
    message: str
    hint: str


@record(frozen=True, slots=True)
class Totals:
    """Of the whole model. `multiplications` is None where those of some layer are not known;
    where sizes are open, `example` are letters with numbers, and `at_example` what it comes to."""

    layers: int
    parameters: int
    multiplications: Size | None
    example: Mapping[str, int]
    at_example: int | None


@record(frozen=True, slots=True)
class Inspection:
    """A model as it was read; shapes stand channels first, whatever the source has."""

    name: str
    path: str
    framework: str
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    layers: tuple[InspectedLayer, ...]
    totals: Totals
    blocks: tuple[Block, ...]

    @property
    def unknown(self) -> tuple[InspectedLayer, ...]:
        """The layers that are not understood."""
        return tuple(one for one in self.layers if one.operator == "Unknown")

    def as_json(self) -> dict[str, Any]:
        """The object that `upconv inspect --format json` prints."""
        return as_json(self)

    def __str__(self) -> str:
        return as_text(self)


_TITLES: Final = ("layer", "operator", "input", "output", "parameters", "multiplications", "at")
_LONGEST: Final = 60
"""Characters of a formula in the text; its value at an example stands for a longer one."""


def as_json(found: Inspection) -> dict[str, Any]:
    """The object, schema_version 1. Sizes that are open are formulas, as strings."""
    return {
        "schema_version": 1,
        "name": found.name,
        "path": found.path,
        "framework": found.framework,
        "inputs": _values(found.inputs),
        "outputs": _values(found.outputs),
        "layers": [_layer(one) for one in found.layers],
        "unknown": [
            {"layer": one.layer, "type": one.type, "reason": one.reason} for one in found.unknown
        ],
        "blocks": [asdict(block) for block in found.blocks],
        "totals": {
            "layers": found.totals.layers,
            "parameters": found.totals.parameters,
            "multiplications": _size(found.totals.multiplications),
            "example": dict(found.totals.example),
            "multiplications_of_example": found.totals.at_example,
        },
    }


def _layer(one: InspectedLayer) -> dict[str, Any]:
    return {
        "layer": one.layer,
        "operator": one.operator,
        "type": one.type,
        "inputs": _values(one.inputs),
        "outputs": _values(one.outputs),
        "parameters": one.parameters,
        "weights": one.weights,
        "multiplications": _size(one.multiplications),
        "line": one.line,
        "code": one.code,
    }


def _values(values: Iterable[Value]) -> list[dict[str, Any]]:
    return [
        {"name": one.name, "shape": None if one.shape is None else [_size(n) for n in one.shape]}
        for one in values
    ]


def _size(size: Size | None) -> int | str | None:
    return size if size is None or isinstance(size, int) else str(size)


def as_text(found: Inspection) -> str:
    """A table of the layers, with what goes in and comes out above and the sums below."""
    rows = [_TITLES, *(_row(one) for one in found.layers)]
    shown = [row[:-1] for row in rows] if not any(row[-1] for row in rows[1:]) else rows
    return "\n".join(
        [
            f"{found.path or found.name}: {found.framework or 'no framework'}",
            *(f"  in   {one.name}  {shape_text(one.shape)}" for one in found.inputs),
            *(f"  out  {one.name}  {shape_text(one.shape)}" for one in found.outputs),
            *columns(shown),
            *_endings(found),
        ]
    )


def _row(one: InspectedLayer) -> tuple[str, ...]:
    name = f"Unknown {one.type}" if one.operator == "Unknown" else one.operator
    lacks = " missing" if one.weights == "missing" else ""
    return (
        one.layer,
        name,
        ", ".join(shape_text(value.shape) for value in one.inputs),
        ", ".join(shape_text(value.shape) for value in one.outputs),
        f"{one.parameters:,}{lacks}" if one.weights != "none" else "",
        _number(one.multiplications) if one.multiplications != 0 else "",
        one.code or (f"line {one.line}" if one.line is not None else ""),
    )


def _number(size: Size | None) -> str:
    if size is None:
        return "?"
    return f"{size:,}" if isinstance(size, int) else str(size)


def _endings(found: Inspection) -> Iterator[str]:
    totals = found.totals
    plural = "" if totals.layers == 1 else "s"
    yield (
        f"{totals.layers} layer{plural}, {totals.parameters:,} parameters, "
        f"{_products(totals)} multiplications"
    )
    is_blocked = any(block.stage == "conversion" for block in found.blocks)
    fate = "blocks the conversion" if is_blocked else "is copied as it stands"
    for one in found.unknown:
        yield f"not understood, and {fate}: '{one.layer}' ({one.type}): {one.reason}"
    told = {one.layer for one in found.unknown}
    for block in (block for block in found.blocks if block.layer not in told):
        layer = f"layer '{block.layer}': " if block.layer else ""
        hint = f" ({block.hint})" if block.hint else ""
        yield f"blocks the {block.stage}: {layer}{block.message}{hint}"


def _products(totals: Totals) -> str:
    if totals.multiplications is None:
        return "an unknown number of"
    written = _number(totals.multiplications)
    if totals.at_example is None:
        return written
    letters = ", ".join(f"{letter} {n}" for letter, n in totals.example.items())
    value = f"{totals.at_example:,} (at {letters})"
    return value if len(written) > _LONGEST else f"{written} = {value}"
