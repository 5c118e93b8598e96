"""The proof: an ONNX file in onnxruntime against the float64 reference of its source model.

Each layer is certified on the activations that onnxruntime itself computed before it, so errors
do not pile up and a wrong layer is named; weights that the file holds as they were stored are
compared bit by bit; then the untouched file runs end to end. Noise and impulses, graph
optimizations on and off.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.certificates import allowance
from converters.choices import index_outputs
from converters.end_to_end import (
    Announce,
    Array,
    Stimuli,
    certify_outputs,
    in_source_layout,
    optimizations,
)
from converters.errors import UsageError
from converters.ir import Layer, Model
from converters.liveness import live
from converters.memory import require_memory
from converters.onnx_writer.layout import channels_first
from converters.operators import Identity
from converters.proof import (
    LayerCertificate,
    OutputCertificate,
    Verdict,
    Verification,
    as_json,
    worse_layer,
    worst_element,
)
from converters.reference import run_layer
from converters.runtime import OnnxFile, exposed, read_onnx, run, session
from converters.stimuli import fixed_shapes, impulses, noise
from converters.stored_weights import differing_weights

__all__ = [
    "LayerCertificate",
    "OutputCertificate",
    "Verification",
    "aliases",
    "as_json",
    "verify",
    "worst_element",
]


def verify(
    model: Model,
    onnx_path: str,
    seed: int = 0,
    progress: Announce = lambda message: None,
) -> Verification:
    """Prove an ONNX file equal to a source model, in onnxruntime on this machine's CPU.

    Raises UnreadableError where the file is no ONNX model or onnxruntime refuses it, UsageError
    where the input shapes are unknown or too large, or the two have different inputs.
    """
    model = live(model)
    file = read_onnx(onnx_path)
    shapes = fixed_shapes(model)
    _require_same_inputs(model, file)
    _require_same_shapes(model, file, shapes)
    require_memory(model, shapes)
    stimuli = {"noise": noise(shapes, seed), "impulses": impulses(shapes, seed)}
    names = aliases(model, file)
    layers = _certify_layers(model, file, names, stimuli, progress)
    progress("weights")
    for layer, reason in differing_weights(model, file.path):
        form = layers[layer.name].form if layer.name in layers else ""
        layers[layer.name] = _uncertified(layer, form, reason, "fail")
    outputs = certify_outputs(model, file, names, stimuli, progress)
    reasons = tuple(_gaps(model, file))
    return Verification(
        model.path, onnx_path, file.opset, tuple(layers.values()), tuple(outputs), reasons
    )


def _require_same_inputs(model: Model, file: OnnxFile) -> None:
    wanted = [entry.name for entry in model.inputs]
    if sorted(wanted) != sorted(file.inputs):
        raise UsageError(
            f"its inputs are {list(file.inputs)}, the model's are {wanted}",
            path=file.path,
            hint="is this the ONNX file of that model?",
        )


def _require_same_shapes(
    model: Model, file: OnnxFile, shapes: Mapping[str, tuple[int, ...]]
) -> None:
    for name, inner in shapes.items():
        shape = (inner[0], *inner[2:], inner[1]) if name in model.channels_last else inner
        declared = file.shapes[name]
        fits = len(shape) == len(declared) and all(
            have in (None, size) for have, size in zip(declared, shape, strict=True)
        )
        if declared and not fits:
            text = "x".join("?" if size is None else str(size) for size in declared)
            raise UsageError(
                f"its input '{name}' is {text}, the model's is {'x'.join(map(str, shape))}",
                path=file.path,
                hint=f"give the shape it was converted with, as in --input {name}={text}",
            )


def _gaps(model: Model, file: OnnxFile) -> Iterator[str]:
    for name in model.outputs:
        if name not in file.outputs:
            yield f"the output '{name}' of the model is not an output of the ONNX file"


def aliases(model: Model, file: OnnxFile) -> dict[str, str]:
    """Value name -> the name the ONNX file computes it under, for those it has.

    The writer names values as the model does and leaves out identities. A channels-last input or
    output is computed channels first under its inner name.
    """
    inner = channels_first(model).inner
    names = {entry.name: inner.get(entry.name, entry.name) for entry in model.inputs}
    for layer in model.layers:
        for value in layer.outputs:
            if inner.get(value, value) in file.values:
                names[value] = inner.get(value, value)
            elif isinstance(layer.operator, Identity) and layer.inputs[0] in names:
                names[value] = names[layer.inputs[0]]
    return names


def _certify_layers(
    model: Model, file: OnnxFile, names: Mapping[str, str], stimuli: Stimuli, progress: Announce
) -> dict[str, LayerCertificate]:
    """The worst certificate of every layer, optimizations off and on."""
    wanted = sorted(set(names.values()) - {entry.name for entry in model.inputs})
    certifier = _Certifier(names, _forms(file))
    found: dict[str, LayerCertificate] = {}
    with exposed(file, wanted) as path:
        for optimized in (False, True):
            running = session(path, optimized, file.path)
            for stimulus, feeds in stimuli.items():
                progress(f"layer by layer, {stimulus}, {optimizations(optimized)}")
                values = run(running, in_source_layout(model, feeds), wanted) | dict(feeds)
                for layer in model.layers:
                    one = certifier.certify(layer, values, stimulus)
                    if one is not None:
                        before = found.get(layer.name, one)
                        found[layer.name] = worse_layer(before, one)
    return found


def _forms(file: OnnxFile) -> dict[str, str]:
    """Layer -> how the writer said it, as the file tells; a foreign file tells nothing."""
    try:
        forms = json.loads(file.metadata.get("upconv", "{}"))["forms"]
        return {str(layer): str(form) for layer, form in forms.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


@dataclass(slots=True)
class _Certifier:
    """Compares layers with the reference, each state of a layer's values once.

    `names` maps values to the ONNX file's names, `forms` layers to how the writer said them;
    `seen` holds digests, since optimizations often change nothing and activations are large.
    """

    names: Mapping[str, str]
    forms: Mapping[str, str]
    seen: set[tuple[str, str, bytes]] = field(default_factory=set)

    def certify(
        self, layer: Layer, values: Mapping[str, Any], stimulus: str
    ) -> LayerCertificate | None:
        """The layer's certificate, None where these very values are already certified."""
        operator, form = type(layer.operator).__name__, self.forms.get(layer.name, "")
        if isinstance(layer.operator, Identity) and self._is_elided(layer):
            return LayerCertificate(layer.name, operator, "elided", "exact", 0.0, 0.0, 0.0, "pass")
        for value in (*layer.inputs, layer.outputs[0]):
            if value not in self.names:
                return _uncertified(layer, form, f"the ONNX file has no value named '{value}'")
        inputs = [values[self.names[value]] for value in layer.inputs]
        outputs = {v: values[self.names[v]] for v in layer.outputs if v in self.names}
        state = (layer.name, stimulus, _digest((*inputs, *outputs.values())))
        if state in self.seen:
            return None
        self.seen.add(state)
        exact = run_layer(layer, [np.asarray(x, np.float64) for x in inputs])
        return _compare_layer(layer, form, inputs, exact, outputs)

    def _is_elided(self, layer: Layer) -> bool:
        return self.names.get(layer.outputs[0]) != layer.outputs[0]


