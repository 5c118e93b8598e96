"""The other proof: an ONNX file in onnxruntime against what the source framework computed.

The float64 reference judges the writer and takes the reader's word for what the model is. Here the
framework itself is the judge, so that a mistake of the reader is found too. Both run on the same
inputs, and every output is compared, graph optimizations off and on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from math import prod
from typing import Any

import numpy as np

from upconv.converters.ir.model import Model, ModelInput
from upconv.converters.ir.operators import Identity, Reshape
from upconv.converters.passes.live import live
from upconv.converters.proof.choices import index_outputs
from upconv.converters.proof.end_to_end import (
    AMPLIFICATION,
    Array,
    References,
    Stimuli,
    followed_choices,
    in_source_layout,
    judged,
    optimizations,
    tolerance_of,
)
from upconv.converters.proof.memory import require_memory
from upconv.converters.proof.own_inputs import own_stimuli
from upconv.converters.proof.pace import Announce, Pace
from upconv.converters.proof.report import (
    OutputCertificate,
    SourceFramework,
    Verification,
    worse_output,
)
from upconv.converters.proof.runtime import OnnxFile, read_onnx, run, session
from upconv.converters.proof.source import SourceRun
from upconv.converters.proof.stimuli import fixed_shapes, other_shapes, stimuli
from upconv.converters.proof.verify import (
    aliases,
    missing_outputs,
    require_same_inputs,
    require_same_shapes,
)


def source_stimuli(model: Model, seed: int, data: str = "") -> dict[str, dict[str, Any]]:
    """What both sides run on: stimulus -> input -> values, in the source's own layout; made, or
    the user's own in the file or folder `data`.

    Raises UsageError where the input shapes are unknown or too large, or what is in `data` does
    not fit them.
    """
    if data:
        own = own_stimuli(model, data)
        return {name: in_source_layout(model, feeds) for name, feeds in own.items()}
    shapes, others = fixed_shapes(model), other_shapes(model)
    for each in filter(None, (shapes, others)):
        require_memory(model, each)
    made = stimuli(model, shapes, seed, others)
    return {name: in_source_layout(model, feeds) for name, feeds in made.items()}


def verify_against(
    model: Model,
    onnx_path: str,
    source: SourceRun,
    progress: Announce = lambda message: None,
) -> Verification:
    """Compare an ONNX file, fed with what its source was fed, with what that computed.

    Raises UnreadableError where the file is no ONNX model or onnxruntime refuses it, UsageError
    where the two have different inputs.
    """
    file = read_onnx(onnx_path)
    needed = live(model)
    made = {name: _channels_first(model, feeds) for name, feeds in source.fed.items()}
    require_same_inputs(needed, file)
    names = [entry.name for entry in needed.inputs]
    for inner in made.values():
        require_same_shapes(needed, file, {name: inner[name].shape for name in names})
    outputs = [name for name in model.outputs if name in file.outputs]
    judge = _Judge(needed, file, made, progress)
    found: dict[str, OutputCertificate] = {}
    for optimized in (False, True):
        running = session(onnx_path, optimized)
        for stimulus, feeds in source.fed.items():
            progress(f"onnxruntime, {stimulus}, {optimizations(optimized)}")
            fed = {entry.name: _typed(entry, feeds) for entry in needed.inputs}
            sides = _Sides(source.outputs[stimulus], run(running, fed, outputs), fed)
            for name in outputs:
                one = judge.compare(name, sides, stimulus, optimized)
                found[name] = worse_output(found[name], one) if name in found else one
    by = SourceFramework(source.framework, source.version)
    reasons = tuple(missing_outputs(model, file))
    return Verification(
        model.path, onnx_path, file.opset, (), tuple(found.values()), reasons, source=by
    )


def _channels_first(model: Model, feeds: Mapping[str, Any]) -> dict[str, Any]:
    """Values of inputs in the source's layout as the model has them inside."""
    return {
        name: np.moveaxis(values, -1, 1) if name in model.channels_last else values
        for name, values in feeds.items()
    }


def _typed(entry: ModelInput, feeds: Mapping[str, Any]) -> Any:
    """What the ONNX file takes of an input: int64 where it holds whole numbers, else float32."""
    return feeds[entry.name].astype(np.int64 if entry.integer else np.float32)


