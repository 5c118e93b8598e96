"""Graph inputs and outputs in the source's own layout and kind, around a channels-first inside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from upconv.converters.ir.model import Model
from upconv.converters.ir.records import record
from upconv.converters.passes.rename import renamed


@record(frozen=True, slots=True)
class Inside:
    """The model with channels-last inputs and outputs, and integer outputs, under inner names.

    `inner` maps their outer names, those of the ONNX file, to the inner, channels-first floats.
    """

    model: Model
    inner: Mapping[str, str]


def channels_first(model: Model) -> Inside:
    """Give every graph input and output that changes at the border an inner name, everywhere it is
    read."""
    names = {entry.name for entry in model.inputs}.union(*(la.outputs for la in model.layers))
    inner = {
        **{n: _inner_name(n, "float", names) for n in sorted(model.integer_outputs & names)},
        **{n: _inner_name(n, "channels_first", names) for n in sorted(model.channels_last & names)},
    }
    if not inner:
        return Inside(model, {})
    inputs = (replace(entry, name=inner.get(entry.name, entry.name)) for entry in model.inputs)
    within = replace(
        model,
        inputs=tuple(inputs),
        outputs=tuple(inner.get(name, name) for name in model.outputs),
        layers=tuple(renamed(layer, inner) for layer in model.layers),
    )
    return Inside(within, inner)


def _inner_name(name: str, what: str, taken: set[str]) -> str:
    chosen = f"{name}/{what}"
    while chosen in taken:
        chosen += "_"
    return chosen
