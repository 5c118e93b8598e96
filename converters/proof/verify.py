"""The proof: an ONNX file in onnxruntime against the float64 reference of its source model.

Each layer is certified on the activations that onnxruntime itself computed before it, so errors
do not pile up and a wrong layer is named; weights that the file holds as they were stored are
compared bit by bit; then the untouched file runs end to end. Noise and impulses, graph
optimizations on and off.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from upconv.converters.ir.errors import UsageError
from upconv.converters.ir.model import Model
from upconv.converters.ir.operators import Identity
from upconv.converters.onnx_writer.layout import channels_first
from upconv.converters.passes.live import live
from upconv.converters.proof.end_to_end import Announce, certify_outputs
from upconv.converters.proof.layer_by_layer import certify_layers, uncertified
from upconv.converters.proof.memory import require_memory
from upconv.converters.proof.report import (
    LayerCertificate,
    OutputCertificate,
    Verification,
    as_json,
    worst_element,
)
from upconv.converters.proof.runtime import OnnxFile, read_onnx
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
) -> Verification:
    """Prove an ONNX file equal to a source model, in onnxruntime on this machine's CPU.

    Raises UnreadableError where the file is no ONNX model or onnxruntime refuses it, UsageError
    where the input shapes are unknown or too large, or the two have different inputs.
    """
    model = live(model)
    file = read_onnx(onnx_path)
    shapes, others = fixed_shapes(model), other_shapes(model)
    require_same_inputs(model, file)
    for each in filter(None, (shapes, others)):
        require_same_shapes(model, file, each)
        require_memory(model, each)
    stimuli = make_stimuli(model, shapes, seed, others)
    names = aliases(model, file)
    layers = certify_layers(model, file, names, stimuli, progress)
    progress("weights")
    for layer, reason in differing_weights(model, file.path):
        form = layers[layer.name].form if layer.name in layers else ""
        layers[layer.name] = uncertified(layer, form, reason, "fail")
    outputs = certify_outputs(model, file, names, stimuli, progress)
    reasons = tuple(missing_outputs(model, file))
    return Verification(
        model.path, onnx_path, file.opset, tuple(layers.values()), tuple(outputs), reasons
    )


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