def _digest(arrays: Sequence[NDArray[Any]]) -> bytes:
    state = blake2b(digest_size=16)
    for array in arrays:
        state.update(f"{array.dtype}{array.shape}".encode())
        state.update(np.ascontiguousarray(array).data)
    return state.digest()


def _uncertified(
    layer: Layer, form: str, reason: str, verdict: Verdict = "incomplete"
) -> LayerCertificate:
    operator = type(layer.operator).__name__
    return LayerCertificate(layer.name, operator, form, "", None, None, None, verdict, reason)


def _compare_layer(
    layer: Layer,
    form: str,
    inputs: Sequence[Any],
    exact: Sequence[Array],
    computed: Mapping[str, Any],
) -> LayerCertificate:
    operator = type(layer.operator).__name__
    worst: LayerCertificate | None = None
    wide = [np.asarray(x, np.float64) for x in inputs]
    for index, (value, want) in enumerate(zip(layer.outputs, exact, strict=True)):
        if value not in computed:
            continue  # nobody reads it, or its reader says that it is missing
        got = computed[value]
        if want.shape != got.shape:
            reason = f"the shape is {got.shape}, the reference's is {want.shape}"
            return _uncertified(layer, form, reason, "fail")
        choice = value in index_outputs(layer)
        permitted = allowance(layer, wide, want, form) if index == 0 and not choice else None
        bound = permitted.bound if permitted else np.zeros(want.shape)
        kind = permitted.kind if permitted else "exact"
        got = np.asarray(got, np.float64)
        if np.any(~np.isfinite(bound) & (want != got)):
            return _uncertified(layer, form, "no finite bound is known for its values")
        error, limit, ratio = worst_element(want, got, bound)
        verdict: Verdict = "pass" if ratio is not None and ratio <= 1 else "fail"
        one = LayerCertificate(layer.name, operator, form, kind, error, limit, ratio, verdict)
        worst = one if worst is None else worse_layer(worst, one)
    assert worst is not None
    return worst
