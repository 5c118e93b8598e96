"""The proof: an ONNX file in onnxruntime against the float64 reference of its source model.

Each layer is certified on the activations that onnxruntime itself computed before it, so errors
do not pile up and a wrong layer is named; then the untouched file runs end to end. Noise and
impulses, graph optimizations on and off.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from converters.certificates import allowance
from converters.errors import UsageError
from converters.ir import Layer, Model
from converters.onnx_writer.layout import channels_first
from converters.operators import ArgMax, Identity
from converters.reference import run_layer
from converters.runtime import OnnxFile, exposed, read_onnx, run, session
from converters.stimuli import fixed_shapes, impulses, noise

Array = NDArray[np.float64]
Verdict = Literal["pass", "fail", "incomplete"]
Announce: TypeAlias = Callable[[str], None]
Stimuli: TypeAlias = Mapping[str, Mapping[str, NDArray[np.float32]]]

END_TO_END_TOLERANCE = 1e-4
"""Limit of the whole network's error, relative to the largest magnitude of an output."""

RANKS: dict[Verdict, int] = {"pass": 0, "incomplete": 1, "fail": 2}


@dataclass(frozen=True, slots=True)
class LayerCertificate:
    """The worst element of a layer over all runs; ratio is error over bound, None if infinite."""

    layer: str
    operator: str
    form: str
    kind: str
    max_abs_error: float | None
    bound: float | None
    ratio: float | None
    verdict: Verdict
    reason: str = ""


@dataclass(frozen=True, slots=True)
class OutputCertificate:
    """The worst element of a graph output over all end-to-end runs."""

    name: str
    shape: tuple[int, ...]
    max_abs_error: float | None
    tolerance: float
    verdict: Verdict
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Verification:
    """What was proven of an ONNX file, layer by layer and whole."""

    model: str
    onnx: str
    opset: int
    layers: tuple[LayerCertificate, ...]
    outputs: tuple[OutputCertificate, ...]
    reasons: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        verdicts: list[Verdict] = [one.verdict for one in self.layers]
        verdicts += [one.verdict for one in self.outputs]
        verdicts += ["incomplete"] * bool(self.reasons)
        return max(verdicts, key=RANKS.__getitem__, default="incomplete")


@dataclass(slots=True)
class _Progress:
    """Certificates so far: the worst of each layer and output."""

    layers: dict[str, LayerCertificate] = field(default_factory=dict)
    outputs: dict[str, OutputCertificate] = field(default_factory=dict)


def verify(
    model: Model,
    onnx_path: str,
    seed: int = 0,
    progress: Announce = lambda message: None,
) -> Verification:
    """Prove an ONNX file equal to a source model, in onnxruntime on this machine's CPU.

    Raises UnreadableError where the file is no ONNX model or onnxruntime refuses it, UsageError
    where the input shapes are unknown or the two have different inputs.
    """
    file = read_onnx(onnx_path)
    shapes = fixed_shapes(model)
    _require_same_inputs(model, file)
    found = _Progress()
    stimuli = {"noise": noise(shapes, seed), "impulses": impulses(shapes, seed)}
    decisions = _certify_layers(model, file, stimuli, found, progress)
    _certify_outputs(model, file, stimuli, decisions, found, progress)
    return Verification(
        model.path,
        onnx_path,
        file.opset,
        tuple(found.layers.values()),
        tuple(found.outputs.values()),
        tuple(_gaps(model, file)),
    )


