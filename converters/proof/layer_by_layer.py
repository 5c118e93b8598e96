"""The first half of a proof: each layer against its reference, on what onnxruntime fed it.

A layer is certified on the activations that onnxruntime itself computed before it, so errors do
not pile up and a wrong layer is named.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir.errors import ShapeError
from upconv.converters.ir.model import Layer, Model
from upconv.converters.ir.operators import Identity
from upconv.converters.proof.certificates import allowance
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


@dataclass(slots=True)
class _Certifier:
    """Compares layers with the reference, each state of a layer's values once.

    `names` maps values to the ONNX file's names, `forms` layers to how the writer said them;
    `seen` holds digests, since optimizations often change nothing and activations are large.
    """

    model: Model
    names: Mapping[str, str]
    forms: Mapping[str, str]
    seen: set[tuple[object, ...]] = field(default_factory=set)

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
        for layer in self.model.layers:
            one = self._certify(layer, ran)
            if one is not None:
                yield one
            for value in {*layer.inputs, *layer.outputs}:
                if last.get(name := self.names.get(value, "")) == layer.name:
                    ran.values.pop(name, None)

    def _certify(self, layer: Layer, ran: _Run) -> LayerCertificate | None:
        operator, form = type(layer.operator).__name__, self.forms.get(layer.name, "")
        if isinstance(layer.operator, Identity) and self._is_elided(layer):
            return LayerCertificate(layer.name, operator, "elided", "exact", 0.0, 0.0, 0.0, "pass")
        for value in (*layer.inputs, layer.outputs[0]):
            if value not in self.names:
                return uncertified(layer, form, f"the ONNX file has no value named '{value}'")
        inputs = [self.names[value] for value in layer.inputs]
        outputs = {value: self.names[value] for value in layer.outputs if value in self.names}
        state = (layer.name, ran.stimulus, *map(ran.digest, (*inputs, *outputs.values())))
        if state in self.seen:
            return None
        self.seen.add(state)
        wide = widened(layer, [ran.values[name] for name in inputs])
        computed = {value: ran.values[name] for value, name in outputs.items()}
        try:
            exact = run_layer(layer, wide)
        except ShapeError as error:  # of what the file feeds it, for the model has been inferred
            return uncertified(layer, form, f"it is fed what it cannot take: {error.message}")
        return _compare_layer(layer, form, wide, exact, computed)

    def _is_elided(self, layer: Layer) -> bool:
        """Whether the file has no value of its own for it: readers take its input, and are
        certified on that."""
        made = self.names.get(layer.outputs[0])
        return made is not None and made == self.names.get(layer.inputs[0])


def _compare_layer(
    layer: Layer,
    form: str,
    inputs: Sequence[Array],
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
        permitted = allowance(layer, inputs, want, form) if index == 0 and not choice else None
        bound = permitted.bound if permitted else np.zeros(())
        kind = permitted.kind if permitted else "exact"
        one = _judged(layer, form, kind, worst_element(want, got, bound))
        worst = one if worst is None else worse_layer(worst, one)
    assert worst is not None
    return worst


def _judged(
    layer: Layer, form: str, kind: str, found: tuple[float | None, float | None, float | None]
) -> LayerCertificate:
    error, limit, ratio = found
    if limit is None:
        return uncertified(layer, form, "no finite bound is known for its values")
    operator = type(layer.operator).__name__
    verdict: Verdict = "pass" if ratio is not None and ratio <= 1 else "fail"
    return LayerCertificate(layer.name, operator, form, kind, error, limit, ratio, verdict)