@dataclass(frozen=True, slots=True)
class _Sides:
    """One stimulus: what the framework and onnxruntime computed of `fed`, by value name."""

    source: Mapping[str, Any]
    computed: Mapping[str, Any]
    fed: Mapping[str, Any]


class _Judge:
    """Compares outputs; the float64 reference is asked only where float32 itself may decide."""

    def __init__(self, model: Model, file: OnnxFile, stimuli: Stimuli, progress: Announce) -> None:
        self._model = model
        self._file = file
        self._names = aliases(model, file)
        self._producers = model.producers()
        self._indices = index_values(model)
        shown = (*model.outputs, *sorted(self._indices - {*model.outputs}))
        self._references = References(replace(model, outputs=shown), stimuli, Pace(progress, 0.0))

    def compare(
        self, name: str, sides: _Sides, stimulus: str, optimized: bool
    ) -> OutputCertificate:
        """The certificate of one output on one stimulus, both sides in the source's layout."""
        got = np.asarray(sides.computed[name], np.float64)
        if name not in sides.source:
            reason = "the framework computes no output of this name"
            return OutputCertificate(name, got.shape, None, 0.0, "incomplete", reason)
        want = np.asarray(sides.source[name], np.float64)
        holds_choices = self._origin_of(name) in self._indices
        tolerance = 0.0 if holds_choices else tolerance_of(want)
        if want.shape != got.shape:
            reason = f"the shape is {got.shape}, the framework's is {want.shape}"
            return OutputCertificate(name, got.shape, None, tolerance, "fail", reason)
        one = judged(name, want, got, tolerance)
        if one.verdict == "pass" or one.max_abs_error is None:
            return one
        indices = index_values(live(replace(self._model, outputs=(name,))))
        if indices:
            return self._after_own_choices(one, indices, sides, stimulus, optimized)
        limit = AMPLIFICATION * self._references.sensitivity(name, stimulus)
        return judged(name, want, got, max(tolerance, limit))

    def _after_own_choices(
        self,
        first: OutputCertificate,
        indices: frozenset[str],
        sides: _Sides,
        stimulus: str,
        optimized: bool,
    ) -> OutputCertificate:
        """Where maxima are equal but for rounding, each side may choose another, and what follows
        differs: each is compared with the reference that makes the same choices, which must be
        right ones."""
        theirs = self._own_choices(sides.source, stimulus)
        ours = followed_choices(self._model, self._file, self._names, sides.fed, optimized)
        if indices - theirs.keys() or indices - ours.keys():
            reason = "it depends on which of several maxima is taken, which the framework hides"
            return replace(first, verdict="incomplete", reason=reason)
        name = first.name
        compare = self._references.compare
        found = [
            compare(name, np.asarray(sides.source[name], np.float64), stimulus, theirs),
            compare(name, np.asarray(sides.computed[name], np.float64), stimulus, ours),
            *(compare(v, made[v], stimulus, made) for made in (theirs, ours) for v in indices),
        ]
        worst = reduce(worse_output, found)
        return replace(worst, name=name, shape=first.shape)

    def _own_choices(self, source: Mapping[str, Any], stimulus: str) -> dict[str, Array]:
        """The index values that the framework took, channels first: those it showed, as values of
        their own or as outputs."""
        found = {v: np.asarray(source[v], np.float64) for v in self._indices if v in source}
        for name in self._model.outputs:
            value = self._origin_of(name)
            if value not in self._indices or name not in source:
                continue
            values = np.asarray(source[name], np.float64)
            values = _channels_first(self._model, {name: values})[name]
            shape = self._references.shape(value, stimulus)
            if values.size == prod(shape):
                found[value] = values.reshape(shape)
        return found

    def _origin_of(self, name: str) -> str:
        """The value that an output holds, perhaps in another shape."""
        while name not in self._indices and name in self._producers:
            layer = self._producers[name]
            if not isinstance(layer.operator, Identity | Reshape):
                break
            name = layer.inputs[0]
        return name


def index_values(model: Model) -> frozenset[str]:
    """The values of a model that hold choices."""
    return frozenset(value for layer in model.layers for value in index_outputs(layer))