def _require_same_inputs(model: Model, file: OnnxFile) -> None:
    wanted = [entry.name for entry in model.inputs]
    if sorted(wanted) != sorted(file.inputs):
        raise UsageError(
            f"its inputs are {list(file.inputs)}, the model's are {wanted}",
            path=file.path,
            hint="is this the ONNX file of that model?",
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


def in_source_layout(model: Model, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of graph inputs or outputs, channels first here, as the ONNX file has them."""
    return {
        name: np.moveaxis(value, 1, -1) if name in model.channels_last else value
        for name, value in values.items()
    }


def _certify_layers(
    model: Model, file: OnnxFile, stimuli: Stimuli, found: _Progress, progress: Announce
) -> dict[str, dict[str, Array]]:
    """Certify every layer with optimizations off and on; returns, for each stimulus, the index
    values that onnxruntime chose."""
    names = aliases(model, file)
    wanted = sorted(set(names.values()) - {entry.name for entry in model.inputs})
    certifier = _Certifier(names, json.loads(file.metadata.get("upconv", "{}")).get("forms", {}))
    decisions: dict[str, dict[str, Array]] = {}
    with exposed(file, wanted) as path:
        for optimized in (False, True):
            running = session(path, optimized)
            for stimulus, feeds in stimuli.items():
                progress(f"layer by layer, {stimulus}, {_optimizations(optimized)}")
                values = run(running, in_source_layout(model, feeds), wanted) | dict(feeds)
                for layer in model.layers:
                    certificate = certifier.certify(layer, values, stimulus)
                    if certificate is not None:
                        _keep_worst(found.layers, layer.name, certificate)
                decisions[stimulus] = _index_values(model, values, names)
    return decisions


def _optimizations(optimized: bool) -> str:
    return f"optimizations {'on' if optimized else 'off'}"


def _index_values(
    model: Model, values: Mapping[str, Any], names: Mapping[str, str]
) -> dict[str, Array]:
    indices = {v for layer in model.layers for v in index_outputs(layer)}
    return {v: np.asarray(values[names[v]], np.float64) for v in indices if v in names}


def index_outputs(layer: Layer) -> tuple[str, ...]:
    """The outputs of a layer that hold choices, not measurements: argmax indices."""
    if isinstance(layer.operator, ArgMax):
        return layer.outputs if layer.operator.output != "values" else ()
    return layer.outputs[1:] if type(layer.operator).__name__ == "Pool" else ()


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
        outputs = [values[self.names[value]] for value in layer.outputs if value in self.names]
        state = (layer.name, stimulus, _digest((*inputs, *outputs)))
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
    computed: Sequence[Any],
) -> LayerCertificate:
    operator = type(layer.operator).__name__
    worst: LayerCertificate | None = None
    wide = [np.asarray(x, np.float64) for x in inputs]
    for index, (want, got) in enumerate(zip(exact, computed, strict=False)):
        if want.shape != got.shape:
            reason = f"the shape is {got.shape}, the reference's is {want.shape}"
            return _uncertified(layer, form, reason, "fail")
        choice = layer.outputs[index] in index_outputs(layer)
        permitted = allowance(layer, wide, want, form) if index == 0 and not choice else None
        bound = permitted.bound if permitted else np.zeros(want.shape)
        kind = permitted.kind if permitted else "exact"
        error, limit, ratio = worst_element(want, np.asarray(got, np.float64), bound)
        verdict: Verdict = "pass" if ratio is not None and ratio <= 1 else "fail"
        one = LayerCertificate(layer.name, operator, form, kind, error, limit, ratio, verdict)
        worst = one if worst is None else _worse(worst, one)
    assert worst is not None
    return worst


def worst_element(
    want: Array, got: Array, bound: Array
) -> tuple[float | None, float | None, float | None]:
    """(error, bound, ratio) of the element where error/bound is largest.

    Equal values, NaN beside NaN and equal infinities among them, have error 0; a ratio is None
    where error or bound is not finite or a bound of 0 is exceeded.
    """
    if not want.size:
        return 0.0, 0.0, 0.0
    equal = (want == got) | (np.isnan(want) & np.isnan(got))
    with np.errstate(all="ignore"):
        error = np.where(equal, 0.0, np.abs(want - got))
        ratio = np.where(equal, 0.0, error / bound)
    ratio = np.where(np.isnan(ratio), np.inf, ratio)
    at = int(np.argmax(ratio))
    values = (error.flat[at], np.broadcast_to(bound, want.shape).flat[at], ratio.flat[at])
    first, second, third = (float(v) if np.isfinite(v) else None for v in values)
    return first, second, third


def _worse(left: LayerCertificate, right: LayerCertificate) -> LayerCertificate:
    def rank(one: LayerCertificate) -> tuple[int, float]:
        return RANKS[one.verdict], float("inf") if one.ratio is None else one.ratio

    return max(left, right, key=rank)


def _keep_worst(
    found: dict[str, LayerCertificate], name: str, certificate: LayerCertificate
) -> None:
    found[name] = _worse(found[name], certificate) if name in found else certificate


def run_reference(
    model: Model, feeds: Mapping[str, Any], decisions: Mapping[str, Array] | None = None
) -> dict[str, Array]:
    """The outputs of a model in float64.

    `decisions` replaces index values: where two candidates are equal but for rounding, either
    choice is right, and the rest of the network must be compared after the same one.
    """
    chosen = decisions or {}
    values: dict[str, Array] = {n: np.asarray(x, np.float64) for n, x in feeds.items()}
    last = {value: layer.name for layer in model.layers for value in layer.inputs}
    for layer in model.layers:
        results = run_layer(layer, [values[value] for value in layer.inputs])
        for value, result in zip(layer.outputs, results, strict=True):
            values[value] = chosen.get(value, result)
        for value in {*layer.inputs, *layer.outputs}:
            if last.get(value) in (None, layer.name) and value not in model.outputs:
                del values[value]
    return values


def _certify_outputs(
    model: Model,
    file: OnnxFile,
    stimuli: Stimuli,
    decisions: Mapping[str, Mapping[str, Array]],
    found: _Progress,
    progress: Announce,
) -> None:
    """Run the untouched file, optimizations off and on, against the whole reference."""
    names = [name for name in model.outputs if name in file.outputs]
    exact: dict[str, dict[str, Array]] = {}
    for stimulus, feeds in stimuli.items():
        progress(f"float64 reference, {stimulus}")
        outputs = run_reference(model, feeds, decisions[stimulus])
        exact[stimulus] = in_source_layout(model, outputs)
    for optimized in (False, True):
        running = session(file.path, optimized)
        for stimulus, feeds in stimuli.items():
            progress(f"end to end, {stimulus}, {_optimizations(optimized)}")
            results = run(running, in_source_layout(model, feeds), names)
            for name in names:
                want, got = exact[stimulus][name], np.asarray(results[name], np.float64)
                one = _compare_output(name, want, got)
                before = found.outputs.get(name)
                if before is None or _output_rank(one) > _output_rank(before):
                    found.outputs[name] = one


def _output_rank(one: OutputCertificate) -> tuple[int, float]:
    error = float("inf") if one.max_abs_error is None else one.max_abs_error
    return RANKS[one.verdict], error / (one.tolerance or 1.0)


def _compare_output(name: str, want: Array, got: Array) -> OutputCertificate:
    finite = np.abs(want[np.isfinite(want)])
    tolerance = END_TO_END_TOLERANCE * (float(finite.max()) if finite.size else 0.0)
    if want.shape != got.shape:
        reason = f"the shape is {got.shape}, the reference's is {want.shape}"
        return OutputCertificate(name, got.shape, None, tolerance, "fail", reason)
    error, _, ratio = worst_element(want, got, np.full(want.shape, tolerance))
    verdict: Verdict = "pass" if ratio is not None and ratio <= 1 else "fail"
    return OutputCertificate(name, got.shape, error, tolerance, verdict)


def as_json(verification: Verification) -> dict[str, Any]:
    """The report's JSON object, schema_version 1."""
    return {
        "schema_version": 1,
        "model": verification.model,
        "onnx": verification.onnx,
        "opset": verification.opset,
        "verdict": verification.verdict,
        "reasons": list(verification.reasons),
        "layers": [_record(one) for one in verification.layers],
        "outputs": [_record(one) for one in verification.outputs],
    }


def _record(certificate: LayerCertificate | OutputCertificate) -> dict[str, Any]:
    fields = type(certificate).__dataclass_fields__
    record = {name: getattr(certificate, name) for name in fields}
    return {name: value for name, value in record.items() if name != "reason" or value}
