"""A part of a model: from values inside of it to others.

What a net ends with (a layer that only its fork has, a post-processing in Python) may not convert,
and what it begins with may be of no interest. Values are called as in the model: for Caffe the last
version of a blob has the blob's name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace

from upconv.converters.ir.errors import UsageError
from upconv.converters.ir.inference import infer
from upconv.converters.ir.model import Layer, Model, ModelInput, Shape
from upconv.converters.ir.records import record
from upconv.converters.passes.live import live
from upconv.converters.passes.rename import renamed


@record(frozen=True, slots=True)
class Cut:
    """The values that are to leave, those that are to come in, and shapes given for these.

    Without `outputs` the model's own leave, without `inputs` its own come in.
    """

    outputs: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    shapes: Mapping[str, Shape] = field(default_factory=dict)


def cut(model: Model, how: Cut) -> Model:
    """The part of the model between the values that are named.

    An input takes the shape it has in the whole model, where none is given. Values from inside
    come and go channels-first, as they are within.

    Raises UsageError for a value that the model does not have, and where an output does not
    depend on what comes in.
    """
    if not how.outputs and not how.inputs:
        return model
    _require_known(model, how)
    outputs = how.outputs or model.outputs
    entered = _entered(model, how)
    part = live(replace(entered, outputs=outputs, integer_outputs=_kept(model, outputs)))
    missing = [
        name for name in how.inputs if name not in {v for x in part.layers for v in x.inputs}
    ]
    if missing:
        raise UsageError(
            f"--inputs {missing[0]}: no output depends on it",
            hint=f"the outputs are {', '.join(outputs)}",
        )
    return part


def _kept(model: Model, outputs: Sequence[str]) -> frozenset[str]:
    return model.integer_outputs & frozenset(outputs)


def _require_known(model: Model, how: Cut) -> None:
    known = [v.name for v in model.inputs] + [v for layer in model.layers for v in layer.outputs]
    for option, names in (("--outputs", how.outputs), ("--inputs", how.inputs)):
        for name in names:
            if name not in known:
                raise UsageError(
                    f"{option} {name}: the model has no such value", hint=_near(name, known)
                )
        if len(set(names)) < len(names):
            raise UsageError(f"{option}: a value is named twice")


def _near(name: str, known: Sequence[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, known, n=3, cutoff=0.6)
    return f"did you mean {' or '.join(close)}?" if close else "see the tops of its layers"


def _entered(model: Model, how: Cut) -> Model:
    """The model with the values of `inputs` coming in from outside, whoever wrote them."""
    fresh = [name for name in how.inputs if name not in {entry.name for entry in model.inputs}]
    if not fresh:
        return model
    shapes = infer(model).shapes
    taken = {value for layer in model.layers for value in layer.outputs}
    old = {name: _unused(f"{name}/cut", taken) for name in fresh}
    producers = model.producers()
    inputs = [
        ModelInput(name, how.shapes.get(name, shapes[name]), producers[name].origin)
        for name in fresh
    ]
    layers = tuple(_hidden(layer, old) for layer in model.layers)
    return replace(model, inputs=(*model.inputs, *inputs), layers=layers)


def _hidden(layer: Layer, old: Mapping[str, str]) -> Layer:
    """The layer with another name for what comes in from outside now, where it writes it."""
    mine = {name: old[name] for name in layer.outputs if name in old}
    return renamed(layer, mine) if mine else layer


def _unused(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name


def frontier(model: Model, refused: set[str]) -> tuple[str, ...]:
    """The values before all layers that are refused, by their names, that are of use to others.

    Each is computed, depends on no such layer, and is read by one that does or leaves the model.
    Cut there, the model is as large as it can be without them.
    """
    tainted: set[str] = set()
    found: dict[str, None] = {}
    computed = {value for layer in model.layers for value in layer.outputs}
    for layer in model.layers:
        if layer.name in refused or tainted.intersection(layer.inputs):
            tainted.update(layer.outputs)
            found |= dict.fromkeys(v for v in layer.inputs if v not in tainted)
    found |= dict.fromkeys(value for value in model.outputs if value not in tainted)
    return tuple(value for value in found if value in computed)
