"""The first half of a proof: each layer against its reference, on what onnxruntime fed it.

A layer is certified on the activations that onnxruntime itself computed before it, so errors do
not pile up and a wrong layer is named.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir.errors import ShapeError
from upconv.converters.ir.model import Layer, Model
from upconv.converters.ir.operators import Identity
from upconv.converters.proof.certificates import EXACT, Allowance, allowance, carried
from upconv.converters.proof.choices import index_outputs
from upconv.converters.proof.end_to_end import (
    Announce,
    Array,
    Stimuli,
    in_source_layout,
    optimizations,
)
from upconv.converters.proof.report import LayerCertificate, Verdict, worse_layer, worst_element
from upconv.converters.proof.runtime import OnnxFile, exposed, run, session
from upconv.converters.reference import run_layer, widened


def certify_layers(
    model: Model, file: OnnxFile, names: Mapping[str, str], stimuli: Stimuli, progress: Announce
) -> dict[str, LayerCertificate]:
    """The worst certificate of every layer over all stimuli, optimizations off and on.

    `names` are the values' names in the ONNX file.
    """
    wanted = sorted(set(names.values()) - {entry.name for entry in model.inputs})
    certifier = _Certifier(model, names, _forms(file))
    found: dict[str, LayerCertificate] = {}
    with exposed(file, wanted) as path:
        for optimized in (False, True):
            running = session(path, optimized, file.path)
            for stimulus, feeds in stimuli.items():
                progress(f"layer by layer, {stimulus}, {optimizations(optimized)}")
                fed = in_source_layout(model, feeds)
                values = run(running, fed, wanted, file.path) | dict(feeds)
                for one in certifier.certify(_Run(stimulus, values)):
                    found[one.layer] = worse_layer(found.get(one.layer, one), one)
                del values  # before the next run: each is large
            del running  # before the next session: each holds all weights
    return found


def uncertified(
    layer: Layer, form: str, reason: str, verdict: Verdict = "incomplete"
) -> LayerCertificate:
    """The certificate of a layer that could not be compared, or is wrong without a number."""
    operator = type(layer.operator).__name__
    return LayerCertificate(layer.name, operator, form, "", None, None, None, verdict, reason)


def _forms(file: OnnxFile) -> dict[str, str]:
    """Layer -> how the writer said it, as the file tells; a foreign file tells nothing."""
    try:
        forms = json.loads(file.metadata.get("upconv", "{}"))["forms"]
        return {str(layer): str(form) for layer, form in forms.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


@dataclass(slots=True)
class _Run:
    """What one run computed, by the ONNX file's names; each value is digested once."""

    stimulus: str
    values: dict[str, NDArray[Any]]
    digests: dict[str, bytes] = field(default_factory=dict)

    def digest(self, name: str) -> bytes:
        if name not in self.digests:
            array = self.values[name]
            state = sha256(f"{array.dtype}{array.shape}".encode())
            state.update(np.ascontiguousarray(array).data)
            self.digests[name] = state.digest()
        return self.digests[name]


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
class _Certifier:
    """Compares layers with the reference, each state of a layer's values once.

    `names` maps values to the ONNX file's names, `forms` layers to how the writer said them;
    `seen` holds digests, since optimizations often change nothing and activations are large.
    `hidden` are values that the file does not show, where one node of it is several layers: the
    layers that make them are judged in the next one that shows its value.
    """

    model: Model
    names: Mapping[str, str]
    forms: Mapping[str, str]
    seen: set[tuple[object, ...]] = field(default_factory=set)
    hidden: dict[str, _Hidden] = field(default_factory=dict)

    def certify(self, ran: _Run) -> Iterator[LayerCertificate]:
        """The layers' certificates, but of those whose very values are already certified.

        A value leaves the run with the last layer that reads it.
        """
        last = {
            self.names[value]: layer.name
            for layer in self.model.layers
            for value in (*layer.inputs, *layer.outputs)
            if value in self.names
        }
        judged: set[str] = set()
        made: dict[str, Layer] = {}
        ends = {value: layers[-1].name for value, layers in self.model.consumers().items()}
        for layer in self.model.layers:
            one = self._certify(layer, ran)
            before = self._hidden_before(layer)
            if one is not None:
                yield one
                judged.update(before)
            elif layer.outputs[0] in self.hidden:
                made[layer.name] = layer
            for value in {*layer.inputs, *layer.outputs}:
                if last.get(name := self.names.get(value, "")) == layer.name:
                    ran.values.pop(name, None)
                if ends.get(value) == layer.name:
                    self.hidden.pop(value, None)

        self.hidden.clear()
        for layer in (layer for name, layer in made.items() if name not in judged):
            yield self._unnamed(layer, layer.outputs[0])

    def _hidden_before(self, layer: Layer) -> dict[str, Layer]:
        """The layers whose values the file does not show, between this one and what it shows."""
        found = (self.hidden[value].layers for value in layer.inputs if value in self.hidden)
        return {name: one for layers in found for name, one in layers.items()}

    def _unnamed(self, layer: Layer, value: str) -> LayerCertificate:
        form = self.forms.get(layer.name, "")
        return uncertified(layer, form, f"the ONNX file has no value named '{value}'")

    def _certify(self, layer: Layer, ran: _Run) -> LayerCertificate | None:
        operator, form = type(layer.operator).__name__, self.forms.get(layer.name, "")
        if isinstance(layer.operator, Identity) and self._is_elided(layer):
            return LayerCertificate(layer.name, operator, "elided", "exact", 0.0, 0.0, 0.0, "pass")
        for value in layer.inputs:
            if value not in self.names and value not in self.hidden:
                return self._unnamed(layer, value)
        if self._is_seen(layer, ran):
            return None
        inputs = widened(layer, [self._input(value, ran) for value in layer.inputs])
        errors = {at: self.hidden[value].error for at, value in enumerate(layer.inputs)
                  if value in self.hidden}  # fmt: skip
        try:
            exact = run_layer(layer, inputs)
        except ShapeError as error:  # of what the file feeds it, for the model has been inferred
            return uncertified(layer, form, f"it is fed what it cannot take: {error.message}")
        if layer.outputs[0] not in self.names:
            return self._hide(layer, form, inputs, errors, exact)
        computed = {v: ran.values[self.names[v]] for v in layer.outputs if v in self.names}
        return _compare_layer(layer, form, inputs, errors, exact, computed)

    def _input(self, value: str, ran: _Run) -> NDArray[Any]:
        found = self.hidden.get(value)
        return ran.values[self.names[value]] if found is None else found.exact

    def _is_seen(self, layer: Layer, ran: _Run) -> bool:
        """Whether the layer's very values are certified already."""
        shown = [self.names.get(value) for value in (*layer.inputs, *layer.outputs)]
        if self.names.get(layer.outputs[0]) is None or any(v in self.hidden for v in layer.inputs):
            return False
        state = (layer.name, ran.stimulus, *(ran.digest(name) for name in shown if name))
        if state in self.seen:
            return True
        self.seen.add(state)
        return False

    def _hide(
        self,
        layer: Layer,
        form: str,
        inputs: Sequence[Array],
        errors: Mapping[int, Array],
        exact: Sequence[Array],
    ) -> LayerCertificate | None:
        """Remember what the file does not show; the next layers are judged by it."""
        layers = self._hidden_before(layer) | {layer.name: layer}
        if len(layers) > MOST_HIDDEN or index_outputs(layer):
            return self._unnamed(layer, layer.outputs[0])
        error = _permitted(layer, form, inputs, errors, exact[0]).bound
        for value, one in zip(layer.outputs, exact, strict=True):
            first = value == layer.outputs[0]
            bound = error if first else EXACT.bound
            self.hidden[value] = _Hidden(one, np.broadcast_to(bound, one.shape), layers)
        return None

    def _is_elided(self, layer: Layer) -> bool:
        """Whether the file has no value of its own for it: readers take its input, and are
        certified on that."""
        made = self.names.get(layer.outputs[0])
        return made is not None and made == self.names.get(layer.inputs[0])


