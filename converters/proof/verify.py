"""The proof: an ONNX file in onnxruntime against the float64 reference of its source model.

Each layer is certified on the activations that onnxruntime itself computed before it, so errors
do not pile up and a wrong layer is named; weights that the file holds as they were stored are
compared bit by bit; then the untouched file runs end to end. Noise and impulses, graph
optimizations on and off.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TypeAlias

from upconv.converters.ir.errors import UsageError
from upconv.converters.ir.model import Model
from upconv.converters.ir.operators import Identity, Unknown
from upconv.converters.onnx_writer.custom import DOMAIN
from upconv.converters.onnx_writer.layout import channels_first
from upconv.converters.passes.cut import frontier
from upconv.converters.passes.live import live
from upconv.converters.proof.comparing import uncertified
from upconv.converters.proof.copied import verify_copied
from upconv.converters.proof.end_to_end import (
    NO_CHOICES,
    WHOLE_RUNS,
    References,
    Stimuli,
    WholeRuns,
    certify_outputs,
    choices_of,
    compare_outputs,
    run_untouched,
)
from upconv.converters.proof.layer_by_layer import (
    LAYER_RUNS,
    LayerProof,
    forms_of,
    keep_worse,
)
from upconv.converters.proof.memory import require_memory
from upconv.converters.proof.own_inputs import own_stimuli
from upconv.converters.proof.pace import Announce, Pace, run_costs
from upconv.converters.proof.plan import Extent, Plan
from upconv.converters.proof.propagated import MOST_WORK, output_bounds
from upconv.converters.proof.report import (
    LayerCertificate,
    OutputCertificate,
    Verification,
    as_json,
    worse_output,
    worst_element,
)
from upconv.converters.proof.runtime import VALUES, OnnxFile, read_onnx
from upconv.converters.proof.stimuli import fixed_shapes, other_shapes
from upconv.converters.proof.stimuli import stimuli as make_stimuli
from upconv.converters.proof.stored_weights import differing_weights

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
    data: str = "",
    extent: Extent = "full",
) -> Verification:
    """Prove an ONNX file equal to a source model, in onnxruntime on this machine's CPU.

    On noise and impulses, or on the inputs in the file or folder `data` (`own_inputs`). Where the
    `extent` is "sampled", on noise alone, and a share of the large layers (`plan`).

    Raises UnreadableError where the file is no ONNX model or onnxruntime refuses it,
    UnsupportedError for a model that computes in whole numbers, and UsageError
    where the input shapes are unknown or too large, or the two have different inputs.
    """
    whole, model = model, live(model)
    for notice in model.notices:
        if notice.kind == "whole-number-arithmetic":
            raise notice.error
    customs = tuple(_customs(model))
    file = read_onnx(onnx_path)
    if customs and model.framework == "onnx" and DOMAIN not in file.domains:
        model = whole  # nodes that are copied read all that they read
    elif customs:
        return Verification(model.path, onnx_path, file.opset, (), (), customs)
    require_same_inputs(model, file)
    stimuli = own_stimuli(model, data) if data else _within(_made_stimuli(model, seed), file)
    for feeds in stimuli.values():
        require_same_shapes(model, file, {name: one.shape for name, one in feeds.items()})
    names = aliases(model, file)
    if customs:
        return verify_copied(model, file, names, stimuli, Pace(progress, 0.0))
    plan = Plan(extent, seed)
    if extent == "sampled":
        stimuli = dict([next(iter(stimuli.items()))])
    costs = run_costs(model, stimuli)
    runs = LAYER_RUNS * len(plan.levels) + WHOLE_RUNS[extent]
    pace = Pace(progress, runs * sum(costs.values()))
    proof = _layer_proof(model, file, names, stimuli, pace, plan)
    layers, outputs = (_prove_fully if extent == "full" else _prove_by_sample)(proof, stimuli)
    if extent == "full" and max(costs.values(), default=0.0) <= MOST_WORK:
        bounds = _bounds(model, file, stimuli)
        outputs = [replace(one, bound=bounds.get(one.name)) for one in outputs]
    pace.tell("weights")
    for layer, reason in differing_weights(model, file.path):
        form = layers[layer.name].form if layer.name in layers else ""
        layers[layer.name] = uncertified(layer, form, reason, "fail")
    found = tuple(layers.values()), tuple(outputs), tuple(missing_outputs(model, file))
    return Verification(model.path, onnx_path, file.opset, *found, extent=extent, seed=seed)


def _layer_proof(
    model: Model,
    file: OnnxFile,
    names: Mapping[str, str],
    stimuli: Stimuli,
    pace: Pace,
    plan: Plan,
) -> LayerProof:
    """The reference of the whole network is carried along where nothing is left for it to follow:
    then it is that of the end-to-end run too."""
    shapes = {name: x.shape for name, x in next(iter(stimuli.values()), {}).items()}
    carried = plan.extent == "full" and not choices_of(model)
    return LayerProof.of(model, file, names, shapes, pace, plan, carried)


Proven: TypeAlias = tuple[dict[str, LayerCertificate], list[OutputCertificate]]


def _prove_by_sample(proof: LayerProof, stimuli: Stimuli) -> Proven:
    model, file, pace = proof.model, proof.file, proof.pace
    ((stimulus, feeds),) = stimuli.items()
    results = run_untouched(model, file, stimuli, True, pace)[stimulus]
    certified = proof.certify(stimulus, feeds)
    return certified.layers, compare_outputs(model, results, certified.computed)


def _prove_fully(proof: LayerProof, stimuli: Stimuli) -> Proven:
    """The untouched file runs first, before there is anything else in memory."""
    model, file, names, pace = proof.model, proof.file, proof.names, proof.pace
    whole = WholeRuns.of(model, file, stimuli, pace)
    layers: dict[str, LayerCertificate] = {}
    outputs: dict[str, OutputCertificate] = {}
    for stimulus, feeds in stimuli.items():
        certified = proof.certify(stimulus, feeds)
        keep_worse(layers, certified.layers.values())
        made = {(stimulus, False): (NO_CHOICES, certified.exact)} if proof.carried else {}
        references = References(model, {stimulus: feeds}, pace, made)
        computed = whole.take(stimulus, feeds, certified.computed)
        del certified
        for name, one in certify_outputs(file, names, references, stimulus, computed).items():
            outputs[name] = worse_output(outputs.get(name, one), one)
        del computed, references, made
    return layers, [outputs[name] for name in model.outputs if name in outputs]


def _bounds(model: Model, file: OnnxFile, stimuli: Stimuli) -> dict[str, float]:
    """What rounding can move the outputs by at most, on all stimuli: of those that have such a
    bound."""
    found: dict[str, list[float]] = {name: [] for name in model.outputs}
    for feeds in stimuli.values():
        for name, bound in output_bounds(model, feeds, forms_of(file)).items():
            found[name].append(bound)
    return {name: max(each) for name, each in found.items() if len(each) == len(stimuli) > 0}


def _made_stimuli(model: Model, seed: int) -> Stimuli:
    shapes, others = fixed_shapes(model), other_shapes(model)
    for each in filter(None, (shapes, others)):
        require_memory(model, each)
    return make_stimuli(model, shapes, seed, others)


def _within(stimuli: Stimuli, file: OnnxFile) -> Stimuli:
    """The stimuli with the whole numbers of each input among those that its type can hold."""
    counts = {name: VALUES.get(kind, 0) for name, kind in file.types.items()}
    return {
        stimulus: {
            name: value % counts[name] if counts.get(name) and value.dtype.kind == "i" else value
            for name, value in feeds.items()
        }
        for stimulus, feeds in stimuli.items()
    }


def _customs(model: Model) -> Iterator[str]:
    """Why a file with layers that are not understood cannot be run, by their names."""
    unknown = [layer for layer in model.layers if isinstance(layer.operator, Unknown)]
    for layer in unknown:
        kind = layer.operator.type if isinstance(layer.operator, Unknown) else ""
        yield f"layer '{layer.name}': onnxruntime has no operator {kind} of the domain upconv"
    names = frontier(model, {layer.name for layer in unknown}) if unknown else ()
    if names:
        yield f"what can be proven is the part before: --outputs {','.join(names)}"


def require_same_inputs(model: Model, file: OnnxFile) -> None:
    """Raise UsageError where the inputs of a model and of an ONNX file have other names."""
    wanted = [entry.name for entry in model.inputs]
    if sorted(wanted) != sorted(file.inputs):
        raise UsageError(
            f"its inputs are {list(file.inputs)}, the model's are {wanted}",
            path=file.path,
            hint="is this the ONNX file of that model?",
        )


def require_same_shapes(
    model: Model, file: OnnxFile, shapes: Mapping[str, tuple[int, ...]]
) -> None:
    """Raise UsageError where an ONNX file does not take inputs of these shapes, channels first."""
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


def missing_outputs(model: Model, file: OnnxFile) -> Iterator[str]:
    """What keeps a verification from being whole: outputs that the ONNX file lacks."""
    for name in model.outputs:
        if name not in file.outputs:
            yield f"the output '{name}' of the model is not an output of the ONNX file"


def aliases(model: Model, file: OnnxFile) -> dict[str, str]:
    """Value name -> the name the ONNX file computes it under, for those it has.

    The writer names values as the model does and leaves out identities, but never one that makes
    an output: that stands for something in any file. A channels-last input or
    output is computed channels first under its inner name; an output of whole numbers is a copy of
    that one, but in an ONNX file that is the model itself.
    """
    inner = channels_first(model).inner
    whole = model.integer_outputs - model.channels_last
    names = {entry.name: inner.get(entry.name, entry.name) for entry in model.inputs}
    for layer in model.layers:
        for value in layer.outputs:
            if inner.get(value, value) in file.values:
                names[value] = inner.get(value, value)
            elif value in whole and value in file.values:
                names[value] = value
            elif value in model.outputs:
                continue
            elif isinstance(layer.operator, Identity) and layer.inputs[0] in names:
                names[value] = names[layer.inputs[0]]
    return names
