"""The second half of a proof: the untouched file against the reference of the whole network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from converters.choices import chooser_of, chosen_values
from converters.ir import Layer, Model
from converters.proof import OutputCertificate, Verdict, worse_output, worst_element
from converters.reference import run_layer
from converters.runtime import OnnxFile, run, session

Array = NDArray[np.float64]
Announce: TypeAlias = Callable[[str], None]
Stimuli: TypeAlias = Mapping[str, Mapping[str, NDArray[np.float32]]]
Choices: TypeAlias = Mapping[str, Array]

END_TO_END_TOLERANCE: Final = 1e-4
"""Limit of the whole network's error, relative to the largest magnitude of an output."""


def in_source_layout(model: Model, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of graph inputs or outputs, channels first here, as the ONNX file has them."""
    return {
        name: np.moveaxis(value, 1, -1) if name in model.channels_last else value
        for name, value in values.items()
    }


def optimizations(optimized: bool) -> str:
    """How a run is announced."""
    return f"optimizations {'on' if optimized else 'off'}"


def certify_outputs(
    model: Model,
    file: OnnxFile,
    stimuli: Stimuli,
    choices: Mapping[tuple[bool, str], Choices],
    progress: Announce,
) -> list[OutputCertificate]:
    """The worst of each output over all stimuli, optimizations off and on.

    `choices` are the index values that onnxruntime took, by optimization and stimulus.
    """
    names = [name for name in model.outputs if name in file.outputs]
    found: dict[str, OutputCertificate] = {}
    references = _References(model, stimuli, progress)
    for optimized in (False, True):
        running = session(file.path, optimized)
        for stimulus, feeds in stimuli.items():
            exact = references.of(stimulus, choices[optimized, stimulus])
            progress(f"end to end, {stimulus}, {optimizations(optimized)}")
            results = run(running, in_source_layout(model, feeds), names)
            for name in names:
                one = _compare(model, name, exact, np.asarray(results[name], np.float64))
                found[name] = worse_output(found[name], one) if name in found else one
    return list(found.values())


class _References:
    """Runs of the reference; one is made again only where other choices are to be followed."""

    def __init__(self, model: Model, stimuli: Stimuli, progress: Announce) -> None:
        self._model, self._stimuli, self._progress = model, stimuli, progress
        self._made: dict[str, tuple[Choices, dict[str, Array]]] = {}

    def of(self, stimulus: str, choices: Choices) -> dict[str, Array]:
        """The reference's values on a stimulus, following these choices."""
        made = self._made.get(stimulus)
        if made is None or any(not np.array_equal(made[0][n], choices[n]) for n in choices):
            self._progress(f"float64 reference, {stimulus}")
            made = choices, run_reference(self._model, self._stimuli[stimulus], choices)
            self._made[stimulus] = made
        return made[1]


def run_reference(
    model: Model, feeds: Mapping[str, Any], choices: Choices | None = None
) -> dict[str, Array]:
    """The outputs of a model in float64; of those that hold indices also what they chose from,
    and the choices themselves.

    Readers of an index value see the one of `choices`: the rest of the network must be compared
    after the same choice.
    """
    values: dict[str, Array] = {n: np.asarray(x, np.float64) for n, x in feeds.items()}
    last = {value: layer.name for layer in model.layers for value in layer.inputs}
    choosers = [found for found in (chooser_of(model, name) for name in model.outputs) if found]
    kept = {
        *model.outputs,
        *(value for layer, made in choosers for value in (layer.inputs[0], made)),
    }
    own: dict[str, Array] = {}
    for layer in model.layers:
        results = run_layer(layer, [values[value] for value in layer.inputs])
        own |= {v: r for v, r in zip(layer.outputs, results, strict=True) if v in kept}
        for value, result in zip(layer.outputs, results, strict=True):
            values[value] = (choices or {}).get(value, result)
        for value in {*layer.inputs, *layer.outputs}:
            if last.get(value) in (None, layer.name) and value not in kept:
                del values[value]
    return {**values, **own}


def _compare(model: Model, name: str, exact: Mapping[str, Array], got: Array) -> OutputCertificate:
    want = in_source_layout(model, {name: exact[name]})[name]
    if want.shape != got.shape:
        reason = f"the shape is {got.shape}, the reference's is {want.shape}"
        return OutputCertificate(name, got.shape, None, _tolerance(want), "fail", reason)
    chooser = chooser_of(model, name)
    if chooser is None:
        return _judged(name, want, got, _tolerance(want))
    layer, value = chooser
    inside = np.moveaxis(got, -1, 1) if name in model.channels_last else got
    one = _compare_choices(layer, name, exact[layer.inputs[0]], exact[value], inside)
    return replace(one, shape=got.shape)


def _compare_choices(
    layer: Layer, name: str, x: Array, want: Array, got: Array
) -> OutputCertificate:
    """Judge indices by what they point at in the reference's own values `x`."""
    if np.array_equal(want, got):
        return _judged(name, want, got, _tolerance(x))
    best, taken = chosen_values(layer, x, want), chosen_values(layer, x, got)
    if best is None or taken is None:
        reason = "an index points nowhere"
        return OutputCertificate(name, got.shape, None, _tolerance(x), "fail", reason)
    return _judged(name, best, taken, _tolerance(x))


def _tolerance(values: Array) -> float:
    finite = np.abs(values[np.isfinite(values)])
    return END_TO_END_TOLERANCE * (float(finite.max()) if finite.size else 0.0)


def _judged(name: str, want: Array, got: Array, tolerance: float) -> OutputCertificate:
    error, _, ratio = worst_element(want, got, np.full(want.shape, tolerance))
    verdict: Verdict = "pass" if ratio is not None and ratio <= 1 else "fail"
    return OutputCertificate(name, got.shape, error, tolerance, verdict)
