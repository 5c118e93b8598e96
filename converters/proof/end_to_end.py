"""The second half of a proof: the untouched file against the reference of the whole network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir.model import Layer, Model
from upconv.converters.ir.operators import Identity
from upconv.converters.proof.certificates import allowance
from upconv.converters.proof.choices import chooser_of, chosen_values, index_outputs, left_open
from upconv.converters.proof.jumps import jump_outputs, with_jumps_of
from upconv.converters.proof.pace import Pace, run_costs, sizes_of
from upconv.converters.proof.report import OutputCertificate, Verdict, worse_output, worst_element
from upconv.converters.proof.runtime import OnnxFile, exposed, run, session, untouched
from upconv.converters.reference.run import Results, run_model, widened

Array = NDArray[np.float64]
Stimuli: TypeAlias = Mapping[str, Mapping[str, NDArray[Any]]]
Choices: TypeAlias = Mapping[str, Array]
NO_CHOICES: Final[Choices] = {}

END_TO_END_TOLERANCE: Final = 1e-4
"""Limit of the whole network's error, relative to the largest magnitude of an output."""

WHOLE_RUNS: Final = {"full": 2.0, "sampled": 1.0}
"""What the second half of a proof takes of each stimulus, in runs of onnxruntime."""

Outputs: TypeAlias = Mapping[str, NDArray[Any]]
"""Output -> values, as the file has them."""

AMPLIFICATION: Final = 16.0
"""How much more a float32 run may move an output than rounding each layer's values once does:
within a layer sums are rounded at every step."""


