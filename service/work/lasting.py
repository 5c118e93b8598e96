"""What trained weights had to say of a text, for as long as its layers stay as they are.

The files of weights are read when nobody types. Until then a later text tells what was found with
them in the text before, of each layer that is written as it was and works on what it did.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from upconv.converters.ir.records import record
from upconv.linter.finding import Finding, Place

if TYPE_CHECKING:
    from upconv.converters.ir.model import Layer
    from upconv.linter.context import Context
    from upconv.service.work.looking import Look

_Layer: TypeAlias = "tuple[object, ...]"
"""What a layer is, wherever it stands."""


@record(frozen=True, slots=True)
class _Said:
    """A finding, the layer that it is of, and that layer's line; None where it is of the file."""

    finding: Finding
    layer: _Layer | None
    line: int


@record(frozen=True, slots=True)
class Lasting:
    """What weights add to the findings of a text, and which they take away."""

    added: tuple[_Said, ...]
    gone: tuple[_Said, ...]


def lasting(before: Look, deep: Look) -> Lasting:
    """What of a look with weights may last; `before` is the look at the same text without them."""
    known = {_words(one) for one in before.findings}
    found = {_words(one) for one in deep.findings}
    return Lasting(
        tuple(_said(before, one) for one in deep.findings if _words(one) not in known),
        tuple(_said(before, one) for one in before.findings if _words(one) not in found),
    )


def with_lasting(said: Lasting, now: Look) -> Look:
    """A look at a later text with what weights said that still holds. A fix is of its own text: it
    comes back with the next look at the weights."""
    gone = {_words(one) for one in _moved(said.gone, now)}
    found = [one for one in now.findings if _words(one) not in gone]
    found += _moved(said.added, now)
    found.sort(key=_place)
    return replace(now, report=replace(now.report, findings=tuple(found)))


def _words(finding: Finding) -> tuple[object, ...]:
    return finding.code, finding.layer, finding.message, finding.place


def _place(finding: Finding) -> tuple[int, int]:
    return (finding.place.line, finding.place.column) if finding.place else (0, 0)


def _said(look: Look, finding: Finding) -> _Said:
    layer = look.context.layers.get(finding.layer) if look.context is not None else None
    if look.context is None or layer is None:
        return _Said(finding, None, 0)
    return _Said(finding, _as_written(layer, look.context), _line(layer))


def _moved(said: tuple[_Said, ...], now: Look) -> Iterator[Finding]:
    """The findings whose layers are as they were, where these now stand."""
    context = now.context
    for one in said if context is not None else ():
        assert context is not None
        if one.layer is None:
            yield replace(one.finding, fix=None, place=None)
            continue
        layer = context.layers.get(one.finding.layer)
        if layer is not None and _as_written(layer, context) == one.layer:
            yield replace(one.finding, fix=None, place=_lower(one.finding, _line(layer) - one.line))


def _as_written(layer: Layer, context: Context) -> _Layer:
    span = layer.origin.span
    column = span.column if span is not None else 0
    shape = context.input_shape(layer)
    return span.text if span is not None else "", column, layer.operator, layer.inputs, shape


def _line(layer: Layer) -> int:
    return layer.origin.span.line if layer.origin.span is not None else 0


def _lower(finding: Finding, lines: int) -> Place | None:
    place = finding.place
    if place is None or not lines:
        return place
    return replace(place, line=place.line + lines, end_line=place.end_line + lines)
