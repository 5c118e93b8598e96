"""The first half of a proof: each layer against its reference, on what onnxruntime fed it.

A layer is certified on the activations that onnxruntime itself computed before it, so errors do
not pile up and a wrong layer is named. The reference of the whole network is carried along: of a
convolution one evaluation serves all runs that were fed something near, and the end to end.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir.errors import ShapeError
from upconv.converters.ir.model import Layer, Model
from upconv.converters.ir.operators import Conv, Identity, Unknown
from upconv.converters.proof.certificates import EXACT
from upconv.converters.proof.choices import index_outputs
from upconv.converters.proof.comparing import compare_layer, compare_near, permitted, uncertified
from upconv.converters.proof.end_to_end import (
    Array,
    in_source_layout,
    optimizations,
    same_bits,
)
from upconv.converters.proof.pace import Pace, known_shapes, layer_costs
from upconv.converters.proof.pieces import Pieces, pieces_of, value_sizes
from upconv.converters.proof.plan import FULL, Plan
from upconv.converters.proof.report import LayerCertificate, worse_layer
from upconv.converters.proof.runtime import OnnxFile
from upconv.converters.reference import run_layer, widened
from upconv.converters.reference.by_channels import results_of
from upconv.converters.reference.run import Evaluation


@dataclass(frozen=True, slots=True)
class Certified:
    """Of one stimulus the worst certificate of every layer that is understood; output -> what the
    run without optimizations computed, as the file has it, and the same of the reference of the
    whole network, channels first, where it was carried along."""

    layers: dict[str, LayerCertificate] = field(default_factory=dict)
    computed: dict[str, NDArray[Any]] = field(default_factory=dict)
    exact: dict[str, Array] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LayerProof:
    """Certifies layers on one stimulus after the other; see `of`."""

    model: Model
    names: Mapping[str, str]
    file: OnnxFile
    pieces: Pieces
    costs: Mapping[str, float]
    pace: Pace
    plan: Plan
    carried: bool

    @classmethod
    def of(
        cls,
        model: Model,
        file: OnnxFile,
        names: Mapping[str, str],
        shapes: Mapping[str, tuple[int, ...]],
        pace: Pace,
        plan: Plan = FULL,
        carried: bool = False,
    ) -> LayerProof:
        """`names` are the values' names in the ONNX file, `shapes` those of inputs, which may
        change. With `carried` the reference of the whole network is evaluated as well."""
        wanted = set(names.values()) - {entry.name for entry in model.inputs}
        known = known_shapes(model, shapes)
        pieces = pieces_of(file, wanted, value_sizes(known, names))
        return cls(model, names, file, pieces, layer_costs(model, known), pace, plan, carried)

    def certify(self, stimulus: str, feeds: Mapping[str, NDArray[Any]]) -> Certified:
        """The worst certificate of every layer over optimizations off and on where the plan says
        so."""
        model, pieces, pace = self.model, self.pieces, self.pace
        fed = in_source_layout(model, feeds)
        runs = tuple(_Run(optimized, {**fed}, dict(feeds)) for optimized in self.plan.levels)
        whole = Evaluation.of(model, feeds, model.outputs) if self.carried else None
        certifier = _Certifier(
            model,
            self.names,
            forms_of(self.file),
            runs,
            self.plan,
            pieces.last_readers(),
            pace,
            self.costs,
            whole,
        )
        result = Certified()
        for at, piece in enumerate(pieces.pieces):
            for ran in runs:
                pace.tell(f"{certifier.place}, {stimulus}, {optimizations(ran.optimized)}")
                pieces.run(piece, ran.optimized, ran.values)
            _share_equal(runs, piece.makes)
            shown = [name for name in self.file.outputs if name in piece.makes]
            result.computed.update((name, runs[0].values[name]) for name in shown)
            keep_worse(result.layers, certifier.advance(at, len(pieces.pieces)))
        if whole is not None:
            result.exact.update((name, whole.values[name]) for name in model.outputs)
        return result


def keep_worse(layers: dict[str, LayerCertificate], more: Iterable[LayerCertificate]) -> None:
    """Put the worse certificate of each layer into `layers`."""
    for one in more:
        layers[one.layer] = worse_layer(layers.get(one.layer, one), one)


def _share_equal(runs: Sequence[_Run], names: Sequence[str]) -> None:
    """Let runs that computed the very same values hold them once: optimizations often change
    nothing, and what is the same object needs one certificate."""
    first = runs[0].values
    for ran in runs[1:]:
        for name in names:
            if same_bits(first[name], ran.values[name]):
                ran.values[name] = first[name]


def forms_of(file: OnnxFile) -> dict[str, str]:
    """Layer -> how the writer said it, as the file tells; a foreign file tells nothing."""
    try:
        forms = json.loads(file.metadata.get("upconv", "{}"))["forms"]
        return {str(layer): str(form) for layer, form in forms.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


LAYER_RUNS: Final = 2
"""What a layer's run in onnxruntime and its share of the float64 reference take together, in runs
of the former."""

MOST_HIDDEN: Final = 16
"""Layers behind each other whose values a file may keep to itself."""


@dataclass(frozen=True, slots=True)
class _Hidden:
    """A value that the file does not show: what it is exactly, given what the file shows before it,
    what it may differ by, and the layers that it took."""

    exact: Array
    error: Array
    layers: dict[str, Layer]


@dataclass(slots=True)
class _Run:
    """What one run computed, by the ONNX file's names, and what it was fed, channels first.

    `hidden` are values that the file does not show, where one node of it is several layers: the
    layers that make them (`made`) are `judged` in the next one that shows its value.
    """

    optimized: bool
    values: dict[str, NDArray[Any]]
    feeds: dict[str, NDArray[Any]]
    hidden: dict[str, _Hidden] = field(default_factory=dict)
    judged: set[str] = field(default_factory=set)
    made: dict[str, Layer] = field(default_factory=dict)


@dataclass(slots=True)
class _Certifier:
    """Compares layers with the reference as far as the runs of one stimulus have come, each state
    of a layer's values once.

    `names` maps values to the ONNX file's names, `forms` layers to how the writer said them,
    `readers` names to the last piece of the file that needs them. `whole` is the reference of the
    whole network, where it is carried along.
    """

    model: Model
    names: Mapping[str, str]
    forms: Mapping[str, str]
    runs: Sequence[_Run]
    plan: Plan
    readers: Mapping[str, int]
    pace: Pace
    costs: Mapping[str, float]
    whole: Evaluation | None
    at: int = 0

    @property
    def place(self) -> str:
        """Which layer is next, for those who wait."""
        count = len(self.model.layers)
        return f"layer {min(self.at + 1, count)} of {count}"

    def advance(self, piece: int, pieces: int) -> Iterator[LayerCertificate]:
        """Certificates of the layers whose values are there since this piece has run, of all that
        are left behind the last one.

        A value leaves the runs with the last layer that reads it, and the last piece.
        """
        layers = self.model.layers
        is_last = piece + 1 == pieces
        while self.at < len(layers) and (is_last or self._is_there(layers[self.at])):
            self.pace.tell(f"{self.place}, {layers[self.at].name}")
            found = self._judge_near(layers[self.at])
            yield from found.values()
            for number, ran in enumerate(self.runs):
                if number not in found:
                    yield from self._judge(layers[self.at], ran, number)
            for weight in layers[self.at].weights.values():
                weight.release()
            self.pace.step(LAYER_RUNS * len(self.runs) * self.costs[layers[self.at].name])
            self.at += 1
        self._release(piece)
        if is_last:
            yield from self._never_shown()

    def _is_there(self, layer: Layer) -> bool:
        names = (self.names.get(value) for value in (*layer.inputs, *layer.outputs))
        return all(name is None or self._value(name, self.runs[0]) is not None for name in names)

    def _value(self, name: str, ran: _Run) -> NDArray[Any] | None:
        found = ran.feeds.get(name)
        return ran.values.get(name) if found is None else found

    def _judge_near(self, layer: Layer) -> dict[int, LayerCertificate]:
        """The certificates of runs that one evaluation has, by their numbers: that of the whole
        network, which this carries on, or that of the first run."""
        whole = self.whole
        pairs = self._fed_and_computed(layer)
        found = None
        if len(pairs) > (whole is None):
            inputs = [pairs[0][0]] if whole is None else whole.inputs(layer)  # any near to all
            form = self.forms.get(layer.name, "")
            found = compare_near(layer, form, inputs, [*pairs.values()], whole is not None)
        if whole is not None:
            known = None if found is None else found[0]
            whole.put(self.at, results_of(whole, layer) if known is None else (known,))
        certificates = [] if found is None else found[1]
        return {at: one for at, one in zip(pairs, certificates, strict=False) if one is not None}

    def _fed_and_computed(self, layer: Layer) -> dict[int, tuple[NDArray[Any], NDArray[Any]]]:
        """Number -> (input, output) of a convolution in each run that shows other ones than the
        first."""
        found: dict[int, tuple[NDArray[Any], NDArray[Any]]] = {}
        if not isinstance(layer.operator, Conv):
            return found
        value, made = layer.inputs[0], layer.outputs[0]
        if self.plan.extent != "full" or not {value, made} <= self.names.keys():
            return found
        for number, ran in enumerate(self.runs):
            x, y = (self._value(self.names[name], ran) for name in (value, made))
            if x is not None and y is not None and not (number and self._is_seen(layer, ran)):
                found[number] = x, y
        return found

    def _judge(self, layer: Layer, ran: _Run, number: int) -> Iterator[LayerCertificate]:
        if isinstance(layer.operator, Unknown) or (number and self._is_seen(layer, ran)):
            return
        one = self._certify(layer, ran)
        if one is not None:
            yield one
            ran.judged.update(_hidden_before(layer, ran))
        elif layer.outputs[0] in ran.hidden:
            ran.made[layer.name] = layer

    def _release(self, piece: int) -> None:
        still = {
            self.names.get(value, value)
            for layer in self.model.layers[self.at :]
            for value in (*layer.inputs, *layer.outputs)
        }
        for ran in self.runs:
            for name in [*ran.values]:
                if name not in still and self.readers.get(name, -1) <= piece:
                    del ran.values[name]

    def _never_shown(self) -> Iterator[LayerCertificate]:
        for ran in self.runs:
            for name, layer in ran.made.items():
                if name not in ran.judged:
                    yield self._unnamed(layer, layer.outputs[0])

    def _unnamed(self, layer: Layer, value: str) -> LayerCertificate:
        form = self.forms.get(layer.name, "")
        return uncertified(layer, form, f"the ONNX file has no value named '{value}'")

    def _certify(self, layer: Layer, ran: _Run) -> LayerCertificate | None:
        operator, form = type(layer.operator).__name__, self.forms.get(layer.name, "")
        if isinstance(layer.operator, Identity) and self._is_elided(layer):
            return LayerCertificate(layer.name, operator, "elided", "exact", 0.0, 0.0, 0.0, "pass")
        for value in layer.inputs:
            if value not in self.names and value not in ran.hidden:
                return self._unnamed(layer, value)
        inputs = [self._input(value, ran) for value in layer.inputs]
        errors = {at: ran.hidden[value].error for at, value in enumerate(layer.inputs)
                  if value in ran.hidden}  # fmt: skip
        if layer.outputs[0] not in self.names:
            return self._hide(layer, form, inputs, errors, ran)
        computed = {v: ran.values[self.names[v]] for v in layer.outputs if v in self.names}
        return compare_layer(layer, form, inputs, errors, computed, self.plan)

    def _input(self, value: str, ran: _Run) -> NDArray[Any]:
        found = ran.hidden.get(value)
        if found is not None:
            return found.exact
        shown = self._value(self.names[value], ran)
        assert shown is not None
        return shown

    def _is_seen(self, layer: Layer, ran: _Run) -> bool:
        """Whether the layer's very values are those of the first run."""
        first = self.runs[0]
        if self.names.get(layer.outputs[0]) is None or any(v in ran.hidden for v in layer.inputs):
            return False
        names = [self.names.get(value) for value in (*layer.inputs, *layer.outputs)]
        return all(n is None or self._value(n, ran) is self._value(n, first) for n in names)

    def _hide(
        self,
        layer: Layer,
        form: str,
        inputs: Sequence[NDArray[Any]],
        errors: Mapping[int, Array],
        ran: _Run,
    ) -> LayerCertificate | None:
        """Remember what the file does not show; the next layers are judged by it."""
        layers = _hidden_before(layer, ran) | {layer.name: layer}
        if len(layers) > MOST_HIDDEN or index_outputs(layer):
            return self._unnamed(layer, layer.outputs[0])
        wide = widened(layer, inputs)
        try:
            exact = run_layer(layer, wide)
        except ShapeError as error:  # of what the file feeds it, for the model has been inferred
            return uncertified(layer, form, f"it is fed what it cannot take: {error.message}")
        allowed = permitted(layer, form, wide, errors, exact[0]).bound
        for value, one in zip(layer.outputs, exact, strict=True):
            first = value == layer.outputs[0]
            bound = allowed if first else EXACT.bound
            ran.hidden[value] = _Hidden(one, np.broadcast_to(bound, one.shape), layers)
        return None

    def _is_elided(self, layer: Layer) -> bool:
        """Whether the file has no value of its own for it: readers take its input, and are
        certified on that."""
        made = self.names.get(layer.outputs[0])
        return made is not None and made == self.names.get(layer.inputs[0])


def _hidden_before(layer: Layer, ran: _Run) -> dict[str, Layer]:
    """The layers whose values the file does not show, between this one and what it shows."""
    found = (ran.hidden[value].layers for value in layer.inputs if value in ran.hidden)
    return {name: one for layers in found for name, one in layers.items()}