def in_source_layout(model: Model, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of graph inputs or outputs, channels first here, as the ONNX file has them."""
    return {
        name: np.moveaxis(value, 1, -1) if name in model.channels_last else value
        for name, value in values.items()
    }


def optimizations(optimized: bool) -> str:
    """How a run is announced."""
    return f"optimizations {'on' if optimized else 'off'}"


def run_untouched(
    model: Model, file: OnnxFile, stimuli: Stimuli, optimized: bool, pace: Pace
) -> dict[str, Outputs]:
    """What the untouched file makes of its inputs. Its session, which holds all weights, is gone
    when this returns."""
    outputs = [name for name in model.outputs if name in file.outputs]
    running = session(untouched(file), optimized, file.path)
    costs = run_costs(model, stimuli)
    found: dict[str, Outputs] = {}
    for stimulus, feeds in stimuli.items():
        pace.tell(f"end to end, {stimulus}, {optimizations(optimized)}")
        found[stimulus] = run(running, in_source_layout(model, feeds), outputs, file.path)
        pace.step(costs[stimulus])
    return found


@dataclass(frozen=True, slots=True)
class WholeRuns:
    """Runs of the untouched file: all with optimizations, and without those of the first input of
    each size. `repeats` says of these sizes whether that was, bit for bit, what the run with all
    values shown computed, whose layers are certified.

    Without optimizations onnxruntime runs each node as it stands, whether its value is shown or
    not. Where it repeats what was shown of one input, that run stands for it on others of its size.
    """

    model: Model
    file: OnnxFile
    pace: Pace
    optimized: dict[str, Outputs]
    plain: dict[str, Outputs]
    repeats: dict[tuple[Any, ...], bool] = field(default_factory=dict)

    @classmethod
    def of(cls, model: Model, file: OnnxFile, stimuli: Stimuli, pace: Pace) -> WholeRuns:
        firsts: dict[tuple[Any, ...], str] = {}
        for stimulus, feeds in stimuli.items():
            firsts.setdefault(sizes_of(feeds), stimulus)
        first = {stimulus: stimuli[stimulus] for stimulus in firsts.values()}
        optimized = run_untouched(model, file, stimuli, True, pace)
        return cls(model, file, pace, optimized, run_untouched(model, file, first, False, pace))

    def take(
        self, stimulus: str, feeds: Mapping[str, NDArray[Any]], shown: Outputs
    ) -> dict[bool, Outputs]:
        """What the file computes without optimizations and with them (False, True), which is held
        here no longer. `shown` is what the run with all values shown computed of it."""
        plain, sizes = self.plain.pop(stimulus, None), sizes_of(feeds)
        if plain is not None:
            self.repeats[sizes] = is_same(plain, shown)
        elif self.repeats[sizes]:
            plain = {name: shown[name] for name in self.optimized[stimulus]}
        else:
            again = {stimulus: feeds}
            plain = run_untouched(self.model, self.file, again, False, self.pace)[stimulus]
        return {False: plain, True: self.optimized.pop(stimulus)}


def is_same(left: Outputs, right: Outputs) -> bool:
    """Whether `right` has all of `left`, bit for bit."""
    return all(name in right and same_bits(x, right[name]) for name, x in left.items())


def same_bits(left: NDArray[Any], right: NDArray[Any]) -> bool:
    """Whether two arrays are the same, zeros of either sign and NaN of any kind told apart."""
    if left.dtype != right.dtype or left.shape != right.shape:
        return False
    bits = [np.ascontiguousarray(x).reshape(-1).view(np.uint8) for x in (left, right)]
    return np.array_equal(bits[0], bits[1])


def certify_outputs(
    file: OnnxFile,
    names: Mapping[str, str],
    references: References,
    stimulus: str,
    computed: Mapping[bool, Outputs],
) -> dict[str, OutputCertificate]:
    """The worst of each output on a stimulus: `computed` are those with optimizations off and on
    (False, True).

    `names` are the values' names in the ONNX file.
    """
    found: dict[str, OutputCertificate] = {}
    fed = in_source_layout(references.model, references.stimuli[stimulus])
    for optimized, results in computed.items():
        choices = followed_choices(references.model, file, names, fed, optimized)
        for name, result in results.items():
            got = np.asarray(result, np.float64)
            one = references.compare(name, got, stimulus, choices)
            found[name] = worse_output(found[name], one) if name in found else one
    return found


def compare_outputs(model: Model, results: Outputs, shown: Outputs) -> list[OutputCertificate]:
    """The `results` of the untouched file with all optimizations beside those of the run with all
    values `shown`, whose layers are certified one by one: a sample has no reference of the whole
    network.

    Indices may differ where two values are equal but for rounding; they are then judged by nothing.
    """
    found = []
    for name in (name for name in results if name in shown):
        want = np.asarray(shown[name], np.float64)
        found.append(replace(_beside(model, name, want, results[name]), against="layers"))
    return found


def _beside(model: Model, name: str, want: Array, got: NDArray[Any]) -> OutputCertificate:
    if chooser_of(model, name) is not None and not np.array_equal(want, got):
        reason = "it holds choices, which only --proof full can judge where rounding decides"
        return OutputCertificate(name, got.shape, None, 0.0, "incomplete", reason)
    return judged(name, want, np.asarray(got, np.float64), tolerance_of(want))


def choices_of(model: Model) -> list[str]:
    """The values of a model that hold choices, or jump."""
    return [
        value for layer in model.layers for value in (*index_outputs(layer), *jump_outputs(layer))
    ]


def followed_choices(
    model: Model,
    file: OnnxFile,
    names: Mapping[str, str],
    feeds: Mapping[str, Any],
    optimized: bool,
) -> dict[str, Array]:
    """The index values that onnxruntime takes and the values that jump, with nothing but them
    exposed: that changes no fusion, where exposing everything does, and with it the rounding that
    decides near ties."""
    chosen = [value for value in choices_of(model) if value in names]
    if not chosen:
        return {}
    wanted = sorted({names[value] for value in chosen})
    running = session(exposed(file, wanted), optimized, file.path)
    values = run(running, feeds, wanted, file.path)
    return {value: np.asarray(values[names[value]], np.float64) for value in chosen}


@dataclass(slots=True)
class References:
    """Runs of the reference; one is made again only where other choices are to be followed.

    `made` are those that there are: (stimulus, rounded) -> the choices they follow, their values.
    """

    model: Model
    stimuli: Stimuli
    pace: Pace
    made: dict[tuple[str, bool], tuple[Choices, dict[str, Array]]] = field(default_factory=dict)

    def compare(self, name: str, got: Array, stimulus: str, choices: Choices) -> OutputCertificate:
        """Judge an output by the reference that follows these choices.

        Where it fails, the network may be one that no float32 arithmetic computes to the
        tolerance, a softmax of large values say: then the limit is what the network makes of
        rounding each layer's values once, or what the output's own layer may differ by where that
        is more: a sigmoid is right to within roundoffs of 1, however small its values.
        """
        exact = self._of(stimulus, choices, rounded=False)
        one = _compare(self.model, name, exact, got)
        if one.verdict != "fail" or one.max_abs_error is None:
            return one
        rounded = self._of(stimulus, choices, rounded=True)
        one = _compare(self.model, name, exact, got, rounded)
        if one.verdict != "fail":
            return one
        return _compare(self.model, name, exact, got, rounded, self._last(name, stimulus, choices))

    def _last(self, name: str, stimulus: str, choices: Choices) -> float:
        """What the layer that makes an output may differ by at most, on exact inputs."""
        layer = self.model.producers().get(name)
        while layer is not None and isinstance(layer.operator, Identity):
            layer = self.model.producers().get(layer.inputs[0])
        if layer is None:
            return 0.0
        wanted = {*layer.inputs, layer.outputs[0]}
        values = run_model(
            replace(self.model, outputs=tuple(wanted)), self.stimuli[stimulus], wanted
        )
        inputs = widened(layer, [values[value] for value in layer.inputs])
        bound = allowance(layer, inputs, values[layer.outputs[0]], "").bound
        return float(np.max(bound, initial=0.0, where=np.isfinite(bound)))

    def sensitivity(self, name: str, stimulus: str) -> float:
        """How far an output moves where each layer's values are rounded to float32 once."""
        exact, rounded = (self._of(stimulus, {}, rounded=one)[name] for one in (False, True))
        return distance(exact, rounded)

    def shape(self, name: str, stimulus: str) -> tuple[int, ...]:
        """The shape of a value, channels first."""
        return self._of(stimulus, {}, rounded=False)[name].shape

    def _of(self, stimulus: str, choices: Choices, rounded: bool) -> dict[str, Array]:
        made = self.made.get((stimulus, rounded))
        if made is None or not _same(made[0], choices):
            self.pace.tell(f"float64 reference, {stimulus}")
            values = run_reference(self.model, self.stimuli[stimulus], choices, rounded)
            self.made[stimulus, rounded] = made = choices, values
        return made[1]


def _same(left: Choices, right: Choices) -> bool:
    return left.keys() == right.keys() and all(np.array_equal(left[n], right[n]) for n in left)


def run_reference(
    model: Model, feeds: Mapping[str, Any], choices: Choices | None = None, rounded: bool = False
) -> dict[str, Array]:
    """The outputs of a model in float64; of those that hold indices also what they chose from,
    and the choices themselves.

    Readers of an index value, or of one that jumps, see the one of `choices`: the rest of the
    network must be compared after the same choice. With `rounded`, each layer's values are rounded
    to float32.
    """
    choosers = [found for found in (chooser_of(model, name) for name in model.outputs) if found]
    kept = {
        *model.outputs,
        *(value for layer, made in choosers for value in (layer.inputs[0], made)),
    }
    own: dict[str, Array] = {}

    def amend(layer: Layer, inputs: Sequence[Array], results: Results) -> Results:
        if rounded:
            results = tuple(map(_rounded, results))
        named = dict(zip(layer.outputs, results, strict=True))
        shown = kept.difference(jump_outputs(layer))
        own.update((value, result) for value, result in named.items() if value in shown)
        others = choices or {}
        return tuple(_followed(layer, inputs, x, others.get(value)) for value, x in named.items())

    return run_model(model, feeds, kept, amend) | own


def _followed(layer: Layer, inputs: Sequence[Array], own: Array, other: Array | None) -> Array:
    """The other choice, where there is one and it can be made at all; its layer's certificate says
    where it cannot. Of values that jump, the other ones where they are as right."""
    if other is None or other.shape != own.shape:
        return own
    if jump_outputs(layer):
        return with_jumps_of(layer, inputs, own, other, END_TO_END_TOLERANCE)
    if np.array_equal(other, own) or chosen_values(layer, inputs[0], other) is not None:
        return other
    return own


def _rounded(values: Array) -> Array:
    with np.errstate(over="ignore"):
        return np.asarray(np.asarray(values, np.float32), np.float64)


def _compare(
    model: Model,
    name: str,
    exact: Mapping[str, Array],
    got: Array,
    rounded: Mapping[str, Array] | None = None,
    least: float = 0.0,
) -> OutputCertificate:
    """`rounded` are the reference's values with rounding, where they widen the tolerance, which is
    never below `least`."""
    chooser = chooser_of(model, name)
    measured = name if chooser is None else chooser[0].inputs[0]
    tolerance = max(tolerance_of(exact[measured]), least)
    if rounded is not None:
        tolerance = max(tolerance, AMPLIFICATION * distance(exact[measured], rounded[measured]))
    want = in_source_layout(model, {name: exact[name]})[name]
    if want.shape != got.shape:
        reason = f"the shape is {got.shape}, the reference's is {want.shape}"
        return OutputCertificate(name, got.shape, None, tolerance, "fail", reason)
    if chooser is None:
        return judged(name, want, got, tolerance)
    layer, value = chooser
    inside = np.moveaxis(got, -1, 1) if name in model.channels_last else got
    own, chosen = exact[measured], exact[value]
    free = left_open(layer, value, [own], inside)
    if free is not None:
        chosen = np.where(free, inside, chosen)
    one = compare_choices(layer, name, own, chosen, inside, tolerance)
    return replace(one, shape=got.shape)


def compare_choices(
    layer: Layer, name: str, x: Array, want: Array, got: Array, tolerance: float
) -> OutputCertificate:
    """Judge indices by what they point at in the reference's own values `x`."""
    if np.array_equal(want, got):
        return judged(name, want, got, tolerance)
    best, taken = chosen_values(layer, x, want), chosen_values(layer, x, got)
    if best is None or taken is None:
        reason = "an index points nowhere"
        return OutputCertificate(name, got.shape, None, tolerance, "fail", reason)
    return judged(name, best, taken, tolerance)


def tolerance_of(values: Array) -> float:
    """What an output with these exact values may differ by."""
    finite = np.abs(values[np.isfinite(values)])
    return END_TO_END_TOLERANCE * (float(finite.max()) if finite.size else 0.0)


def distance(left: Array, right: Array) -> float:
    """The largest finite difference."""
    with np.errstate(invalid="ignore"):
        apart = np.abs(left - right)
    finite = apart[np.isfinite(apart)]
    return float(finite.max()) if finite.size else 0.0


def judged(name: str, want: Array, got: Array, tolerance: float) -> OutputCertificate:
    """The certificate of an output; both arrays have one shape."""
    error, _, ratio = worst_element(want, got, np.full(want.shape, tolerance))
    verdict: Verdict = "pass" if ratio is not None and ratio <= 1 else "fail"
    return OutputCertificate(name, got.shape, error, tolerance, verdict)