def _compare_layer(
    layer: Layer,
    form: str,
    inputs: Sequence[Array],
    errors: Mapping[int, Array],
    exact: Sequence[Array],
    computed: Mapping[str, NDArray[Any]],
) -> LayerCertificate:
    worst: LayerCertificate | None = None
    for index, (value, want) in enumerate(zip(layer.outputs, exact, strict=True)):
        if value not in computed:
            continue  # nobody reads it, or its reader says that it is missing
        got = computed[value]
        if want.shape != got.shape:
            reason = f"the shape is {got.shape}, the reference's is {want.shape}"
            return uncertified(layer, form, reason, "fail")
        choice = value in index_outputs(layer)
        is_measured = index == 0 and not choice
        permitted = _permitted(layer, form, inputs, errors, want) if is_measured else EXACT
        one = _judged(layer, form, permitted.kind, worst_element(want, got, permitted.bound))
        worst = one if worst is None else worse_layer(worst, one)
    assert worst is not None
    return worst


def _permitted(
    layer: Layer, form: str, inputs: Sequence[Array], errors: Mapping[int, Array], exact: Array
) -> Allowance:
    own = allowance(layer, inputs, exact, form)
    return carried(layer, inputs, errors, exact, own) if errors else own


def _judged(
    layer: Layer, form: str, kind: str, found: tuple[float | None, float | None, float | None]
) -> LayerCertificate:
    error, limit, ratio = found
    if limit is None:
        return uncertified(layer, form, "no finite bound is known for its values")
    operator = type(layer.operator).__name__
    verdict: Verdict = "pass" if ratio is not None and ratio <= 1 else "fail"
    return LayerCertificate(layer.name, operator, form, kind, error, limit, ratio, verdict)
