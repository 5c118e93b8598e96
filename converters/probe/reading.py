"""What an engine's outputs say of how it read a probe."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir import operators as ops
from upconv.converters.ir.errors import UpconvError
from upconv.converters.ir.model import Layer, Model
from upconv.converters.ir.records import record
from upconv.converters.ir.written import OnnxNode
from upconv.converters.probe import resized, transposed, unrecorded
from upconv.converters.probe.making import ASKED
from upconv.converters.reference.run import run_layer

Array = NDArray[np.float64]
Verdict = Literal["exact", "other reading", "unexplained", "not seen", "not judged"]
Readings = Callable[[Layer, OnnxNode, Array, Array, Array], Iterator[str]]

READINGS: Final[Mapping[type, Readings]] = {
    ops.ConvTranspose: transposed.readings,
    ops.Resize: resized.readings,
}
UNSEEN: Final = ("not seen", "not judged")
MOST: Final = 3
"""Readings that are told of one layer: more than one may give the same numbers."""


@record(frozen=True, slots=True)
class LayerReading:
    """How an engine read a layer: `readings` explain what it computed, the likeliest first.

    `whole`: it was compared to the bit, its true values being whole numbers that float16 has.
    """

    layer: str
    operator: str
    verdict: Verdict
    readings: tuple[str, ...] = ()
    whole: bool = True
    share: float = 0.0


def read(model: Model, runs: Sequence[Mapping[str, Array]]) -> list[LayerReading]:
    """Every upsampling layer of a probe's model, from values that an engine was given and computed:
    name of a tensor -> its values, a mapping for each run. A layer is judged on the input that the
    engine itself had, so that faults do not pile up."""
    found = []
    for node, layers in _nodes(model):
        by_run = [_judged(node, layers, values) for values in runs]
        found.append(_together([one for one in by_run if one.verdict not in UNSEEN] or by_run))
    return found


def _nodes(model: Model) -> list[tuple[OnnxNode, list[Layer]]]:
    grouped: dict[int, tuple[OnnxNode, list[Layer]]] = {}
    for layer in model.layers:
        node = layer.origin.written.node
        if node is not None and node.operator in ASKED:
            grouped.setdefault(id(node), (node, []))[1].append(layer)
    return list(grouped.values())


def _together(by_run: Sequence[LayerReading]) -> LayerReading:
    """One verdict of all runs: the readings that hold in each that is not exact."""
    wrong = [one for one in by_run if one.verdict != "exact"]
    if not wrong:
        return by_run[0]
    shared = [r for r in wrong[0].readings if all(r in one.readings for one in wrong)]
    worst = max(wrong, key=lambda one: one.share)
    if worst.verdict in UNSEEN:
        return worst
    verdict: Verdict = "other reading" if shared else "unexplained"
    told = tuple(dict.fromkeys(shared))[:MOST]
    return replace(worst, verdict=verdict, readings=told)


def _judged(node: OnnxNode, layers: Sequence[Layer], values: Mapping[str, Array]) -> LayerReading:
    name, last = layers[-1].name, layers[-1]
    got = values.get(node.outputs[0])
    inputs = {value: values[value] for value in _read(layers) if value in values}
    if got is None or len(inputs) < len(_read(layers)):
        return LayerReading(name, node.operator, "not seen")
    x = inputs[layers[0].inputs[0]] if inputs else got
    meant = _meant(node, layers, inputs, x, values)
    if meant is None:
        return LayerReading(name, node.operator, "not judged")
    last, right = meant.layer, meant.meanings[0].right
    whole = bool((right == np.round(right)).all() and np.abs(right).max(initial=0) <= 2.0**11)
    mixes = isinstance(last.operator, ops.Resize) and last.operator.mode != "nearest"
    whole = whole and np.array_equal(got, right)
    if np.array_equal(got, right) or (mixes and resized.same(got, right)):
        return LayerReading(name, node.operator, "exact", meant.open(), whole)
    alone = len(layers) == 1 and isinstance(last.operator, ops.Resize)
    if alone and resized.right_but_for_ties(last, x, got, right):
        return LayerReading(name, node.operator, "exact", (), False)
    share = float((got != right).mean()) if got.shape == right.shape else 1.0
    explain = READINGS.get(type(last.operator))
    others = explain(last, node, x, got, right) if explain else iter(())
    told = tuple(islice(chain(_other_meanings(meant, got), others), MAX_TOLD))
    return LayerReading(name, node.operator, "other reading" if told else "unexplained", told,
                        whole, share)  # fmt: skip


def _meant(
    node: OnnxNode,
    layers: Sequence[Layer],
    inputs: Mapping[str, Any],
    x: Array,
    values: Mapping[str, Array],
) -> unrecorded.Meant | None:
    """The layer whose readings are to be tried, with what it means; None where nobody says."""
    layer = layers[-1]
    if isinstance(layer.operator, ops.Unknown):
        if node.operator == "Resize":
            return unrecorded.resize(node, layer, x, values)
        found = node.operator == "ConvTranspose" and unrecorded.conv_transpose(
            node, layer, x, values
        )
        if not found:
            return None
        layers, layer = (found,), found
    try:
        right = _right(layers, inputs)
    except UpconvError:
        return None
    return unrecorded.Meant(layer, (unrecorded.Meaning("", right),))


def _other_meanings(found: unrecorded.Meant, got: Array) -> Iterator[str]:
    for meaning in found.meanings[1:]:
        if resized.same(got, meaning.right):
            yield meaning.words


MAX_TOLD: Final = 32


def _read(layers: Sequence[Layer]) -> list[str]:
    """The values that come from outside of the node's layers."""
    made = {value for layer in layers for value in layer.outputs}
    return list(dict.fromkeys(v for layer in layers for v in layer.inputs if v not in made))


def _right(layers: Sequence[Layer], inputs: Mapping[str, Any]) -> Array:
    """What the node means, in float64."""
    known = dict(inputs)
    for layer in layers:
        results = run_layer(layer, [known[value] for value in layer.inputs])
        known.update(zip(layer.outputs, results, strict=True))
    return np.asarray(known[layers[-1].outputs[0]], np.float64)
